"""Parsing: converts an event of a query's response (query page, table 8) to an observed value or an item, even if
malformed.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from reconciler.core.address import Address
from reconciler.core.duration import MINUTE, SECOND, format_duration
from reconciler.core.observed import (
    ADDRESS,
    DIGEST,
    FORGET,
    KEY,
    OCCURRENCE,
    ON_REMOVE,
    PREFIX,
    RUN,
    STACK,
    Marks,
    Observed,
    State,
    UnmanagedAlarm,
    unmanaged_marks,
)
from reconciler.core.text import sanitize
from reconciler.providers.aom.resource_types import ALARM, EVENT, FIXED_START, MANDATORY, MAX_VALUE
from reconciler.providers.http import Response
from reconciler.providers.response import integer, mapping, mappings, scalar_text, text

if TYPE_CHECKING:
    from reconciler.core.data_source import Item

_CHANNEL = "smn_subscription_type"
_NAMED = ("event_name", "event_severity", "event_type", "resource_provider", "resource_type", "resource_id")


def to_item(event: Mapping[str, object], *, alarm: bool) -> Item:
    """One alarm or event (query page, table 8) under the documented names."""
    metadata = mapping(event.get("metadata"))
    found: dict[str, object] = {
        "id": scalar_text(event.get("id")),
        "event_sn": scalar_text(event.get("event_sn")),
        **{name: scalar_text(metadata.get(name)) for name in _NAMED},
        "metadata": {key: value if isinstance(value, str) else text(value) for key, value in metadata.items()},
        "annotations": dict(mapping(event.get("annotations"))),
        "attach_rule": dict(mapping(event.get("attach_rule"))),
        "enterprise_project_id": scalar_text(event.get("enterprise_project_id")),
        "starts_at": integer(event.get("starts_at")),
        "arrives_at": integer(event.get("arrives_at")),
    }
    if alarm:
        ends_at = integer(event.get("ends_at")) or None
        found |= {"active": ends_at is None, "ends_at": ends_at, "timeout": integer(event.get("timeout"))}
    return found


def statistics(answer: Response) -> list[Item]:
    """One item per severity. Raises ServiceError if the response is not a statistic."""
    value = answer.json()
    if not isinstance(value, dict) or not isinstance(value.get("series"), list):
        raise answer.unreadable("the answer is not a statistic: it has no series")
    summary = mapping(value.get("summary"))
    timestamps = value.get("timestamps")
    found: list[Item] = []
    for each in map(mapping, value["series"]):
        values = each.get("values")
        severity = scalar_text(each.get("event_severity"))
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
    """The notifications of one alarm, from ``alarm-notified-histories``. Raises ServiceError if the response is
    invalid.
    """
    value = answer.json()
    histories = value.get("notified_histories") if isinstance(value, dict) else None
    if not isinstance(histories, list):
        raise answer.unreadable("the answer is not a notification history")
    mine = [each for each in mappings(histories) if scalar_text(each.get("event_sn")) in (None, event_sn)]
    return [_notification(sent) for history in mine for sent in mappings(history.get("notifications"))]


def _notification(sent: Mapping[str, object]) -> Mapping[str, object]:
    smn = mapping(sent.get("smn_channel"))
    code = integer(smn.get("smn_response_code"))
    return {
        "type": None,
        "rule": scalar_text(sent.get("action_rule")),
        "channel": scalar_text(sent.get("notifier_channel")),
        "channels": [
            kind for each in mappings(smn.get("smn_notified_history")) if (kind := scalar_text(each.get(_CHANNEL)))
        ],
        "topic": scalar_text(smn.get("smn_topic")),
        "code": code,
        "members": [],
        "sent_at": integer(smn.get("sent_time")) or None,
        "delivered": code is not None and 200 <= code < 300,
    }


log = logging.getLogger(__name__)

_CLOCK_SLACK = SECOND
_LATE = MINUTE
"""How far (ms) from its due instant the service may clear an alarm for it to count as expired."""


def owner_of(event: Mapping[str, object]) -> str | None:
    """The stack in the event's marks."""
    metadata = event.get("metadata")
    owner = metadata.get(STACK) if isinstance(metadata, dict) else None
    return owner if isinstance(owner, str) else None


