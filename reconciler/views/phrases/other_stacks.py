"""Phrases about other stacks of a ledger that the views share."""

from __future__ import annotations

from reconciler.core.duration import format_instant
from reconciler.session.other_stacks import OtherStack, OtherStacks
from reconciler.views.phrases.plan import count, join_words

_NAMED = 5
"""How many addresses, or stacks, are named before only their number is given."""


def others_head(others: OtherStacks) -> str:
    """The heading of the list of stacks."""
    are = "stack of this ledger has" if len(others.firing) == 1 else "stacks of this ledger have"
    return f"{len(others.firing):,} other {are} something firing, as far as it knows:"


def other_stack(stack: OtherStack) -> str:
    """``3 alarms, aom_alarm.a, aom_alarm.b and aom_alarm.c; all has expired by ...``."""
    names = [str(alarm.address) for alarm in stack.alarms]
    more = [f"{len(names) - _NAMED:,} more"] if len(names) > _NAMED else []
    over = format_instant(max(alarm.over_by for alarm in stack.alarms))
    return f"{count(len(names), 'alarm')}, {join_words([*names[:_NAMED], *more])}; over by {over} at the latest"


def others_unread(others: OtherStacks) -> str | None:
    """Which stacks could not be read; None if there are none."""
    if not others.unread:
        return None
    more = [f"{len(others.unread) - _NAMED:,} more"] if len(others.unread) > _NAMED else []
    return f"Not read: {join_words([*others.unread[:_NAMED], *more])}."
