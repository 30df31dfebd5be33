"""An earlier run of a stack, which lost its lease while its request was under way, and an operator for the next."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event

from reconciler.apply.lease import LIFETIME
from reconciler.apply.options import NullProgress, Progress
from reconciler.apply.settle import Settlement
from reconciler.ledger.protocol import Ledger, Run, RunState
from reconciler.plan.plan import Plan
from reconciler.session.workspace import Workspace


def begin_without_answer(workspace: Workspace, ledger: Ledger, plan: Plan) -> None:
    """Journal that a run has begun all operations of a plan, and break its lease; nothing is sent."""
    operations, now = list(plan.operations), workspace.clock.now()
    holder = ledger.acquire("first", "elsewhere", 1, now, LIFETIME)
    ledger.begin(holder, Run("r", plan.id, "apply", now, None, RunState.RUNNING, workspace.target_texts))
    ledger.record_intents(holder, "r", operations, now)
    ledger.begin_attempts(holder, [item.key for item in operations], now)
    ledger.unlock()


class Approving:
    """An operator who approves every plan."""

    def settled(self, settlement: Settlement) -> None: ...

    def review(self, plan: Plan) -> None: ...

    def approve(self, plan: Plan) -> bool:
        return True

    @contextmanager
    def working(self, stop: Event) -> Iterator[Progress]:
        yield NullProgress()
