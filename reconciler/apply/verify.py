"""Verification: wait until what was done is visible, and what was cleared is gone (rule 9)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from threading import Event

from reconciler.apply.progress import Progress
from reconciler.apply.sender import read_back
from reconciler.core.clock import Clock
from reconciler.core.operation import Operation
from reconciler.core.retry import poll_intervals
from reconciler.providers.protocol import Provider


def verify(
    operations: Sequence[Operation],
    providers: Mapping[str, Provider],
    clock: Clock,
    stop: Event,
    progress: Progress,
    *,
    within: int | None = None,
) -> frozenset[str]:
    """Poll until every operation's effect is visible, or its service's window has passed; the keys not confirmed.

    ``within`` (ms) takes the place of the services' windows. Raises DeniedError.
    """
    unseen = {
        key: [item for item in operations if item.provider == key] for key in {item.provider for item in operations}
    }
    began = clock.monotonic()
    for pause in poll_intervals():
        now = clock.monotonic()
        for key, waiting in unseen.items():
            if waiting:
                shown = read_back(providers[key], waiting) or frozenset()
                unseen[key] = [item for item in waiting if item.key not in shown]
        left = [key for key, waiting in unseen.items() if waiting]
        until = [began + (providers[key].limits.visible_within if within is None else within) for key in left]
        if now >= max(until, default=0):
            break
        progress.verifying(sum(map(len, unseen.values())))
        if clock.wait(pause, stop):
            break
    return frozenset(item.key for waiting in unseen.values() for item in waiting)
