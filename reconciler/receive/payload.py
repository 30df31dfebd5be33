"""Payloads: the alerts in a body, in whatever format.

Alertmanager's webhook (version 4) is read by its own keys. Its format is not guaranteed, and since 0.32 a payload can
be customized, so everything else is searched for marks: any JSON, JSON inside its strings, and text.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic_core import from_json

from reconciler.core.duration import parse_instant
from reconciler.core.observed import ADDRESS, DIGEST, KEY, RUN, STACK
from reconciler.receive.store import DeliveredAlert

MAX_DEPTH = 32
MAX_TEXT = 1024
"""Longer marks, names and labels are truncated."""
MAX_SEARCHED = 10_000
"""The maximum number of alerts taken from a body that is searched."""

_MARKS = (STACK, ADDRESS, KEY, RUN, DIGEST)
_STATUSES = frozenset({"firing", "resolved"})
_KEYED = r"[A-Za-z_]\w{0,63}\.[A-Za-z_][\w-]{0,255}(?:\[\\{0,8}\".{0,512}?\"\])?"
_GAP = r"[\"'\\]*\s*[:=]\s*[\"'\\]*"
_IN_TEXT = re.compile(rf"({ADDRESS}){_GAP}({_KEYED})|({STACK}|{KEY}|{RUN}|{DIGEST}){_GAP}([\w-]+)")
_STATUS_IN_TEXT = re.compile(r"\b(firing|resolved)\b", re.IGNORECASE)


class PayloadError(ValueError):
    """A body that is nested too deeply."""


@dataclass(frozen=True, slots=True)
class Payload:
    """The content of a body."""

    alerts: tuple[DeliveredAlert, ...] = ()
    receiver: str | None = None
    status: str | None = None
    group_key: str | None = None
    truncated: int = 0


def read_payload(body: bytes, max_depth: int = MAX_DEPTH) -> Payload:
    """Read a body. Raises PayloadError if it is nested more than ``max_depth`` levels deep."""
    try:
        value = parse_json(body, max_depth)
    except PayloadError:
        raise
    except ValueError:
        return Payload(tuple(map(_alert, _in_text(body.decode("utf-8", "replace")))))
    if isinstance(value, dict) and _is_webhook(value):
        return _webhook(value)
    return Payload(tuple(map(_alert, _without_repeats(_search(value, None, max_depth)))))


def parse_json(body: bytes | str, max_depth: int = MAX_DEPTH) -> object:
    """The JSON value of a body. Raises PayloadError if it is nested too deeply, ValueError if it is invalid."""
    try:
        value: object = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        if "recursion limit" in str(error):
            raise PayloadError(f"the body is nested more than {max_depth} levels deep") from None
        raise
    level = [value]
    for _ in range(max_depth):
        level = [
            each
            for node in level
            if isinstance(node, dict | list)
            for each in (node.values() if isinstance(node, dict) else node)
            if isinstance(each, dict | list)
        ]
        if not level:
            return value
    raise PayloadError(f"the body is nested more than {max_depth} levels deep")


def _is_webhook(value: Mapping[str, object]) -> bool:
    alerts = value.get("alerts")
    return isinstance(alerts, list) and all(
        isinstance(alert, dict) and isinstance(alert.get("labels"), dict) for alert in alerts
    )


def _webhook(value: Mapping[str, object]) -> Payload:
    """Alertmanager's webhook payload, version 4."""
    alerts = value["alerts"]
    assert isinstance(alerts, list)  # noqa: S101 - narrows a type
    receiver, truncated = _text(value.get("receiver")), value.get("truncatedAlerts")
    return Payload(
        tuple(_webhook_alert(alert) for alert in alerts),
        # The name is quoted for a regular expression.
        receiver if receiver is None else re.sub(r"\\([^\w\s])", r"\1", receiver),
        _status(value.get("status")),
        _text(value.get("groupKey")),
        truncated if isinstance(truncated, int) and 0 < truncated < 2**31 else 0,
    )


def _webhook_alert(alert: dict[str, object]) -> DeliveredAlert:
    labels, annotations = alert["labels"], alert.get("annotations")
    assert isinstance(labels, dict)  # noqa: S101 - narrows a type
    found: dict[str, object] = {**annotations, **labels} if isinstance(annotations, dict) else labels
    marks = {name: _text(found.get(name)) for name in _MARKS}
    if marks[KEY] is None:
        for group in _search(alert, None, MAX_DEPTH):
            marks = {name: marks[name] or group.get(name) for name in _MARKS}
    ends_at = _instant(alert.get("endsAt"))
    status = _status(alert.get("status"))
    return DeliveredAlert(
        status=status,
        name=_text(labels.get("alertname")),
        fingerprint=_text(alert.get("fingerprint")),
        starts_at=_instant(alert.get("startsAt")),
        ends_at=None if status == "firing" else ends_at,
        stack=marks[STACK],
        address=marks[ADDRESS],
        key=marks[KEY],
        run=marks[RUN],
        digest=marks[DIGEST],
    )


