"""The context: what a drill needs beside its session."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from threading import Event

from reconciler.apply.lease import Owner
from reconciler.checks.canary import CanarySession
from reconciler.checks.check import Check, UnresolvedCheck
from reconciler.checks.delivery import AskReceiver
from reconciler.config.stack import DataConfig
from reconciler.core.data_source import Item
from reconciler.core.delivery import DeliveryLog, DeliveryQuery
from reconciler.drill.drill import Drill
from reconciler.drill.journal import Watcher
from reconciler.drill.notifications import NotificationQuery
from reconciler.drill.record import Record

Confirm = Callable[[Record, str, Callable[[], bool]], str | None]
"""Asks the operator to confirm a pause: how it was confirmed, or None if it was not, which aborts the drill.

The arguments are the run, the text of the pause, and a function that is called repeatedly while the operator
has not answered, and says whether to keep waiting.
"""


@dataclass(frozen=True, slots=True)
class RunContext:
    """What a drill needs beside its session: checks, queries, people, and word to end."""

    checks: Callable[[Collection[str]], Sequence[Check | UnresolvedCheck]]
    query: Callable[[DataConfig, Collection[str]], Sequence[Item]]
    receivers: AskReceiver
    canaries: CanarySession
    notification_queries: Sequence[NotificationQuery]
    delivery_queries: Sequence[Callable[[DeliveryQuery], DeliveryLog]]
    confirm: Confirm
    aborted: Callable[[], bool]


@dataclass(frozen=True, slots=True)
class OperatorHooks:
    """The operator of a run: who it is, what it answers and sees; ``approve`` is the last question before the start.

    ``command`` makes the command line of the words that it is given, with the stack and the variables of this one.
    """

    owner: Owner
    confirm: Confirm
    approve: Callable[[Drill], bool]
    watcher: Watcher
    stop: Event
    command: Callable[[str], str] = "reconciler {}".format
