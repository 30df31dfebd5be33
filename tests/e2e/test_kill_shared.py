"""kill -9 at any point of an apply whose machine is thrown away: the next one, in a fresh directory, completes it."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from reconciler.emulator.server import running
from reconciler.emulator.settings import Settings
from reconciler.ledger.copying import journal_rows
from reconciler.ledger.kinds import open_store
from reconciler.ledger.location import Location, read_at
from tests.e2e import release_stack
from tests.e2e.crash_harness import CrashHarness, Death, Ended, Step
from tests.e2e.snapshot import Mode
from tests.emulator.handle import Emulator
from tests.ledger.conformance.conftest import SHARED

EVENLY = [1 + release_stack.OPERATIONS * number // 10 for number in range(10)]
POINTS = {
    # Intents are journalled up to twenty batches ahead: for 400 operations, 90 more, and the 10 pushes that replace.
    Step.BEFORE_INTENT: [1, 401, 491],
    Step.AFTER_INTENT: [1, 401, 491],
    Step.AFTER_BEGIN: EVENLY[::2],
    Step.AFTER_SENDING: EVENLY,
    Step.BEFORE_OUTCOME: EVENLY,
}
MERGING = [Death(step, count) for step, counts in POINTS.items() for count in counts]
DOUBLING = [
    *(death for death in MERGING if death.step not in (Step.AFTER_SENDING, Step.AFTER_BEGIN)),
    *(Death(step, release_stack.OPERATIONS + 1) for step in POINTS),
]
"""Where a repeated push opens a second alarm, more operations follow: the first one is cleared."""
SENDING = (Step.AFTER_SENDING, Step.BEFORE_OUTCOME)
FEWER = [death for death in MERGING if death.step not in SENDING or death.count in EVENLY[::2]]
DEATHS: dict[str, dict[Mode, list[Death]]] = {
    "postgres": {"merge": MERGING, "duplicate": DOUBLING},
    "seaweedfs": {"merge": FEWER, "duplicate": DOUBLING},
}
"""Where the ledger is, and what befalls its machines; through a pooler the same statements are sent."""


class Service(NamedTuple):
    """A service, a ledger, and what machines without a disk apply there."""

    emulator: Emulator
    url: str
    declared: Path
    harness: CrashHarness
    machines: Iterator[Path]

    def apply(self, *, death: Death | None = None) -> Ended:
        """Apply in a fresh directory."""
        machine = shutil.copytree(self.declared, next(self.machines))
        variable = f"endpoint={self.emulator.url}"
        command = ("apply", machine, "--auto-approve", "--ledger", self.url, "--var", variable)
        ended = self.harness.run(*command, death=death)
        assert [file.name for file in machine.iterdir()] == ["stack.yaml"]
        return ended


class SharedSnapshot:
    """Release 1 of the fleet is applied, release 2 declared: a service and a ledger to copy, with machines to throw
    away.
    """

    def __init__(self, store: str, mode: Mode, directory: Path, harness: CrashHarness) -> None:
        self._store, self._mode, self._directory, self._harness = store, mode, directory, harness
        self._machines = (directory / f"machine-{number}" for number in range(10_000))
        self._url = str(SHARED[store](directory))
        self._db = directory / "emulator.db"
        self._declared = release_stack.declare(directory / "declared", 1)
        with running(Settings(db=self._db, on_repeat=mode)) as url:
            emulator = Emulator(url)
            release_stack.push_foreign(emulator)
            service = Service(emulator, self._url, self._declared, harness, self._machines)
            first = service.apply()
            assert first.code == 0, first.err
        release_stack.declare(self._declared, 2)

    @contextmanager
    def service(self) -> Iterator[Service]:
        directory = next(self._machines)
        directory.mkdir()
        url = str(SHARED[self._store](directory))
        with closing(open_store(Location(url, "fleet"))) as store:
            store.append(list(journal_rows(Location(self._url, "fleet"))), 0, None)
        db = shutil.copy(self._db, directory / "emulator.db")
        with running(Settings(db=db, on_repeat=self._mode)) as emulated:
            yield Service(Emulator(emulated), url, self._declared, self._harness, self._machines)


@pytest.fixture(scope="session")
def snapshot(harness: CrashHarness, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Mode], SharedSnapshot]:
    return cache(lambda store, mode: SharedSnapshot(store, mode, tmp_path_factory.mktemp(mode), harness))


@pytest.mark.parametrize("store", DEATHS)
def test_there_are_forty_points_at_which_a_machine_can_go(
    snapshot: Callable[[str, Mode], SharedSnapshot], store: str
) -> None:
    assert sum(len(deaths) for deaths in DEATHS[store].values()) >= 40
    with snapshot(store, "duplicate").service() as service:
        whole = service.apply()
        assert whole.code == 0, whole.err
        assert release_stack.shown(service.emulator) == release_stack.expected()
        again = service.apply()
        assert "No changes" in again.out
    last = {step: counts[-1] for step, counts in whole.steps.items()}
    assert all(death.count <= last[death.step] for death in DOUBLING)


@pytest.mark.parametrize(
    ("store", "mode", "death"),
    [
        pytest.param(store, mode, death, id=f"{store}, {mode}, {death.step}, {death.count}")
        for store, modes in DEATHS.items()
        for mode, deaths in modes.items()
        for death in deaths
    ],
)
def test_the_next_machine_completes_what_a_killed_one_began(
    snapshot: Callable[[str, Mode], SharedSnapshot], store: str, mode: Mode, death: Death
) -> None:
    with snapshot(store, mode).service() as service:
        assert service.apply(death=death).signal == signal.SIGKILL
        again = service.apply()
        assert again.code == 0, again.err
        assert release_stack.shown(service.emulator) == release_stack.expected()
        with closing(read_at(Location(service.url, "fleet"))) as ledger:
            assert ledger.open_intents() == []
