"""Items: what the instances answered to a query, as data sources hand it out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from reconciler.core.data_source import Item
from reconciler.providers.alertmanager.fields import ALERT_NAME
from reconciler.providers.alertmanager.wire import annotations_of, labels_of, read_instant
from reconciler.providers.decode import text

Answered = Mapping[str, object]


def alert_items(answers: Mapping[str, Sequence[Answered]]) -> Iterator[Item]:
    """Each alert once, with the instances that show it."""
    places: dict[str, list[str]] = {}
    first: dict[str, Answered] = {}
    for instance, alerts in answers.items():
        for alert in alerts:
            key = text(alert.get("fingerprint"))
            first.setdefault(key, alert)
            places.setdefault(key, []).append(instance)
    for key, alert in first.items():
        labels, status = labels_of(alert), _mapping(alert.get("status"))
        yield {
            "id": key,
            "alertname": labels.get(ALERT_NAME),
            "severity": labels.get("severity"),
            "labels": labels,
            "annotations": annotations_of(alert),
            "generator_url": alert.get("generatorURL") or None,
            "starts_at": read_instant(alert.get("startsAt")),
            "ends_at": read_instant(alert.get("endsAt")),
            "updated_at": read_instant(alert.get("updatedAt")),
            "state": status.get("state"),
            "silenced_by": _texts(status.get("silencedBy")),
            "inhibited_by": _texts(status.get("inhibitedBy")),
            "receivers": [text(each.get("name")) for each in _mappings(alert.get("receivers"))],
            "instances": places[key],
        }


def silence_items(answers: Mapping[str, Sequence[Answered]]) -> Iterator[Item]:
    """Each silence once: the instances share them."""
    seen: dict[str, Answered] = {}
    for silences in answers.values():
        for silence in silences:
            key = text(silence.get("id"))
            if key not in seen or _updated(seen[key]) < _updated(silence):
                seen[key] = silence
    for key, silence in seen.items():
        yield {
            "id": key,
            "state": _mapping(silence.get("status")).get("state"),
            "matchers": [_matcher(each) for each in _mappings(silence.get("matchers"))],
            "starts_at": read_instant(silence.get("startsAt")),
            "ends_at": read_instant(silence.get("endsAt")),
            "updated_at": read_instant(silence.get("updatedAt")),
            "created_by": silence.get("createdBy"),
            "comment": silence.get("comment"),
        }


def status_item(instance: str, answer: Answered) -> Item:
    """The state of one instance."""
    cluster = _mapping(answer.get("cluster"))
    return {
        "id": instance,
        "version": _mapping(answer.get("versionInfo")).get("version"),
        "cluster": cluster.get("status"),
        "peers": len(_mappings(cluster.get("peers"))),
        "started_at": read_instant(answer.get("uptime")),
    }


def _updated(answered: Answered) -> int:
    return read_instant(answered.get("updatedAt")) or 0


def _matcher(matcher: Answered) -> str:
    equal, regex = matcher.get("isEqual", True) is not False, matcher.get("isRegex") is True
    sign = {(True, False): "=", (False, False): "!=", (True, True): "=~", (False, True): "!~"}[equal, regex]
    value = text(matcher.get("value")).replace("\\", "\\\\").replace('"', '\\"')
    return f'{text(matcher.get("name"))}{sign}"{value}"'


def _mapping(value: object) -> Answered:
    return value if isinstance(value, dict) else {}


def _mappings(value: object) -> list[Answered]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _texts(value: object) -> list[str]:
    return [text(each) for each in value] if isinstance(value, list) else []
