"""Events and statistics of the answers as items of a data source; what is missing or no such type is None."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from reconciler.core.data_source import Item
from reconciler.providers.decode import integer, text
from reconciler.providers.http import Response

_CHANNEL = "smn_subscription_type"
_NAMED = ("event_name", "event_severity", "event_type", "resource_provider", "resource_type", "resource_id")


def to_item(event: Mapping[str, object], *, alarm: bool) -> Item:
    """One alarm or event (query page, table 8) under the documented names."""
    metadata = _map(event.get("metadata"))
    found: dict[str, object] = {
        "id": _text(event.get("id")),
        "event_sn": _text(event.get("event_sn")),
        **{name: _text(metadata.get(name)) for name in _NAMED},
        "metadata": {key: value if isinstance(value, str) else text(value) for key, value in metadata.items()},
        "annotations": dict(_map(event.get("annotations"))),
        "attach_rule": dict(_map(event.get("attach_rule"))),
        "enterprise_project_id": _text(event.get("enterprise_project_id")),
        "starts_at": integer(event.get("starts_at")),
        "arrives_at": integer(event.get("arrives_at")),
    }
    if alarm:
        ends_at = integer(event.get("ends_at")) or None
        found |= {"active": ends_at is None, "ends_at": ends_at, "timeout": integer(event.get("timeout"))}
    return found


def statistics(answer: Response) -> list[Item]:
    """One item per severity; ServiceError where the answer is no statistic."""
    value = answer.json()
    if not isinstance(value, dict) or not isinstance(value.get("series"), list):
        raise answer.unreadable("the answer is not a statistic: it has no series")
    summary = _map(value.get("summary"))
    timestamps = value.get("timestamps")
    found: list[Item] = []
    for each in map(_map, value["series"]):
        values = each.get("values")
        severity = _text(each.get("event_severity"))
        counts = [integer(count) for count in values] if isinstance(values, list) else None
        told = integer(summary.get(severity)) if severity is not None else None
        if severity is None or (told is None and (counts is None or None in counts)):
            raise answer.unreadable("the answer is not a statistic: a series lacks its severity or its numbers")
        total = told if told is not None else sum(count or 0 for count in counts or ())
        found.append(
            {
                "event_severity": severity,
                "total": total,
                "values": counts,
                "timestamps": timestamps if isinstance(timestamps, list) else None,
                "step": integer(value.get("step")),
            }
        )
    return found


def notifications(answer: Response, event_sn: str) -> list[Mapping[str, object]]:
    """What was sent about one alarm, from ``alarm-notified-histories``; ServiceError where the answer is none."""
    value = answer.json()
    histories = value.get("notified_histories") if isinstance(value, dict) else None
    if not isinstance(histories, list):
        raise answer.unreadable("the answer is not a notification history")
    mine = [each for each in _maps(histories) if _text(each.get("event_sn")) in (None, event_sn)]
    return [_notification(sent) for history in mine for sent in _maps(history.get("notifications"))]


def _notification(sent: Mapping[str, object]) -> Mapping[str, object]:
    smn = _map(sent.get("smn_channel"))
    code = integer(smn.get("smn_response_code"))
    return {
        "type": None,
        "rule": _text(sent.get("action_rule")),
        "channel": _text(sent.get("notifier_channel")),
        "channels": [kind for each in _maps(smn.get("smn_notified_history")) if (kind := _text(each.get(_CHANNEL)))],
        "topic": _text(smn.get("smn_topic")),
        "code": code,
        "members": [],
        "sent_at": integer(smn.get("sent_time")) or None,
        "delivered": code is not None and 200 <= code < 300,
    }


def _map(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _maps(value: object) -> Iterator[Mapping[str, object]]:
    return (each for each in value if isinstance(each, dict)) if isinstance(value, list) else iter(())


def _text(value: object) -> str | None:
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None
