"""The resource type ``alertmanager_silence``: its fields, its desired value, and the item that is posted."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, NamedTuple, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from reconciler.core.desired import Declaration, Desired, Kind, check_renewal
from reconciler.core.digest import canonical, content_digest
from reconciler.core.duration import DAY, format_duration
from reconciler.core.fields import Duration, Instant
from reconciler.core.observed import ADDRESS, STACK, Marks, Observed, content_marks
from reconciler.providers.alertmanager.resource_types import Text
from reconciler.providers.alertmanager.wire import wire_instant

MARKED = "[reconciler {"
"""The start of the marks after a comment; they end with ``}]``."""

ENDS_AT = "reconciler_ends_at"
"""The mark with the planned end of a silence (epoch ms): one that ended earlier was expired by a user."""
DURATION = "reconciler_duration"
"""The mark with the declared duration (ms), which reveals an end that was changed."""
STARTS_AT = "reconciler_starts_at"
"""The mark with a declared start (epoch ms), since the server does not start a silence in the past."""

MAX_DURATION = 3650 * DAY
_MARGIN = 1_000
"""How long before its end (ms) a silence may be sent, at the latest."""
_MATCHER = re.compile(r"\s*(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)\s*(?P<sign>=~|!~|!=|=)\s*(?P<value>.*?)\s*", re.S)
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"', re.S)
_SIGNS = {"=": (False, True), "!=": (False, False), "=~": (True, True), "!~": (True, False)}
_ESCAPES = {"n": "\n", '"': '"', "\\": "\\"}


class Matcher(NamedTuple):
    """One condition on a label; a regular expression matches the whole value."""

    name: str
    value: str
    is_regex: bool
    is_equal: bool

    def __str__(self) -> str:
        sign = next(sign for sign, kind in _SIGNS.items() if kind == (self.is_regex, self.is_equal))
        escaped = self.value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'{self.name}{sign}"{escaped}"'

    @property
    def on_the_wire(self) -> dict[str, object]:
        """As the API has it."""
        return {"name": self.name, "value": self.value, "isRegex": self.is_regex, "isEqual": self.is_equal}


def parse_matcher(text: str) -> Matcher:
    """Parse ``severity="warning"``, with ``=``, ``!=``, ``=~`` or ``!~``, the value quoted or not. Raises ValueError
    otherwise.
    """
    match = _MATCHER.fullmatch(text)
    if match is None:
        raise ValueError(f'{text!r} is not a matcher: write it like severity="warning" (or !=, =~, !~)')
    value = match["value"]
    if value.startswith('"'):
        if not _QUOTED.fullmatch(value):
            raise ValueError(f"{text!r} is not a matcher: its value has an unmatched quote")
        value = re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[0]), value[1:-1], flags=re.S)
    elif '"' in value:
        raise ValueError(f"{text!r} is not a matcher: quote the value that holds a quote")
    return Matcher(match["name"], value, *_SIGNS[match["sign"]])


def matchers_text(matchers: Sequence[Matcher]) -> str:
    """Matchers in canonical form and order."""
    return ", ".join(sorted({str(matcher) for matcher in matchers}))


def _matcher(text: str) -> str:
    parse_matcher(text)
    return text


def _comment(text: str) -> str:
    if MARKED in text:
        raise ValueError(f"{MARKED} is reserved for the marks after the comment")
    return text


def _duration(value: int) -> int:
    if not 0 < value <= MAX_DURATION:
        raise ValueError(
            f"{format_duration(value)} is not allowed: longer than zero, at most {format_duration(MAX_DURATION)}"
        )
    return value


class SilenceFields(BaseModel):
    """A silence in Alertmanager: matching alerts are not notified until it ends."""

    # The schema does not say that ends_at or duration is required: either may come from defaults.
    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, allow_inf_nan=False, defer_build=True, title="alertmanager_silence"
    )

    matchers: Annotated[list[Annotated[Text, AfterValidator(_matcher)]], Field(min_length=1)] = Field(
        description='Which alerts it silences: those that all matchers match, such as `severity=~"info|warning"`.'
    )
    comment: Annotated[Text, Field(min_length=1), AfterValidator(_comment)] = Field(description="Why it exists.")
    created_by: Annotated[Text, Field(min_length=1)] = Field("reconciler", description="The creator that it shows.")
    starts_at: Annotated[Instant, Field(ge=0)] | None = Field(
        None, description="When it starts; by default when it is planned. Until then it is pending."
    )
    ends_at: Annotated[Instant, Field(ge=0)] | None = Field(
        None, description="When it ends, instead of `duration`. After that, the declaration has no effect."
    )
    duration: Annotated[Duration, AfterValidator(_duration)] | None = Field(
        None, description="How long after its start it ends, instead of `ends_at`."
    )

    @model_validator(mode="after")
    def _one_end(self) -> Self:
        if (self.ends_at is None) == (self.duration is None):
            raise ValueError("give exactly one of: ends_at; duration")
        if self.ends_at is not None and self.starts_at is not None and self.starts_at >= self.ends_at:
            raise ValueError("starts_at must come before ends_at")
        if all(
            not found.is_regex and found.is_equal and not found.value for found in map(parse_matcher, self.matchers)
        ):
            raise ValueError("matchers: at least one must not match a label that is missing")
        return self


class SilenceType(NamedTuple):
    """Silences, identified by their matchers, and found by the marks in their annotations or after their comment."""

    name: str = "alertmanager_silence"
    kind: Kind = Kind.SILENCE
    model: type[BaseModel] = SilenceFields

    def desired(self, declared: Declaration) -> Desired:
        address, spec, provider, occurrence, lifecycle, position = declared
        assert isinstance(spec, SilenceFields)  # noqa: S101 - narrows a type
        if occurrence is not None:
            raise ValueError("occurrence is for events: a silence is in place or not")
        is_rolling = spec.duration is not None and spec.starts_at is None
        if lifecycle.renew_before is not None:
            if not is_rolling:
                raise ValueError("lifecycle.renew_before is for a duration without starts_at: its end is fixed")
            check_renewal(lifecycle, "duration", spec.duration or 0)
        identity = {"matchers": matchers_text([parse_matcher(text) for text in spec.matchers])}
        given = {"starts_at": spec.starts_at, "ends_at": spec.ends_at, "duration": spec.duration}
        if spec.duration is not None and spec.starts_at is not None:
            given |= {"ends_at": spec.starts_at + spec.duration, "duration": None}
        attributes: dict[str, object] = {"comment": spec.comment, "created_by": spec.created_by}
        attributes |= {name: value for name, value in given.items() if value is not None}
        content = content_digest(self.name, identity, attributes)
        return Desired(
            address,
            provider,
            self.kind,
            True,
            identity,
            attributes,
            content,
            None,
            lifecycle,
            position,
            until=given["ends_at"],
        )

    def push(self, desired: Desired, marks: Marks, starts_at: int) -> tuple[str, int | None]:
        """The item with its marks as annotations; for a server without annotations, they are appended to the
        comment.
        """
        attributes = desired.attributes
        fixed, until, duration = (attributes.get(name) for name in ("starts_at", "ends_at", "duration"))
        begins = fixed if isinstance(fixed, int) else starts_at
        if isinstance(until, int):
            ends = until
        else:
            assert isinstance(duration, int)  # noqa: S101 - narrows a type
            ends = begins + duration
        told = {
            STACK: marks.stack,
            ADDRESS: str(marks.address),
            **content_marks(marks),
            ENDS_AT: str(ends),
        }
        told |= {DURATION: str(duration)} if duration is not None else {}
        told |= {STARTS_AT: str(fixed)} if fixed is not None else {}
        matchers = [parse_matcher(text) for text in _split(desired.identity["matchers"])]
        item = {
            "matchers": [matcher.on_the_wire for matcher in matchers],
            "startsAt": wire_instant(begins),
            "endsAt": wire_instant(ends),
            "createdBy": attributes["created_by"],
            "comment": attributes["comment"],
            "annotations": told,
        }
        return canonical(item), ends - _MARGIN

    def clear(self, observed: Observed, ends_at: int) -> str:  # noqa: ARG002  # the server takes the instant of the request as its end
        return canonical({"id": observed.id})


SILENCE = SilenceType()


def with_marked_comment(item: Mapping[str, object]) -> dict[str, object]:
    """The item for a server without annotations of silences: the marks are appended to the comment."""
    told = item["annotations"]
    comment = f"{item['comment']}\n\n[reconciler {canonical(told)}]"
    return {name: value for name, value in item.items() if name != "annotations"} | {"comment": comment}


def _split(text: str) -> list[str]:
    """The matchers of a text that ``matchers_text`` made."""
    return re.findall(r'[a-zA-Z_:][a-zA-Z0-9_:]*(?:=~|!~|!=|=)"(?:[^"\\]|\\.)*"', text, re.S)
