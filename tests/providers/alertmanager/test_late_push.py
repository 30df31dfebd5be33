"""A push in doubt: one that arrives late is waited out before its alert is cleared, since the server does not fence it
off; one that arrived at one of two instances counts as unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from reconciler.apply.result import ApplyStatus
from reconciler.core.desired import Desired
from reconciler.core.operation import Operation, Status
from reconciler.emulator.settings import Settings
from tests.apply.harness import FakeClock
from tests.emulator.handle import Emulator
from tests.providers.alertmanager.harness import AlertmanagerHarness
from tests.providers.alertmanager.objects import desired, opened
from tests.providers.alertmanager.test_silence import silence


class Crash(BaseException):
    """The process is gone."""


class Slow:
    """A provider whose request is still on its way when the process dies, and arrives 3 seconds later."""

    def __init__(self, real: object, harness: AlertmanagerHarness) -> None:
        self._real, self._harness = real, harness

    def __getattr__(self, name: str) -> object:
        return getattr(self._real, name)

    def send(self, operations: Sequence[Operation]) -> Sequence[str | None]:
        clock = self._harness.clock
        clock.call_at(clock.time + 3_000, lambda: arrive(self._harness, operations))
        raise Crash


def arrive(harness: AlertmanagerHarness, operations: Sequence[Operation]) -> None:
    opened(harness.urls).send(operations)


def crashed_rig(
    start_emulator: Callable[[Settings], Emulator], directory: Path, declared: Desired
) -> AlertmanagerHarness:
    """A harness of which a run died while its push was on its way."""
    clock = FakeClock()
    harness = AlertmanagerHarness(start_emulator(Settings(clock=clock.service)), clock, directory / "ledger.db")
    harness.wrap_provider = lambda real: Slow(real, harness)
    with pytest.raises(Crash):
        harness.apply([declared])
    harness.wrap_provider = lambda real: real
    return harness


@pytest.mark.parametrize("declared", [desired(timeout="1h"), silence()], ids=["alert", "silence"])
def test_a_push_in_doubt_is_waited_out_before_what_it_raises_is_cleared(
    start_emulator, tmp_path: Path, declared: Desired
) -> None:
    harness = crashed_rig(start_emulator, tmp_path, declared)
    assert harness.apply([]).remaining == ()
    assert 3_000 <= harness.clock.waited < 8_000
    assert any("may still raise 1 alarm of an earlier run" in note for note in harness.watcher.notes)
    assert (harness.alerts(), harness.silences()) == ([], [])


def test_a_push_in_doubt_of_what_is_declared_still_is_not_waited_for(start_emulator, tmp_path: Path) -> None:
    harness = crashed_rig(start_emulator, tmp_path, desired(timeout="1h"))
    assert harness.apply([desired(timeout="1h")]).remaining == ()
    assert harness.clock.waited == 0
    assert len(harness.alerts()) == 1


def test_a_push_that_only_one_instance_refused_the_credentials_for_is_in_doubt(start_emulator, tmp_path: Path) -> None:
    clock = FakeClock()
    emulator = start_emulator(Settings(clock=clock.service, alertmanager_peers=2))
    harness = AlertmanagerHarness(emulator, clock, tmp_path / "ledger.db", peers=2)
    emulator.fault("am-push@2:status=401")
    result = harness.apply([desired(timeout="1h")])
    assert (result.ending, result.may_have_sent) == (ApplyStatus.DENIED, True)
    assert [outcome.status for outcome in result.outcomes.values()] == [Status.UNKNOWN]
    emulator.clear_faults()
    assert harness.apply([desired(timeout="1h")]).remaining == ()
    assert [len(harness.alerts(peer)) for peer in range(2)] == [1, 1]
