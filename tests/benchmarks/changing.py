"""Plans in which everything changes, as whole commands: all is created, or all is replaced."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.benchmarks.alternatives import MissingError, command, ours, ours_at_hand, version
from tests.benchmarks.launch import Cost, launch
from tests.benchmarks.processes import emulator
from tests.benchmarks.rounds import take_turns
from tests.benchmarks.row import Row, alone, compared, incomparable
from tests.benchmarks.stacks import for_each, replaced, write_octodns

NAME = "changing"

_MIB = 1024 * 1024


def run(quick: bool) -> list[Row]:
    """Compare; ``quick`` takes a few alarms and one round."""
    alarms, rounds = (200, 1) if quick else (10_000, 5)
    try:
        sync, why = command("octodns", "octodns-sync"), ""
    except MissingError as error:
        sync, why = None, str(error)
    program = ours_at_hand() if quick else ours()
    rows = []
    with tempfile.TemporaryDirectory() as directory, emulator() as service:
        home = Path(directory)
        created = _stack(home / "created", for_each(alarms, service.url))
        theirs = write_octodns(home / "creates", alarms, held=0)
        rows += _compared("creates", alarms, program, sync, why, created, theirs, rounds, ((), 0.35, 1.0))
        launch([program, "apply", "--auto-approve"], created)
        changed = _stack(home / "changed", replaced(for_each(alarms, service.url)))
        shutil.copytree(created / ".reconciler", changed / ".reconciler")
        theirs = write_octodns(home / "updates", alarms, ttl=60)
        for limits in (((), 0.35, 1.1), (("--out", "saved.plan"), 0.6, 1.1)):
            rows += _compared("replaces", alarms, program, sync, why, changed, theirs, rounds, limits)
    return rows


def _stack(directory: Path, text: bytes) -> Path:
    directory.mkdir()
    (directory / "stack.yaml").write_bytes(text)
    return directory


def _compared(
    what: str,
    alarms: int,
    mine: Path,
    sync: Path | None,
    why: str,
    stack: Path,
    zone: Path,
    rounds: int,
    limits: tuple[tuple[str, ...], float, float],
) -> list[Row]:
    """Time and peak memory of one plan; ``limits`` are further options, and the targets of both."""
    options, time, memory = limits
    work = " ".join((f"plan of {alarms:,} {what} from a for_each", *options[:1]))
    against = f"octodns-sync plan of {alarms:,} {'creates' if what == 'creates' else 'updates'}"
    sides: dict[str, Callable[[], Cost]] = {"ours": lambda: launch([mine, "plan", *options], stack)}
    if sync is None:
        cost = sides["ours"]()
        rows = [("", cost.seconds, "s"), (": peak memory", cost.memory / _MIB, "MiB")]
        return [
            incomparable(work + name, against, why)._replace(ours=alone("", [number]).ours, unit=unit)
            for name, number, unit in rows
        ]
    sides["theirs"] = lambda: launch([sync, "--config-file", zone.name, "--force"], zone.parent)
    costs = take_turns(sides, rounds)
    seconds = [[cost.seconds for cost in costs[side]] for side in ("ours", "theirs")]
    peaks = [[cost.memory / _MIB for cost in costs[side]] for side in ("ours", "theirs")]
    return [
        compared(work, against, *seconds, time, note=version(sync, "octodns")),
        compared(f"{work}: peak memory", against, *peaks, memory, unit="MiB"),
    ]
