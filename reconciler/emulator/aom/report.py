"""Reports: validates the events of a push or clear body by Table 5 of the push page, and counts events over time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b

from reconciler.emulator.settings import DAY, Settings
from reconciler.emulator.wire import dump, is_integer, parse

SEVERITIES = ("Critical", "Major", "Minor", "Info")
TYPES = ("event", "alarm")
MANDATORY = ("event_name", "event_severity", "event_type", "resource_provider", "resource_type", "resource_id")
MAX_KEYS = 30
MAX_VALUE = 2_048
MAX_TIMEOUT = 15 * DAY
LATEST = 10**18
"""The largest accepted time: unusual times are accepted (the page itself shows one of 14 digits), up to this one."""


@dataclass(frozen=True, slots=True)
class Report:
    """One validated event of a body; times are epoch milliseconds, ``timeout`` is milliseconds."""

    metadata: dict[str, str]
    starts_at: int | None
    ends_at: int
    timeout: int | None
    annotations: dict[str, object]
    attach_rule: dict[str, object]
    id: str | None

    @property
    def identity(self) -> bytes:
        """Equal for equal metadata, regardless of key order."""
        return identity_of(self.metadata)


def mandatory_identity(metadata: dict[str, str]) -> bytes:
    """Equal for equal mandatory metadata."""
    return identity_of({key: metadata[key] for key in MANDATORY})


def identity_of(metadata: dict[str, str]) -> bytes:
    return blake2b(dump(sorted(metadata.items())), digest_size=16).digest()


def read_reports(body: bytes, clearing: bool, settings: Settings) -> tuple[list[Report], list[str]]:
    """The valid events of a body, and what is wrong with the others.

    Raises ValueError if the body is not a list of events.
    """
    try:
        value = parse(body)
    except ValueError:
        raise ValueError("the body is not JSON") from None
    events = value.get("events") if isinstance(value, dict) else None
    if not isinstance(events, list):
        raise ValueError("'events' is missing or not a list")
    if not events:
        raise ValueError("'events' is empty")
    if settings.batch_limit is not None and len(events) > settings.batch_limit:
        raise ValueError(f"'events' has {len(events)} items, the limit is {settings.batch_limit}")
    good: list[Report] = []
    bad: list[str] = []
    for position, event in enumerate(events):
        try:
            good.append(_report(event, clearing, settings))
        except ValueError as error:
            bad.append(f"events[{position}]: {error}")
    return good, bad


def _report(event: object, clearing: bool, settings: Settings) -> Report:
    if not isinstance(event, dict):
        raise ValueError("not an object")
    starts_at = _time(event.get("starts_at"), "starts_at")
    if not clearing and starts_at is None and settings.missing_start == "reject":
        raise ValueError("starts_at is needed to report")
    ends_at = _time(event.get("ends_at"), "ends_at") or 0
    timeout = event.get("timeout")
    if timeout is not None and (not is_integer(timeout) or not 0 < timeout <= MAX_TIMEOUT) and not clearing:
        raise ValueError(f"timeout is a whole number of milliseconds, from 1 to {MAX_TIMEOUT} (15 days)")
    identifier = event.get("id")
    if identifier is not None and not isinstance(identifier, str):
        raise ValueError("id is text")
    if clearing and settings.clear_needs_id and not identifier:
        raise ValueError("id is needed to clear")
    return Report(
        metadata=_metadata(event.get("metadata")),
        starts_at=starts_at,
        ends_at=ends_at,
        timeout=None if clearing else timeout,
        annotations=_object(event.get("annotations"), "annotations"),
        attach_rule=_object(event.get("attach_rule"), "attach_rule"),
        id=identifier or None,
    )


def _time(value: object, name: str) -> int | None:
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= LATEST:
        raise ValueError(f"{name} is a time in milliseconds")
    return value


def _object(value: object, name: str) -> dict[str, object]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ValueError(f"{name} is an object")
    return value


def _metadata(value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        raise ValueError("metadata is invalid: it is an object of texts")
    for key in MANDATORY:
        if key not in value:
            raise ValueError(f"metadata is invalid: {key} is missing")
    if len(value) > MAX_KEYS:
        raise ValueError(f"metadata is invalid: {len(value)} keys, at most {MAX_KEYS}")
    for key, each in value.items():
        if not isinstance(each, str):
            raise ValueError(f"metadata is invalid: {key} is not text")
        if not 1 <= len(each) <= MAX_VALUE:
            raise ValueError(f"metadata is invalid: {key} has {len(each)} characters, 1 to {MAX_VALUE} are allowed")
    if value["event_severity"] not in SEVERITIES:
        raise ValueError(f"metadata is invalid: event_severity is one of {', '.join(SEVERITIES)}")
    if value["event_type"] not in TYPES:
        raise ValueError(f"metadata is invalid: event_type is one of {', '.join(TYPES)}")
    return value


def count_by_step(found: Iterable[tuple[str, int]], start: int, end: int, step: int) -> dict[str, object]:
    """Count (severity, time) pairs as ``{step, timestamps, series, summary}``; a timestamp is the start of its step."""
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
