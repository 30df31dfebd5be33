"""Alarms of the answers (page, appendix) as items, however odd their data: what is missing or no such type is None."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from reconciler.core.data_source import NOTIFICATIONS, Item
from reconciler.core.duration import SECOND
from reconciler.providers.response import integer

_IN_SECONDS = 100_000_000_000
"""A time below this is in seconds: the page's list example gives one so, beside milliseconds everywhere else."""


def to_item(alarm: Mapping[str, object]) -> Item:
    """One alarm under the documented names."""
    policy, resource = _map(alarm.get("policy")), _map(alarm.get("resource"))
    identifiers = _map(resource.get("identifiers"))
    ends_at = instant(alarm.get("endTime"))
    return {
        "id": _text(alarm.get("id")),
        "series_id": _text(alarm.get("seriesId")),
        "user_id": _text(alarm.get("userId")),
        "state": _text(alarm.get("state")),
        "initial_state": _text(alarm.get("initState")),
        "active": ends_at is None,
        "close_reason": _text(alarm.get("closeReason")),
        "starts_at": instant(alarm.get("startTime")),
        "ends_at": ends_at,
        "level": _text(policy.get("level")),
        "policy": _text(policy.get("aliasName")) or _text(policy.get("name")),
        "policy_id": _text(policy.get("name")),
        "content": _text(policy.get("contentEn")) or _text(policy.get("content")),
        "policy_extra": dict(_map(policy.get("extra"))),
        "scope": _text(resource.get("scope")),
        "resource_type": _text(resource.get("resourceType")),
        "region": _text(resource.get("region")),
        "instance_id": _either(identifiers, "instanceid"),
        "identifiers": dict(identifiers),
        "properties": dict(_map(resource.get("properties"))),
        NOTIFICATIONS: [_action(action) for action in _maps(alarm.get("actions"))],
        "metrics": [_metric(metric) for metric in _maps(alarm.get("alertMetrics"))],
    }


def instant(value: object) -> int | None:
    """Epoch milliseconds; None for 0 and for what is no time."""
    found = integer(value)
    if not found or found < 0:
        return None
    return found * SECOND if found < _IN_SECONDS else found


def _action(action: Mapping[str, object]) -> dict[str, object]:
    sent_at = instant(action.get("executedTime"))
    return {
        "type": _text(action.get("type")),
        "name": _text(action.get("name")),
        "alias": _text(action.get("alias")),
        "channels": _texts(action.get("notifications")),
        "callbacks": _texts(action.get("callBacks")),
        "members": _texts(action.get("members")),
        "sent_at": sent_at,
        "delivered": sent_at is not None,
    }


def _metric(found: Mapping[str, object]) -> dict[str, object]:
    metric, rule = _map(found.get("metric")), _map(found.get("rule"))
    operator = _text(rule.get("operator"))
    if operator is not None and operator.startswith("OPERATOR_TYPE_"):
        operator = "OPER_TYPE_" + operator.removeprefix("OPERATOR_TYPE_")
    return {
        "metric": _text(metric.get("name")),
        "alias": _text(metric.get("aliasNameEn")) or _text(metric.get("aliasName")),
        "value": metric.get("value"),
        "unit": _text(metric.get("unit")),
        "dimensions": dict(_map(metric.get("dimensions"))),
        "operator": operator,
        "threshold": rule.get("threshold"),
        "statistics": _text(rule.get("statistics")),
        "window": integer(rule.get("window")),
        "seq": integer(rule.get("seq")),
    }


def _map(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _maps(value: object) -> Iterator[Mapping[str, object]]:
    return (each for each in value if isinstance(each, dict)) if isinstance(value, list) else iter(())


def _text(value: object) -> str | None:
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def _texts(value: object) -> list[str]:
    return [text for each in value if (text := _text(each)) is not None] if isinstance(value, list) else []


def _either(identifiers: Mapping[str, object], name: str) -> str | None:
    """The value of a key, however its letters are cased."""
    return next((_text(value) for key, value in identifiers.items() if key.lower() == name), None)
