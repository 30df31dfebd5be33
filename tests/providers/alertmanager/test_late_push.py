"""A push that arrives late: the server does not fence it off, so it is waited out before its alert is cleared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from reconciler.core.desired import Desired
from reconciler.core.operation import Operation
from reconciler.emulator.settings import Settings
from tests.apply.harness import FakeClock
from tests.emulator.handle import Emulator
from tests.providers.alertmanager.harness import AlertmanagerRig
from tests.providers.alertmanager.objects import desired, opened
from tests.providers.alertmanager.test_silence import silence


class Crash(BaseException):
    """The process is gone."""


class Slow:
    """A provider whose request is still on its way when the process dies, and arrives 3 seconds later."""

    def __init__(self, real: object, rig: AlertmanagerRig) -> None:
        self._real, self._rig = real, rig

    def __getattr__(self, name: str) -> object:
        return getattr(self._real, name)

    def send(self, operations: Sequence[Operation]) -> Sequence[str | None]:
        clock = self._rig.clock
        clock.call_at(clock.time + 3_000, lambda: arrive(self._rig, operations))
        raise Crash


def arrive(rig: AlertmanagerRig, operations: Sequence[Operation]) -> None:
    opened(rig.urls).send(operations)


def crashed_rig(start_emulator: Callable[[Settings], Emulator], directory: Path, declared: Desired) -> AlertmanagerRig:
    """A rig of which a run died while its push was on its way."""
    clock = FakeClock()
    rig = AlertmanagerRig(start_emulator(Settings(clock=clock.service)), clock, directory / "ledger.db")
    rig.wrap_provider = lambda real: Slow(real, rig)
    with pytest.raises(Crash):
        rig.apply([declared])
    rig.wrap_provider = lambda real: real
    return rig


@pytest.mark.parametrize("declared", [desired(timeout="1h"), silence()], ids=["alert", "silence"])
def test_a_push_in_doubt_is_waited_out_before_what_it_raises_is_cleared(
    start_emulator, tmp_path: Path, declared: Desired
) -> None:
    rig = crashed_rig(start_emulator, tmp_path, declared)
    assert rig.apply([]).remaining == ()
    assert 3_000 <= rig.clock.waited < 8_000
    assert any("may still raise 1 alarm of an earlier run" in note for note in rig.watcher.notes)
    assert (rig.alerts(), rig.silences()) == ([], [])


def test_a_push_in_doubt_of_what_is_declared_still_is_not_waited_for(start_emulator, tmp_path: Path) -> None:
    rig = crashed_rig(start_emulator, tmp_path, desired(timeout="1h"))
    assert rig.apply([desired(timeout="1h")]).remaining == ()
    assert rig.clock.waited == 0
    assert len(rig.alerts()) == 1