def observed(event: Mapping[str, object], provider: str, stack: str) -> Observed | None:
    """The event as an observed value; None if it is not this stack's, or is malformed (then logged)."""
    metadata = event.get("metadata")
    if not isinstance(metadata, dict) or metadata.get(STACK) != stack:
        return None
    written = metadata.get(ADDRESS)
    key = event.get("id")
    try:
        address = Address.parse(text(written))
        if len(str(address)) > MAX_VALUE:
            raise ValueError
    except ValueError:
        log.warning(
            "event %s has the mark of stack %s, but a damaged or forged address (%s): ignored",
            _short(key),
            stack,
            _short(written),
        )
        return None
    kind = metadata.get("event_type")
    if kind not in (ALARM.event_type, EVENT.event_type):
        log.warning("%s: event %s is neither an alarm nor an event (%s): ignored", address, _short(key), _short(kind))
        return None
    if address.type != (ALARM.name if kind == ALARM.event_type else EVENT.name):
        log.warning(
            "%s: event %s is of another type (%s) than its forged or damaged address: ignored",
            address,
            _short(key),
            _short(kind),
        )
        return None
    if key in (None, "") and kind == ALARM.event_type:
        log.warning("%s: an alarm without an id cannot be cleared: ignored", address)
        return None
    annotations = event.get("annotations")
    if not isinstance(annotations, dict):
        annotations = {}
    occurrence = metadata.get(OCCURRENCE)
    marks = Marks(
        stack,
        address,
        text(annotations.get(DIGEST, "")),
        text(annotations.get(KEY, "")),
        text(annotations.get(RUN, "")),
        None if occurrence is None else text(occurrence),
        annotations.get(ON_REMOVE) == FORGET,
    )
    rule = event.get("attach_rule")
    attributes: dict[str, object] = {
        "annotations": {name: value for name, value in annotations.items() if not name.startswith(PREFIX)},
        "attach_rule": rule if isinstance(rule, dict) else {},
    }
    if FIXED_START in annotations:
        attributes["starts_at"] = annotations[FIXED_START]
    identity = {
        name: value if isinstance(value, str) else text(value)
        for name, value in metadata.items()
        if not name.startswith(PREFIX)
    }
    starts_at = integer(event.get("starts_at")) or 0
    name = "" if key is None else text(key)
    if kind == EVENT.event_type:
        return Observed(provider, name, marks, State.RECORDED, identity, attributes, starts_at)
    timeout = integer(event.get("timeout"))
    if timeout is not None:
        attributes["timeout"] = timeout
    due = _due(starts_at, integer(event.get("arrives_at")), timeout)
    ended_at = integer(event.get("ends_at")) or None
    return Observed(
        provider,
        name,
        marks,
        _state(ended_at, due),
        identity,
        attributes,
        starts_at,
        due[0] if due else None,
        ended_at,
    )


def _short(value: object) -> str:
    """A value from the service as one short line for a log."""
    return sanitize(text(value), 80)


def _due(starts_at: int, arrives_at: int | None, timeout: int | None) -> tuple[int, int] | None:
    """The earliest and the latest instant at which the service may clear it.

    The timeout counts from its start or from its arrival; no page says which.
    """
    if not timeout or timeout < 0:
        return None
    known = [instant for instant in (starts_at, arrives_at) if instant]
    return (min(known) + timeout, max(known) + timeout) if known else None


def _state(ended_at: int | None, due: tuple[int, int] | None) -> State:
    if ended_at is None:
        return State.ACTIVE
    if due is not None and (due[0] - _CLOCK_SLACK <= ended_at <= due[0] + _LATE or ended_at >= due[1] - _CLOCK_SLACK):
        return State.EXPIRED
    return State.CLEARED


def active(event: Mapping[str, object], provider: str) -> Observed | None:
    """An event of a response as an active unmanaged alarm; None if it is anything else."""
    found = unmanaged_alarm(to_item(event, alarm=True), provider)
    return None if found is None else found.observed


def unmanaged_alarm(alarm: Item, provider: str) -> UnmanagedAlarm | None:
    """An item of ``aom_alarms`` as an unmanaged alarm; None if a stack owns it, if it has ended or has no id."""
    metadata, annotations, rule = alarm["metadata"], alarm["annotations"], alarm["attach_rule"]
    assert isinstance(metadata, dict) and isinstance(annotations, dict) and isinstance(rule, dict)  # noqa: S101 - narrows a type
    id_, starts_at, timeout = alarm["id"], alarm["starts_at"], alarm["timeout"]
    if STACK in metadata or not alarm["active"] or not isinstance(id_, str) or not id_:
        return None
    fields: dict[str, object] = {key: metadata[key] for key in MANDATORY if key != "event_type" and key in metadata}
    fields["metadata"] = {key: value for key, value in metadata.items() if key not in MANDATORY}
    fields["annotations"] = annotations
    fields["attach_rule"] = rule
    attributes: dict[str, object] = {"annotations": annotations, "attach_rule": rule}
    if isinstance(timeout, int):
        fields["timeout"] = format_duration(timeout)
        attributes["timeout"] = timeout
    address = Address(ALARM.name, _name(str(metadata.get("event_name", ""))))
    begins = starts_at if isinstance(starts_at, int) else 0
    seen = Observed(provider, id_, unmanaged_marks(address), State.ACTIVE, metadata, attributes, begins)
    return UnmanagedAlarm({key: value for key, value in fields.items() if value not in ({}, None)}, seen)


def _name(text: str) -> str:
    """A resource name derived from an alarm's name."""
    made = re.sub(r"[^A-Za-z0-9_-]+", "_", text).strip("_-")[:60]
    return made if re.match(r"[A-Za-z_]", made) else f"alarm_{made}".rstrip("_")
