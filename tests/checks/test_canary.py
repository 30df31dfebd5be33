"""Canaries against the emulator, in time that passes only where somebody waits; each is taken back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event

import pytest

from reconciler.apply.lease import leased
from reconciler.checks.canary import CanarySession
from reconciler.checks.poll import CheckStatus
from reconciler.checks.result import CheckOutcome
from reconciler.core.address import NAME, canary_address
from reconciler.core.desired import Declaration, Desired
from reconciler.core.diagnostic import Diagnostic
from reconciler.core.duration import SECOND
from reconciler.core.observed import Observed
from reconciler.core.operation import Operation, Status
from reconciler.emulator.settings import Settings
from reconciler.ledger.protocol import CHECK
from reconciler.plan.plan import Plan
from reconciler.providers.protocol import Provider
from reconciler.session.session import StackSession
from tests.apply.harness import OWNER, Harness, start_harness
from tests.emulator.handle import Emulator
from tests.plan.fake_service import TYPES, alarm

Start = Callable[[Settings], Emulator]
KIND = TYPES["aom_alarm"]


def canary(name: str = "path") -> Desired:
    fields = {"event_severity": "Info", "resource_provider": "x", "resource_type": "y", "resource_id": "z"}
    return KIND.desired(
        Declaration(canary_address(name, KIND.name), KIND.model.model_validate({**fields, "timeout": "10m"}), "aom")
    )


@contextmanager
def canary_session(
    it: Harness, refusals: Callable[[Plan], Sequence[Diagnostic]] = lambda plan: ()
) -> Iterator[CanarySession]:
    with (
        closing(it.ledger()) as ledger,
        closing(it.provider()) as provider,
        leased(ledger, OWNER, it.clock, Event()) as holder,
    ):
        session = StackSession(it.stack, {"aom": provider}, TYPES, ledger, holder, it.clock, CHECK)
        yield CanarySession(session, refusals)


def run_canary(it: Harness, within: int = 5 * SECOND, stop: Event | None = None) -> CheckOutcome:
    with canary_session(it) as canaries:
        canaries.prepare(Event())
        return canaries.run_canary(canary(), within, stop or Event())


def statuses(it: Harness) -> list[Status | None]:
    with closing(it.ledger()) as ledger:
        return [entry.status for run in reversed(ledger.runs()) for entry in ledger.entries(run.id)]


def test_a_canary_comes_and_goes_and_both_are_journalled(start_emulator: Start, tmp_path: Path) -> None:
    it = start_harness(start_emulator, tmp_path)
    found = run_canary(it)
    assert found.status is CheckStatus.PASSED
    assert it.active() == []
    assert statuses(it) == [Status.DONE, Status.DONE]
    [pushed, cleared] = it.emulator.requests("push") + it.emulator.requests("clear")
    assert pushed["status"] == cleared["status"] == 204


def test_both_latencies_are_told(start_emulator: Start, tmp_path: Path) -> None:
    it = start_harness(start_emulator, tmp_path, Settings(visible_after=3 * SECOND))
    found = run_canary(it, within=20 * SECOND)
    assert found.status is CheckStatus.PASSED
    assert found.visible_after is not None
    assert found.gone_after is not None
    assert 3 * SECOND <= found.visible_after <= 6 * SECOND
    assert 3 * SECOND <= found.gone_after <= 6 * SECOND
    assert "visible after" in found.reason
    assert "gone after" in found.reason


def test_one_that_shows_too_late_fails_and_is_taken_back_all_the_same(start_emulator: Start, tmp_path: Path) -> None:
    it = start_harness(start_emulator, tmp_path, Settings(visible_after=5 * SECOND))
    found = run_canary(it, within=2 * SECOND)
    assert found.status is CheckStatus.FAILED
    assert found.reason.startswith("pushed, but it is not visible within 2s")
    it.clock.time += 60 * SECOND
    assert it.active() == []


def test_one_that_is_refused_fails_with_the_service_s_words(start_emulator: Start, tmp_path: Path) -> None:
    it = start_harness(start_emulator, tmp_path)
    it.emulator.fault("push:status=400")
    found = run_canary(it)
    assert found.status is CheckStatus.FAILED
    assert "400" in found.reason
    assert it.emulator.requests("clear") == []


@pytest.mark.parametrize("fault", ["push:status=401", "push:status=503", "query:status=401"])
def test_a_service_that_lets_nobody_in_can_not_be_asked(start_emulator: Start, tmp_path: Path, fault: str) -> None:
    it = start_harness(start_emulator, tmp_path)
    with canary_session(it) as canaries:
        it.emulator.fault(fault)
        found = canaries.run_canary(canary(), 5 * SECOND, Event())
    assert found.status is CheckStatus.UNKNOWN


def test_one_that_arrives_though_its_answer_is_lost_is_taken_back(start_emulator: Start, tmp_path: Path) -> None:
    it = start_harness(start_emulator, tmp_path)
    it.emulator.fault("push:store-then-500")
    assert run_canary(it).status is CheckStatus.PASSED
    assert it.active() == []


def test_one_that_can_not_be_taken_back_fails_and_the_next_run_clears_it(start_emulator: Start, tmp_path: Path) -> None:
    it = start_harness(start_emulator, tmp_path)
    it.emulator.fault("clear:status=400")
    found = run_canary(it)
    assert found.status is CheckStatus.FAILED
    assert "not cleared" in found.reason
    assert len(it.active()) == 1
    it.emulator.clear_faults()
    it.clock.time += SECOND
    assert run_canary(it).status is CheckStatus.PASSED
    assert it.active() == []


class Stopping:
    """A provider that sets an event when the canary is first looked for."""

    def __init__(self, provider: Provider, stop: Event) -> None:
        self._provider = provider
        self._stop = stop

    def read_back(self, operations: Sequence[Operation]) -> Iterator[Observed]:
        self._stop.set()
        return self._provider.read_back(operations)

    def __getattr__(self, name: str) -> object:
        return getattr(self._provider, name)


def test_an_interrupted_one_is_taken_back(start_emulator: Start, tmp_path: Path) -> None:
    it = start_harness(start_emulator, tmp_path, Settings(visible_after=2 * SECOND))
    stop = Event()
    it.wrap_provider = lambda provider: Stopping(provider, stop)  # type: ignore[assignment, return-value]  # all but look is the provider's own
    found = run_canary(it, within=30 * SECOND, stop=stop)
    assert found.status is CheckStatus.INTERRUPTED
    it.clock.time += 60 * SECOND
    assert it.active() == []
    assert len(it.emulator.requests("clear")) == 1


class Killed(BaseException):
    """What ends a process."""


class Killing(Stopping):
    """A provider under which the process dies when the canary is first looked for."""

    def read_back(self, operations: Sequence[Operation]) -> Iterator[Observed]:
        raise Killed


def crash(it: Harness) -> None:
    """Fly a canary in a process that dies while it is up."""
    it.wrap_provider = lambda provider: Killing(provider, Event())  # type: ignore[assignment, return-value]  # see above
    with pytest.raises(Killed):
        run_canary(it)
    it.wrap_provider = lambda provider: provider
    assert str(canary().address) in it.active()


def test_what_a_crash_leaves_behind_is_cleared_by_the_next_check(start_emulator: Start, tmp_path: Path) -> None:
    it = start_harness(start_emulator, tmp_path)
    crash(it)
    with canary_session(it) as canaries:
        canaries.prepare(Event())
    assert it.active() == []


def test_what_a_crash_leaves_behind_is_cleared_by_the_next_apply(start_emulator: Start, tmp_path: Path) -> None:
    it = start_harness(start_emulator, tmp_path)
    it.apply([alarm("kept")])
    crash(it)
    it.apply([alarm("kept")])
    assert it.active() == ["aom_alarm.kept"]


def test_preparing_clears_nothing_but_canaries(start_emulator: Start, tmp_path: Path) -> None:
    it = start_harness(start_emulator, tmp_path)
    it.apply([alarm("kept")])
    assert run_canary(it).status is CheckStatus.PASSED
    assert it.active() == ["aom_alarm.kept"]


def test_the_guards_of_the_stack_hold_for_canaries_too(start_emulator: Start, tmp_path: Path) -> None:
    it = start_harness(start_emulator, tmp_path)
    with canary_session(it, lambda plan: [Diagnostic("Info is not allowed here")]) as canaries:
        found = canaries.run_canary(canary(), 5 * SECOND, Event())
    assert (found.status, found.reason) == (
        CheckStatus.FAILED,
        "the stack's guards refuse it: Info is not allowed here",
    )
    assert it.emulator.requests("push") == []


def test_the_alarm_carries_the_stack_s_marks(start_emulator: Start, tmp_path: Path) -> None:
    it = start_harness(start_emulator, tmp_path)
    run_canary(it)
    [sent] = it.emulator.bodies("push")
    metadata = sent["events"][0]["metadata"]
    assert metadata["reconciler_stack"] == it.stack
    assert metadata["reconciler_address"] == f'aom_alarm.{NAME}["path"]'
