"""Statistics: how many alarms and events of each severity began in each step of a window."""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.emulator.aom.report import SEVERITIES


def count_by_step(found: Iterable[tuple[str, int]], start: int, end: int, step: int) -> dict[str, object]:
    """``{step, timestamps, series, summary}`` of (severity, time) pairs; a timestamp is the beginning of its step."""
    first = start - start % step
    timestamps = list(range(first, end + 1, step))
    values = {severity: [0] * len(timestamps) for severity in SEVERITIES}
    for severity, time in found:
        values[severity][(time - first) // step] += 1
    return {
        "step": step,
        "timestamps": timestamps,
        "series": [{"event_severity": severity, "values": counts} for severity, counts in values.items()],
        "summary": {severity: sum(counts) for severity, counts in values.items()},
    }
