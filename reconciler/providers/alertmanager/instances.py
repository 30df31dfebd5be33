"""Instances: what several instances of a cluster show of the same alert, as one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from reconciler.core.marks import KEY
from reconciler.core.observed import Observed
from reconciler.providers.alertmanager.wire import Alert, annotations_of, observed, read_instant
from reconciler.providers.decode import text


def as_one(
    shown: Mapping[str, Sequence[Alert]], instances: Sequence[str], quorum: int, provider: str, stack: str, kind: str
) -> Iterator[Observed]:
    """The stack's alerts, each once; ``shown`` holds what each instance answered, by its name.

    It is known by its labels, and has begun when it began first. It is as most instances show it, of several the one
    posted last; where these are fewer than the quorum, the others are named.
    """
    by_labels: dict[str, dict[str, Alert]] = {}
    for name, alerts in shown.items():
        for alert in alerts:
            by_labels.setdefault(text(alert.get("fingerprint")), {})[name] = alert
    for places in by_labels.values():
        keys = {name: annotations_of(alert).get(KEY, "") for name, alert in places.items()}
        count = Counter(keys.values())
        best = max(places, key=lambda name: (count[keys[name]], read_instant(places[name].get("updatedAt")) or 0))
        begun = min((alert.get("startsAt") for alert in places.values()), key=lambda start: read_instant(start) or 0)
        found = observed({**places[best], "startsAt": begun}, provider, stack, kind)
        if found is None:
            continue
        if count[keys[best]] < quorum:
            found = found._replace(missing_at=tuple(name for name in instances if keys.get(name) != keys[best]))
        yield found
