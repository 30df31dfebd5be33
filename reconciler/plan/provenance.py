"""Provenance: which of the alarms that a plan would clear the stack's ledger knows to be the stack's own."""

from __future__ import annotations

from collections.abc import Collection

from reconciler.core.diagnostic import Diagnostic, Severity
from reconciler.plan.plan import Plan


def keys_to_clear(plan: Plan) -> list[str]:
    """The keys in the marks of each alarm that a plan clears."""
    return [found.marks.key for change in plan.changes if change.operations for found in change.clears]


def provenance_warning(keys: Collection[str], pushed: Collection[str]) -> Diagnostic | None:
    """A warning that says how many of the alarms with these keys are not among those that were pushed; None if all
    are.
    """
    unknown = sum(key not in pushed for key in keys)
    if not unknown:
        return None
    noun, verb = ("alarm", "was") if len(keys) == 1 else ("alarms", "were")
    return Diagnostic(
        f"{unknown:,} of {len(keys):,} {noun} to clear {verb} never pushed by this stack, as far as its ledger knows",
        hint="on a machine that does not have the stack's ledger this is expected; otherwise make sure that nobody "
        "else uses the stack's name before you clear them",
        severity=Severity.WARNING,
    )
