"""The context: what a drill needs beside its session."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from reconciler.checks.canary import CanarySession
from reconciler.checks.check import Check, UnresolvedCheck
from reconciler.checks.delivery import AskReceiver
from reconciler.config.stack import DataConfig
from reconciler.core.data_source import Item
from reconciler.core.delivery import DeliveryLog, DeliveryQuery
from reconciler.drill.notifications import NotificationQuery

Confirm = Callable[[str, Callable[[], bool]], str | None]
"""Ask a person to confirm something: how it was confirmed, or None where it was not.

The second argument is called again and again meanwhile, and says whether there is any more waiting.
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
