"""Converts instants and alerts of Alertmanager (API v2, ``gettableAlert``) to observed values and back."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from typing import Any

from reconciler.core.address import Address
from reconciler.core.duration import SECOND, as_datetime, parse_instant
from reconciler.core.observed import ADDRESS, DIGEST, FORGET, KEY, ON_REMOVE, PREFIX, RUN, STACK, Marks, Observed, State
from reconciler.core.operation import Operation
from reconciler.providers.http import Response
from reconciler.providers.response import integer, text

log = logging.getLogger(__name__)

TIMEOUT = "reconciler_timeout"
"""The annotation with the declared timeout (ms): the server keeps only the instant at which the alert ends."""

FIXED_START = "reconciler_starts_at"
"""The annotation with a declared start (epoch ms)."""

Alert = Mapping[str, object]


def wire_instant(milliseconds: int) -> str:
    """RFC 3339 in UTC in milliseconds, the precision of the server's responses."""
    return f"{as_datetime(milliseconds):%Y-%m-%dT%H:%M:%S}.{milliseconds % SECOND:03d}Z"


def read_instant(value: object) -> int | None:
    """Epoch milliseconds of a time in a response, with any offset; None if it is invalid."""
    try:
        return parse_instant(value) if isinstance(value, str) else None
    except (ValueError, OverflowError):
        return None


def parse_list(response: Response, what: str) -> Iterator[Alert]:
    """The items of a list response. Raises ServiceError if it is not a list of objects."""
    found = response.json()
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise response.unreadable(f"the response is not a list of {what}")
    yield from found


def labels_of(alert: Alert) -> dict[str, str]:
    """The labels, with every value as text."""
    labels = alert.get("labels")
    return {name: text(value) for name, value in labels.items()} if isinstance(labels, dict) else {}


def annotations_of(alert: Alert) -> dict[str, str]:
    """The annotations, with every value as text."""
    annotations = alert.get("annotations")
    return {name: text(value) for name, value in annotations.items()} if isinstance(annotations, dict) else {}


def owner_of(alert: Alert) -> Mapping[str, str]:
    """Where the marks of stack and address are, if it has any: its labels, or its annotations."""
    labels = labels_of(alert)
    return labels if STACK in labels else annotations_of(alert)


def pushed_item(payload: str) -> Mapping[str, Any]:
    """The item that a payload pushes or clears; of two, the second (``push_anew``)."""
    item: Mapping[str, Any] | list[Mapping[str, Any]] = json.loads(payload)
    return item[-1] if isinstance(item, list) else item


def alert_id(alert: Alert) -> str:
    """The id of one firing of an alert: its fingerprint (a hash of the labels) and its start."""
    return f"{alert.get('fingerprint')}@{read_instant(alert.get('startsAt')) or 0}"


def observed(alert: Alert, provider: str, stack: str, kind: str) -> Observed | None:
    """The alert as an observed value; None if it is not this stack's, or is malformed (then logged)."""
    annotations = annotations_of(alert)
    owner = owner_of(alert)
    if owner.get(STACK) != stack:
        return None
    try:
        address = Address.parse(owner.get(ADDRESS, ""))
    except ValueError:
        log.warning("alert %s carries the mark of stack %s but no address: left alone", alert.get("fingerprint"), stack)
        return None
    if address.type != kind:
        log.warning("%s: alert %s is marked with the address of something else: left alone", address, alert_id(alert))
        return None
    digest, key, run = (annotations.get(name, "") for name in (DIGEST, KEY, RUN))
    marks = Marks(stack, address, digest, key, run, forget=annotations.get(ON_REMOVE) == FORGET)
    return as_observed(alert, provider, marks)


def as_observed(alert: Alert, provider: str, marks: Marks) -> Observed:
    """The alert in the shape of a desired one, independent of its owner."""
    annotations = annotations_of(alert)
    attributes: dict[str, object] = {
        "annotations": {name: value for name, value in annotations.items() if not name.startswith(PREFIX)}
    }
    timeout = integer(annotations.get(TIMEOUT))
    if timeout is not None:
        attributes["timeout"] = timeout
    if marks.stack and STACK not in labels_of(alert):
        attributes["marks"] = "annotations"
    if generator := alert.get("generatorURL"):
        attributes["generator_url"] = text(generator)
    if (begins := integer(annotations.get(FIXED_START))) is not None:
        attributes["starts_at"] = begins
    identity = {name: value for name, value in labels_of(alert).items() if not name.startswith(PREFIX)}
    return Observed(
        provider,
        alert_id(alert),
        marks,
        State.ACTIVE,
        identity,
        attributes,
        read_instant(alert.get("startsAt")) or 0,
        read_instant(alert.get("endsAt")),
        suppressed_by=_suppressed_by(alert.get("status")),
    )


def end_of(payload: str) -> int:
    """The planned end of what was pushed, epoch milliseconds."""
    return read_instant(pushed_item(payload)["endsAt"]) or 0


def ended_push(operation: Operation, state: State, ended_at: int | None) -> Observed:
    """A push that is not shown any more, and how it ended."""
    item = pushed_item(operation.payload)
    told = {**item.get("annotations", {}), **item.get("labels", {})}
    marks = Marks(told[STACK], operation.address, told[DIGEST], told[KEY], told[RUN])
    starts_at = read_instant(item["startsAt"]) or 0
    return Observed(operation.provider, "", marks, state, {}, {}, starts_at, end_of(operation.payload), ended_at)


def _suppressed_by(status: object) -> tuple[str, ...] | None:
    """What suppresses the notification of an alert, from its ``status``."""
    if not isinstance(status, dict):
        return None
    words = (("silencedBy", "silenced"), ("inhibitedBy", "inhibited"), ("mutedBy", "muted"))
    found = ((word, status.get(name)) for name, word in words)
    return tuple(f"{word} by {text(id)}" for word, ids in found if isinstance(ids, list) for id in ids)
