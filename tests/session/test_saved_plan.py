"""A saved plan that an earlier run of it, which lost its lease, reports as done while it is applied again."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from itertools import count
from pathlib import Path

from reconciler.app.apply import ApplyRequest, NotRun, apply_saved
from reconciler.app.plan import plan_stack
from reconciler.apply.options import Options
from reconciler.apply.result import Result
from reconciler.config.stack import Inputs
from reconciler.core.duration import SECOND
from reconciler.core.operation import Outcome, Status
from reconciler.emulator.settings import Settings
from reconciler.ledger.protocol import Ledger
from reconciler.ledger.sqlite import memory_ledger
from reconciler.session.workspace import open_workspace
from tests.apply.harness import FakeClock
from tests.apply.late_answer import LateAnswer
from tests.emulator.handle import Emulator
from tests.session.earlier_run import Approving, begin_without_answer

TEXT = """\
stack: demo
providers:
  aom:
    {{endpoint: "{url}", project_id: p{number}, auth: {{token: t}}, visible_within: 3s, request_timeout: 1s}}
resources:
  aom_event:
    released: {{occurrence: v1, event_severity: Info, resource_provider: ci, resource_type: job, resource_id: r1}}
"""


def test_a_saved_plan_is_not_refused_when_its_earlier_run_journals_its_answer_meanwhile(
    start_emulator: Callable[[Settings], Emulator], tmp_path: Path
) -> None:
    clock = FakeClock()
    emulator = start_emulator(Settings(clock=clock.service, visible_after=2 * SECOND))
    request = ApplyRequest("apply", Options())

    def run_again(ledger: Ledger, number: int) -> LateAnswer:
        """Apply a plan of one event while its earlier run journals the answer before this call of the ledger."""
        text = TEXT.format(url=emulator.url, number=number)
        with open_workspace(tmp_path, Inputs(), clock=clock, text=text, ledger=ledger) as workspace:
            plan = plan_stack(workspace)
            operations = list(plan.operations)
            begin_without_answer(workspace, ledger, plan)
            workspace.providers["aom"].send(operations)
        answered = [Outcome(item.key, Status.DONE) for item in operations]
        late = LateAnswer(ledger, number, lambda: ledger.record_outcomes(answered, clock.now()))
        with open_workspace(tmp_path, Inputs(), clock=clock, text=text, ledger=late) as workspace:  # type: ignore[arg-type]
            result = apply_saved(workspace, request, Approving(), plan)
            assert result is NotRun.ALREADY_APPLIED or (isinstance(result, Result) and result.remaining == ())
        return late

    for number in count(1):
        with closing(memory_ledger()) as ledger:
            if not run_again(ledger, number).is_answered:
                break
        clock.time += 3 * SECOND
        assert sum(item["project_id"] == f"p{number}" for item in emulator.alarms()) == 1
    assert number > 10
