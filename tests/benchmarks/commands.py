"""Whole commands, from their start to their end: what somebody at a prompt, or a pipeline, waits for."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from math import ceil
from pathlib import Path

from tests.benchmarks.alternatives import MissingError, command, ours, ours_at_hand, version
from tests.benchmarks.launch import Cost, launch
from tests.benchmarks.processes import emulator
from tests.benchmarks.rounds import take_turns
from tests.benchmarks.row import Row, alone, compared, incomparable
from tests.benchmarks.stacks import for_each, write_octodns, written_out

NAME = "commands"

_PAGE = 1_000
_MIB = 1024 * 1024


def run(quick: bool) -> list[Row]:
    """Compare; ``quick`` takes a few alarms and one round."""
    alarms, rounds = (200, 1) if quick else (10_000, 3)
    try:
        sync, why = command("octodns", "octodns-sync"), ""
    except MissingError as error:
        sync, why = None, str(error)
    program = ours_at_hand() if quick else ours()
    rows, asked = [], []
    with tempfile.TemporaryDirectory() as directory:
        for how, stack, count, times, target in (
            ("written out in YAML", written_out, alarms, rounds, 0.5),
            ("from a for_each", for_each, alarms, rounds, 0.35),
            ("in all", written_out, 3, rounds * 8, 1.5),
        ):
            home = Path(directory) / f"{stack.__name__}-{count}"
            costs, requests = _plans(home, stack, program, sync, count, times)
            work = f"plan, no changes, {count:,} alarms {how}"
            against = f"octodns-sync, no changes, {count:,} A records"
            rows.append(_row(work, against, costs, sync, why, target))
            if stack is written_out and count == alarms:
                rows.append(_memory(f"{work}: peak memory", against, costs, why, 1.5))
            asked.append(_asked(count, requests))
        return rows + _version(Path(directory), program, sync, why, 1 if quick else 20) + asked


def _version(directory: Path, mine: Path, sync: Path | None, why: str, rounds: int) -> list[Row]:
    try:
        chaos, missing = command("chaostoolkit", "chaos"), ""
    except MissingError as error:
        chaos, missing = None, str(error)
    rows = []
    for package, program, option, reason, target in (
        ("octodns", sync, "--help", why, 0.6),
        ("chaostoolkit", chaos, "--version", missing, None),
    ):
        sides: dict[str, Callable[[], Cost]] = {"ours": lambda: launch([mine, "version"], directory)}
        if program is not None:
            other = [program, option]
            sides["theirs"] = lambda other=other: launch(other, directory)
        name = "octodns-sync" if package == "octodns" else "chaos"
        costs = take_turns(sides, rounds)
        rows.append(_row("version", f"{name} {option}", costs, program, reason, target, package=package))
    return rows


def _plans(
    directory: Path, stack: Callable[[int, str], bytes], mine: Path, sync: Path | None, count: int, rounds: int
) -> tuple[dict[str, list[Cost]], list[str]]:
    """What a plan without changes costs, against an emulator that holds the alarms, and the same of the other tool; and
    which requests one plan makes.
    """
    zone = write_octodns(directory, count)
    home = directory / "stack"
    home.mkdir()
    with emulator() as service:
        (home / "stack.yaml").write_bytes(stack(count, service.url))
        launch([mine, "apply", "--auto-approve"], home)
        service.forget_requests()
        sides = {"ours": lambda: launch([mine, "plan"], home)}
        if sync is not None:
            other = [sync, "--config-file", zone.name]
            sides["theirs"] = lambda: launch(other, directory)
        costs = take_turns(sides, rounds)
        asked = [str(request["operation"]) for request in service.requests()]
        return costs, asked[: len(asked) // rounds]


def _row(
    work: str,
    against: str,
    costs: dict[str, list[Cost]],
    program: Path | None,
    why: str,
    target: float | None,
    *,
    package: str = "octodns",
) -> Row:
    mine = [cost.seconds for cost in costs["ours"]]
    if program is None:
        return incomparable(work, against, why)._replace(ours=alone(work, mine).ours)
    note = f"{version(program, package)}; processor time {_ratio(costs):.2f} of its"
    return compared(work, against, mine, [cost.seconds for cost in costs["theirs"]], target, note=note)


def _ratio(costs: dict[str, list[Cost]]) -> float:
    row = compared("", "", *([cost.processor for cost in costs[side]] for side in ("ours", "theirs")))
    assert row.ratio is not None
    return row.ratio


def _memory(work: str, against: str, costs: dict[str, list[Cost]], why: str, target: float) -> Row:
    mine = [cost.memory / _MIB for cost in costs["ours"]]
    if "theirs" not in costs:
        return incomparable(work, against, why)._replace(ours=alone(work, mine).ours, unit="MiB")
    return compared(work, against, mine, [cost.memory / _MIB for cost in costs["theirs"]], target, unit="MiB")


def _asked(count: int, operations: list[str]) -> Row:
    """How many requests a plan makes: ceil(N / page) and a constant."""
    pages = ceil(count / _PAGE)
    rest = len(operations) - pages
    note = f"ceil({count:,} / {_PAGE:,}) {'+' if rest >= 0 else '-'} {abs(rest)}: {', '.join(sorted(set(operations)))}"
    return alone(f"requests that a plan of {count:,} alarms makes", [len(operations)], unit="", note=note)
