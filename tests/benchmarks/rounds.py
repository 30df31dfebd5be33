"""Rounds: the alternatives take turns, so that a busy machine slows them all."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping
from time import perf_counter, process_time
from typing import TypeVar

Result = TypeVar("Result")


def alternate(work: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds of processor time each took, by round; what a call returns is thrown away before the next begins."""
    return take_turns({name: _timed(run, process_time) for name, run in work.items()}, rounds)


def alternate_whole(work: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Like ``alternate``, with the seconds that passed: for work that waits for other processes."""
    return take_turns({name: _timed(run, perf_counter) for name, run in work.items()}, rounds)


def take_turns(work: Mapping[str, Callable[[], Result]], rounds: int) -> dict[str, list[Result]]:
    """What each gave, by round."""
    found: dict[str, list[Result]] = {name: [] for name in work}
    for _ in range(rounds):
        for name, run in work.items():
            found[name].append(run())
    return found


def _timed(run: Callable[[], object], clock: Callable[[], float]) -> Callable[[], float]:
    def timed() -> float:
        gc.collect()
        started = clock()
        result = run()
        taken = clock() - started
        del result
        return taken

    return timed
