"""An event in doubt under the address that it had when it was sent, and that a service did not answer for."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from reconciler.app.apply import ApplyRequest, apply_stack
from reconciler.app.plan import plan_stack
from reconciler.apply.options import Options
from reconciler.apply.result import Result
from reconciler.apply.settle import Settlement
from reconciler.config.stack import Inputs
from reconciler.core.diagnostic import DiagnosticError
from reconciler.core.duration import MINUTE
from reconciler.emulator.settings import Settings
from reconciler.ledger.sqlite import memory_ledger
from reconciler.plan.plan import Plan
from reconciler.session.workspace import open_workspace
from tests.apply.harness import FakeClock
from tests.emulator.handle import Emulator
from tests.session.earlier_run import Approving, begin_without_answer

TEXT = """\
stack: demo
providers:
  aom: {{endpoint: "{url}", project_id: p1, auth: {{token: t}}, visible_within: 3s, request_timeout: 30s}}
resources:
  aom_event:
    {name}: {{occurrence: v1, event_severity: Info, resource_provider: ci, resource_type: job, resource_id: r1}}
{more}
"""
MOVED = "moved: [{from: aom_event.released, to: aom_event.shipped}]"


class Late(Approving):
    """An operator after whose settling queries work again, and who approves when the earlier request arrives."""

    def __init__(self, emulator: Emulator, arrive: Callable[[], object]) -> None:
        self._emulator, self._arrive = emulator, arrive

    def settled(self, settlement: Settlement) -> None:
        self._emulator.clear_faults()

    def approve(self, plan: Plan) -> bool:
        self._arrive()
        return True


def test_a_renamed_event_whose_earlier_request_may_still_arrive_is_not_recorded_a_second_time(
    start_emulator: Callable[[Settings], Emulator], tmp_path: Path
) -> None:
    clock = FakeClock()
    emulator = start_emulator(Settings(clock=clock.service))
    with closing(memory_ledger()) as ledger:
        text = TEXT.format(url=emulator.url, name="released", more="")
        with open_workspace(tmp_path, Inputs(), clock=clock, text=text, ledger=ledger) as workspace:
            plan = plan_stack(workspace)
            operations = list(plan.operations)
            begin_without_answer(workspace, ledger, plan)
            renamed = TEXT.format(url=emulator.url, name="shipped", more=MOVED)
            with open_workspace(tmp_path, Inputs(), clock=clock, text=renamed, ledger=ledger) as second:
                emulator.fault("query:status=503")
                late = Late(emulator, lambda: workspace.providers["aom"].send(operations))
                with pytest.raises(DiagnosticError, match="may be on record already"):
                    apply_stack(second, ApplyRequest("apply", Options()), late)
                late.approve(plan)
                clock.time += MINUTE
                again = apply_stack(second, ApplyRequest("apply", Options()), Approving())
                assert isinstance(again, Result)
                assert again.remaining == ()
    assert len(emulator.alarms()) == 1
