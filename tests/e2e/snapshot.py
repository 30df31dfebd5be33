"""Snapshots: any number of places where release 1 of the fleet has been applied and release 2 is declared."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, NamedTuple

from reconciler.emulator.server import running
from reconciler.emulator.settings import Settings
from tests.e2e import release_stack
from tests.e2e.crash_harness import CrashHarness, Death, Ended
from tests.emulator.handle import Emulator

Mode = Literal["merge", "duplicate"]


class Place(NamedTuple):
    """A service, and a stack that is about to be applied to it by processes that can die."""

    emulator: Emulator
    stack: Path
    harness: CrashHarness

    def run(self, *command: str | Path, death: Death | None = None) -> Ended:
        """Run a command of the stack; what follows its name comes after the stack's path."""
        names = 2 if command[0] == "ledger" else 1
        variable = f"endpoint={self.emulator.url}"
        return self.harness.run(*command[:names], self.stack, *command[names:], "--var", variable, death=death)

    def apply(self, *, death: Death | None = None) -> Ended:
        return self.run("apply", "--auto-approve", death=death)


class Snapshot:
    """The state all places begin with: files to copy, which is quicker than to apply release 1 each time."""

    def __init__(self, directory: Path, mode: Mode, harness: CrashHarness) -> None:
        self._directory, self._mode, self._harness = directory, mode, harness
        self._stack, self._db = release_stack.declare(directory / "stack", 1), directory / "emulator.db"
        with running(Settings(db=self._db, on_repeat=mode)) as url:
            place = Place(Emulator(url), self._stack, harness)
            release_stack.push_foreign(place.emulator)
            first = place.apply()
            assert first.code == 0, first.err
        release_stack.declare(self._stack, 2)
        self._made = 0

    @contextmanager
    def place(self) -> Iterator[Place]:
        self._made += 1
        stack = shutil.copytree(self._stack, self._directory / f"stack-{self._made}")
        db = shutil.copy(self._db, self._directory / f"emulator-{self._made}.db")
        with running(Settings(db=db, on_repeat=self._mode)) as url:
            yield Place(Emulator(url), stack, self._harness)