GroupPayload = dict[str, str]
"""Marks, ``status`` and ``fingerprint`` that belong to one alert."""


def _search(value: object, status: str | None, depth: int) -> list[GroupPayload]:
    """The alerts in a value: the marks of an object and of its nested objects are one alert's unless they conflict."""
    if depth < 0:
        return []
    if isinstance(value, str):
        return [group if status is None else {"status": status, **group} for group in _in_string(value, depth)]
    if isinstance(value, list):
        return [group for each in value for group in _search(each, status, depth - 1)]
    if not isinstance(value, dict):
        return []
    status = _object_status(value) or status
    own: GroupPayload = {name: text for name in _MARKS if (text := _text(value.get(name)))}
    if fingerprint := _text(value.get("fingerprint")):
        own["fingerprint"] = fingerprint
    apart: list[GroupPayload] = []
    for name, child in value.items():
        if name in _MARKS:
            continue
        groups = _search(child, status, depth - 1)
        if len(groups) == 1 and not isinstance(child, list) and _agree(own, groups[0]):
            own = {**groups[0], **own}
        else:
            apart += groups
    if own.keys() - {"status"}:
        apart.append(own if status is None else {"status": status, **own})
    return apart


def _in_string(text: str, depth: int) -> list[GroupPayload]:
    if text[:1] in ("{", "[") and "reconciler_" in text:
        try:
            return _search(parse_json(text, depth), None, depth - 1)
        except ValueError:
            pass
    return _in_text(text)


def _in_text(text: str) -> list[GroupPayload]:
    """Marks written like ``reconciler_key=KEY``, ``reconciler_key: "KEY"``; a repeated mark starts a new alert."""
    if "reconciler_" not in text:
        return []
    groups: list[GroupPayload] = [{}]
    for match in _IN_TEXT.finditer(html.unescape(text) if "&" in text else text):
        name, value = (match[1], _unescaped(match[2])) if match[1] else (match[3], match[4])
        if groups[-1].get(name, value) != value:
            groups.append({})
        groups[-1][name] = value[:MAX_TEXT]
    statuses = {match.lower() for match in _STATUS_IN_TEXT.findall(text)}
    if len(statuses) == 1:
        groups = [group | {"status": min(statuses)} for group in groups if group]
    return [group for group in groups if group]


def _unescaped(address: str) -> str:
    """An address without the escapes of nested JSON strings."""
    while "[\\" in address:
        try:
            address = str(from_json(f'"{address}"'))
        except ValueError:
            break
    return address


def _agree(one: GroupPayload, other: GroupPayload) -> bool:
    return all(one.get(name, value) == value for name, value in other.items())


def _without_repeats(groups: list[GroupPayload]) -> list[GroupPayload]:
    """The groups with information: marks common to several alerts are often repeated beside them."""
    distinct = list({frozenset(group.items()): group for group in groups[:MAX_SEARCHED]}.values())
    keyed = [group for group in distinct if KEY in group]
    return [
        group for group in distinct if KEY in group or not any(group.items() <= other.items() for other in keyed[:100])
    ]


def _alert(group: GroupPayload) -> DeliveredAlert:
    return DeliveredAlert(
        status=group.get("status"),
        fingerprint=group.get("fingerprint"),
        stack=group.get(STACK),
        address=group.get(ADDRESS),
        key=group.get(KEY),
        run=group.get(RUN),
        digest=group.get(DIGEST),
    )


def _object_status(value: Mapping[str, object]) -> str | None:
    """The status of an object: its ``status``, or whether an AOM event has an end."""
    ends_at = value.get("ends_at")
    if isinstance(ends_at, int) and "metadata" in value:
        return "resolved" if ends_at > 0 else "firing"
    return _status(value.get("status"))


def _status(value: object) -> str | None:
    return value.lower() if isinstance(value, str) and value.lower() in _STATUSES else None


def _text(value: object) -> str | None:
    return value[:MAX_TEXT] if isinstance(value, str) and value else None


def _instant(value: object) -> int | None:
    """Epoch milliseconds of an RFC 3339 text with up to 9 fractional digits; None if invalid, and for Go's zero
    time.
    """
    try:
        instant = parse_instant(value)
    except (ValueError, OverflowError):
        return None
    return instant if 0 < instant < 2**53 else None
