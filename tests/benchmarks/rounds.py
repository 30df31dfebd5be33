"""Rounds: the alternatives take turns in one process, so that a busy machine slows them all."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping
from time import process_time


def alternate(work: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds of processor time each took, by round; what a call returns is thrown away before the next begins."""
    seconds: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(rounds):
        for name, run in work.items():
            gc.collect()
            started = process_time()
            result = run()
            seconds[name].append(process_time() - started)
            del result
    return seconds
