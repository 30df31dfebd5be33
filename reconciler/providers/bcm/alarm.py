"""Converts alarms of responses (page, appendix) to items, even if malformed: a missing or mistyped value is None."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.core.data_source import NOTIFICATIONS, Item
from reconciler.core.duration import SECOND
from reconciler.providers.response import integer, mapping, mappings, scalar_text

_IN_SECONDS = 100_000_000_000
"""A smaller time is in seconds: the page's list example has one, with milliseconds everywhere else."""


def to_item(alarm: Mapping[str, object]) -> Item:
    """One alarm under the documented names."""
    policy, resource = mapping(alarm.get("policy")), mapping(alarm.get("resource"))
    identifiers = mapping(resource.get("identifiers"))
    ends_at = instant(alarm.get("endTime"))
    return {
        "id": scalar_text(alarm.get("id")),
        "series_id": scalar_text(alarm.get("seriesId")),
        "user_id": scalar_text(alarm.get("userId")),
        "state": scalar_text(alarm.get("state")),
        "initial_state": scalar_text(alarm.get("initState")),
        "active": ends_at is None,
        "close_reason": scalar_text(alarm.get("closeReason")),
        "starts_at": instant(alarm.get("startTime")),
        "ends_at": ends_at,
        "level": scalar_text(policy.get("level")),
        "policy": scalar_text(policy.get("aliasName")) or scalar_text(policy.get("name")),
        "policy_id": scalar_text(policy.get("name")),
        "content": scalar_text(policy.get("contentEn")) or scalar_text(policy.get("content")),
        "policy_extra": dict(mapping(policy.get("extra"))),
        "scope": scalar_text(resource.get("scope")),
        "resource_type": scalar_text(resource.get("resourceType")),
        "region": scalar_text(resource.get("region")),
        "instance_id": _either(identifiers, "instanceid"),
        "identifiers": dict(identifiers),
        "properties": dict(mapping(resource.get("properties"))),
        NOTIFICATIONS: [_action(action) for action in mappings(alarm.get("actions"))],
        "metrics": [_metric(metric) for metric in mappings(alarm.get("alertMetrics"))],
    }


def instant(value: object) -> int | None:
    """Epoch milliseconds; None for 0 and for an invalid time."""
    found = integer(value)
    if not found or found < 0:
        return None
    return found * SECOND if found < _IN_SECONDS else found


def _action(action: Mapping[str, object]) -> dict[str, object]:
    sent_at = instant(action.get("executedTime"))
    return {
        "type": scalar_text(action.get("type")),
        "name": scalar_text(action.get("name")),
        "alias": scalar_text(action.get("alias")),
        "channels": _texts(action.get("notifications")),
        "callbacks": _texts(action.get("callBacks")),
        "members": _texts(action.get("members")),
        "sent_at": sent_at,
        "delivered": sent_at is not None,
    }


def _metric(found: Mapping[str, object]) -> dict[str, object]:
    metric, rule = mapping(found.get("metric")), mapping(found.get("rule"))
    operator = scalar_text(rule.get("operator"))
    if operator is not None and operator.startswith("OPERATOR_TYPE_"):
        operator = "OPER_TYPE_" + operator.removeprefix("OPERATOR_TYPE_")
    return {
        "metric": scalar_text(metric.get("name")),
        "alias": scalar_text(metric.get("aliasNameEn")) or scalar_text(metric.get("aliasName")),
        "value": metric.get("value"),
        "unit": scalar_text(metric.get("unit")),
        "dimensions": dict(mapping(metric.get("dimensions"))),
        "operator": operator,
        "threshold": rule.get("threshold"),
        "statistics": scalar_text(rule.get("statistics")),
        "window": integer(rule.get("window")),
        "seq": integer(rule.get("seq")),
    }


def _texts(value: object) -> list[str]:
    return [text for each in value if (text := scalar_text(each)) is not None] if isinstance(value, list) else []


def _either(identifiers: Mapping[str, object], name: str) -> str | None:
    """The value of a key, ignoring case."""
    return next((scalar_text(value) for key, value in identifiers.items() if key.lower() == name), None)
