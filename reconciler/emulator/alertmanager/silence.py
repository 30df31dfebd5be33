"""Silences: what is posted, and the states of one that is stored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from reconciler.emulator.alertmanager.alert import SchemaError, read_json
from reconciler.emulator.alertmanager.instant import Instant, parse_instant
from reconciler.emulator.alertmanager.labels import Version, is_name
from reconciler.emulator.alertmanager.matcher import Matcher, PatternError, compile_pattern, match_all

State = Literal["active", "pending", "expired"]

_FIELDS = {"id": str, "comment": str, "createdBy": str, "endsAt": str, "startsAt": str, "matchers": list}
_MATCHER_FIELDS = {"isEqual": bool, "isRegex": bool, "name": str, "value": str}
_REQUIRED = ("comment", "createdBy", "endsAt", "matchers", "startsAt")


@dataclass(frozen=True, slots=True)
class Silence:
    id: str
    matchers: tuple[Matcher, ...]
    starts_at: Instant
    ends_at: Instant
    updated_at: int
    created_by: str
    comment: str
    annotations: tuple[tuple[str, str], ...] = ()

    def state(self, now: int) -> State:
        if now < self.starts_at.ns:
            return "pending"
        return "active" if now < self.ends_at.ns else "expired"

    def mutes(self, labels: Mapping[str, str], now: int) -> bool:
        return self.starts_at.ns <= now < self.ends_at.ns and match_all(self.matchers, labels)

    def has_all(self, matchers: Iterable[Matcher]) -> bool:
        """Whether each of the matchers is, operator and all, one of this silence's own: how a list is filtered."""
        return all(matcher in self.matchers for matcher in matchers)

    def can_become(self, update: Silence, now: int) -> bool:
        """Whether the update changes it in place: same matchers, and no other start once it has started."""
        if self.matchers != update.matchers:
            return False
        match self.state(now):
            case "active":
                return self.starts_at.ns // 10**9 == update.starts_at.ns // 10**9
            case "pending":
                return update.starts_at.ns >= now
            case _:
                return False


def read_silence(body: bytes, version: Version = "0.25.0") -> Silence:
    """The silence in a body, its id empty where none is given; SchemaError or ValueError on anything else.

    Older versions drop annotations. PatternError when a regular expression is not one.
    """
    if not body:
        raise SchemaError(602, "silence in body is required")
    posted = read_json(body)
    if posted is not None and not isinstance(posted, dict):
        raise ValueError("the value is not an object")
    item = posted or {}
    _check_types(item, _FIELDS, "Silence")
    matchers = item.get("matchers")
    listed = matchers if isinstance(matchers, list) else []
    for each in listed:
        if not isinstance(each, dict):
            raise ValueError("a matcher is not an object")
        _check_types(each, _MATCHER_FIELDS, "Matcher")
    starts_at, ends_at = (parse_instant(str(item.get(key) or "")) for key in ("startsAt", "endsAt"))
    for key in _REQUIRED:
        if item.get(key) is None:
            raise SchemaError(602, f"{key} in body is required")
        if key == "matchers":
            if not listed:
                raise SchemaError(612, "matchers in body should have at least 1 items")
            for index, each in enumerate(listed):
                for part in ("isRegex", "name", "value"):
                    if each.get(part) is None:
                        raise SchemaError(602, f"matchers.{index}.{part} in body is required")
    return Silence(
        id=str(item.get("id") or ""),
        matchers=tuple(_matcher(index, each) for index, each in enumerate(listed)),
        starts_at=starts_at,
        ends_at=ends_at,
        updated_at=0,
        created_by=str(item["createdBy"]),
        comment=str(item["comment"]),
        annotations=_annotations(item.get("annotations")) if version == "0.32.0" else (),
    )


def _annotations(given: object) -> tuple[tuple[str, str], ...]:
    if given is None:
        return ()
    if not isinstance(given, dict) or not all(isinstance(value, str) for value in given.values()):
        raise ValueError("Silence.annotations is of another type")
    return tuple(given.items())


def time_problem(silence: Silence, now: int) -> str | None:
    """What is wrong with the times of a silence that is posted."""
    if silence.starts_at.ns >= silence.ends_at.ns:
        return "Failed to create silence: start time must be before end time"
    if silence.ends_at.ns < now:
        return "Failed to create silence: end time can't be in the past"
    return None


def matcher_problem(silence: Silence, version: Version) -> str | None:
    """What is wrong with the matchers of a silence that is to be stored."""
    for index, matcher in enumerate(silence.matchers):
        if not is_name(matcher.name, version):
            return f'silence invalid: invalid label matcher {index}: invalid label name "{matcher.name}"'
    if all(matcher.is_equal and matcher.matches({}) for matcher in silence.matchers):
        return "silence invalid: at least one matcher must not match the empty string"
    return None


def _matcher(index: int, item: Mapping[str, object]) -> Matcher:
    value, is_regex = str(item["value"]), item["isRegex"] is True
    if is_regex:
        try:
            compile_pattern(value, value)
        except PatternError as error:
            raise PatternError(
                f'silence invalid: invalid label matcher {index}: invalid regular expression "{value}": {error}'
            ) from None
    return Matcher(str(item["name"]), value, is_regex, item.get("isEqual") is not False)


def _check_types(item: Mapping[str, object], fields: Mapping[str, type], of: str) -> None:
    for key, kind in fields.items():
        if item.get(key) is not None and not isinstance(item[key], kind):
            raise ValueError(f"{of}.{key} is of another type")
