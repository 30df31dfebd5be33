"""Metrics of a receiver, in Prometheus' text format."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping
from threading import Lock

from reconciler import __version__
from reconciler.core.duration import in_seconds
from reconciler.receive.store import Delivery

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_PREFIX = "reconciler_receiver"
_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Metrics:
    """Counts since the start. The labels are from fixed sets, so senders cannot create new ones."""

    def __init__(self, started: int) -> None:
        self._started = started
        self._deliveries: Counter[str] = Counter()
        self._repeated: Counter[str] = Counter()
        self._alerts: Counter[tuple[str, str]] = Counter()
        self._refused: Counter[str] = Counter()
        self._last: dict[str, int] = {}
        self._truncated = 0
        self._lock = Lock()
        self._commits = [0] * (len(_BOUNDS) + 1)
        self._commit_seconds = 0.0

    def delivered(self, delivery: Delivery, fresh: bool) -> None:
        source = delivery.source.value
        self._last[source] = delivery.received_at
        if not fresh:
            self._repeated[source] += 1
            return
        self._deliveries[source] += 1
        self._truncated += delivery.truncated > 0
        for alert in delivery.alerts:
            self._alerts[source, alert.status or "unknown"] += 1

    def refused(self, reason: str) -> None:
        self._refused[reason] += 1

    def committed(self, _count: int, seconds: float) -> None:
        """Record a commit; called by the writer's thread."""
        with self._lock:
            self._commits[bisect_left(_BOUNDS, seconds)] += 1
            self._commit_seconds += seconds

    def text(self, pending: int, healthy: bool) -> str:
        """All metrics in Prometheus' text format."""
        return "".join(f"{line}\n" for line in self._lines(pending, healthy))

    def _lines(self, pending: int, healthy: bool) -> Iterator[str]:
        yield from _family("build_info", "gauge", "The version of the receiver.", {_labels(version=__version__): 1})
        yield from _family("start_time_seconds", "gauge", "When it started.", {"": in_seconds(self._started)})
        yield from _family("healthy", "gauge", "Whether the last write was stored.", {"": int(healthy)})
        yield from _family("pending", "gauge", "Deliveries that wait to be stored.", {"": pending})
        yield from _family(
            "deliveries_total", "counter", "Deliveries stored, each once.", _by(self._deliveries, "source")
        )
        yield from _family("repeated_total", "counter", "Deliveries that arrived again.", _by(self._repeated, "source"))
        yield from _family("truncated_total", "counter", "Deliveries with alerts left out.", {"": self._truncated})
        yield from _family(
            "alerts_total",
            "counter",
            "Alerts in the deliveries stored.",
            {_labels(source=source, status=status): count for (source, status), count in self._alerts.items()},
        )
        yield from _family("refused_total", "counter", "Requests refused.", _by(self._refused, "reason"))
        yield from _family(
            "last_delivery_time_seconds",
            "gauge",
            "When the last delivery arrived.",
            {_labels(source=source): in_seconds(at) for source, at in self._last.items()},
        )
        with self._lock:
            commits, seconds = list(self._commits), self._commit_seconds
        name = f"{_PREFIX}_commit_seconds"
        yield f"# HELP {name} How long it takes to store deliveries that arrive together."
        yield f"# TYPE {name} histogram"
        total = 0
        for bound, count in zip((*map(str, _BOUNDS), "+Inf"), commits, strict=True):
            total += count
            yield f'{name}_bucket{{le="{bound}"}} {total}'
        yield f"{name}_sum {seconds}"
        yield f"{name}_count {total}"


def _family(name: str, kind: str, text: str, samples: Mapping[str, float]) -> Iterator[str]:
    yield f"# HELP {_PREFIX}_{name} {text}"
    yield f"# TYPE {_PREFIX}_{name} {kind}"
    for labels, value in samples.items():
        yield f"{_PREFIX}_{name}{labels} {value}"


def _by(counts: Mapping[str, int], label: str) -> dict[str, float]:
    return {_labels(**{label: name}): count for name, count in counts.items()}


def _labels(**labels: str) -> str:
    return "{" + ",".join(f'{name}="{value}"' for name, value in labels.items()) + "}"
