"""The resource type ``ces_event``: its fields (report page, tables 3 to 5), short mark (rule 1) and reported item."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema

from reconciler.core.address import Address
from reconciler.core.desired import Declaration, Desired, Kind, Severity
from reconciler.core.digest import canonical, digest_text
from reconciler.core.duration import HOUR, MINUTE, SECOND, format_instant, rough_duration
from reconciler.core.fields import Instant
from reconciler.core.observed import Marks, Observed

MAX_CONTENT = 4096
MAX_DIMENSIONS = 4
CUSTOM = "EVENT.CUSTOM"
SUB_CUSTOM = "SUB_EVENT.CUSTOM"

NAME = r"[A-Za-z][A-Za-z0-9_]{0,63}"
NAME_WORDS = "a letter, then up to 63 letters, digits and _"
_PART = r"[A-Za-z][A-Za-z0-9_]{2,31}"

EventState = Literal["normal", "warning", "incident"]


class _Matching:
    """A pattern check with an error message in words."""

    def __init__(self, pattern: str, words: str) -> None:
        self._pattern = re.compile(pattern)
        self._words = words

    def __call__(self, value: str) -> str:
        if self._pattern.fullmatch(value) is None:
            raise ValueError(f"{value[:200]!r} does not fit: {self._words}")
        return value


def _schema(pattern: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": f"^{pattern}$"})


def _unmarked(value: str) -> str:
    if is_mark(value):
        raise ValueError("it has the form of reconciler's own mark for events")
    return value


def _content(value: str) -> str:
    length = len(wire_content(value))
    if length > MAX_CONTENT:
        raise ValueError(f"{length} characters with its line breaks as they are sent: at most {MAX_CONTENT}")
    return value


_RESOURCE_ID = r"[A-Za-z0-9_:-]{0,128}"
_RESOURCE_NAME = r"[A-Za-z0-9_.-]{0,128}"
_USER = r"[A-Za-z0-9_ -]{0,64}"

Name = Annotated[str, AfterValidator(_Matching(NAME, NAME_WORDS)), _schema(NAME)]
Source = Annotated[
    str,
    AfterValidator(
        _Matching(rf"{_PART}\.{_PART}", "service.item, each a letter, then 2 to 31 letters, digits and _"),
    ),
    _schema(rf"{_PART}\.{_PART}"),
]
ResourceId = Annotated[
    str,
    AfterValidator(_Matching(_RESOURCE_ID, "up to 128 letters, digits, _, - and :")),
    _schema(_RESOURCE_ID),
]
ResourceName = Annotated[
    str,
    AfterValidator(_Matching(_RESOURCE_NAME, "up to 128 letters, digits, _, - and .")),
    _schema(_RESOURCE_NAME),
]
User = Annotated[
    str,
    AfterValidator(_Matching(_USER, "up to 64 letters, digits, _, - and spaces")),
    AfterValidator(_unmarked),
    _schema(_USER),
]


class Dimension(BaseModel):
    """A dimension that identifies a resource, as in alarm rules."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)

    name: str = Field(min_length=1, max_length=32, description="The dimension's name, such as instance_id.")
    value: str = Field(min_length=1, max_length=256, description="Its value, such as the id of a server.")


class CesEventFields(BaseModel):
    """A custom event in Huawei Cloud Eye: recorded once per occurrence, never changed."""

    model_config = ConfigDict(title="ces_event", extra="forbid", strict=True, frozen=True, defer_build=True)

    event_name: Name | None = Field(None, description="Its name; by default the resource's name.")
    event_source: Source = Field(description="Where it comes from, as service.item.")
    event_level: Severity | None = Field(None, description="How severe it is.")
    event_state: EventState | None = Field(None, description="The state that it reports.")
    content: Annotated[str, Field(max_length=MAX_CONTENT), AfterValidator(_content)] | None = Field(
        None, description="A description of what happened, at most 4,096 characters."
    )
    resource_id: ResourceId | None = Field(None, description="The id of the resource it is about.")
    resource_name: ResourceName | None = Field(None, description="The name of the resource it is about.")
    event_user: User | None = Field(
        None, description="Who caused it; by default a short mark, with which reconciler finds the event again."
    )
    group_id: Annotated[str, Field(min_length=24, max_length=24)] | None = Field(
        None, description="The id of an existing resource group it belongs to: 24 characters."
    )
    dimensions: Annotated[list[Dimension], Field(max_length=MAX_DIMENSIONS)] = Field(
        [], description="Up to four dimensions that name the resource, for alarm rules."
    )
    event_type: Literal["EVENT.CUSTOM"] = Field("EVENT.CUSTOM", description="Only custom events can be reported.")
    sub_event_type: Literal["SUB_EVENT.CUSTOM"] | None = Field(
        "SUB_EVENT.CUSTOM", description="Write null to omit it, for regions without subcategories."
    )
    time: Instant | None = Field(
        None,
        description="When it happened: at most 59m50s ago and 9m50s ahead; by default when it is first planned.",
    )


OLDEST = HOUR - 10 * SECOND
NEWEST = 10 * MINUTE - 10 * SECOND
"""How far (ms) a time may lie behind and ahead of the moment it is reported."""

IN_DETAIL = ("event_type", "sub_event_type", "event_state", "event_level", "event_user", "resource_id", "resource_name")
"""What identifies an event besides its time, project, name and source (report page, notes)."""

_NAME = re.compile(NAME)


class CesEventType:
    """A custom event of Cloud Eye, one EventItem on the wire (report page, table 3)."""

    name = "ces_event"
    kind = Kind.EVENT
    model: type[CesEventFields] = CesEventFields

    def desired(self, declared: Declaration) -> Desired:
        address, spec, provider, occurrence, lifecycle, position = declared
        if not isinstance(spec, CesEventFields):
            raise TypeError(f"{address}: expected CesEventFields, got {type(spec).__name__}")
        if lifecycle.renew_before is not None:
            raise ValueError("lifecycle.renew_before is for alarms: an event does not expire")
        _check_distinct(spec, occurrence)
        identity = {"event_name": _event_name(spec, address), "event_source": spec.event_source}
        for key in IN_DETAIL:
            value = getattr(spec, key)
            if value is not None:
                identity[key] = value
        attributes: dict[str, object] = {}
        if spec.content is not None:
            attributes["content"] = wire_content(spec.content)
        if spec.group_id is not None:
            attributes["group_id"] = spec.group_id
        if spec.dimensions:
            attributes["dimensions"] = [{"name": one.name, "value": one.value} for one in spec.dimensions]
        if spec.time is not None:
            attributes["time"] = spec.time
        content = digest_text(canonical((self.name, identity, attributes)))
        return Desired(
            address,
            provider,
            self.kind,
            True,
            identity,
            attributes,
            content,
            content if occurrence is None else occurrence,
            lifecycle,
            position,
        )

    def push(self, desired: Desired, marks: Marks, starts_at: int) -> tuple[str, int | None]:
        """The EventItem. Raises ValueError if its time is too far ahead of ``starts_at``.

        For a time too far in the past, the second value is in the past as well.
        """
        fixed = desired.attributes.get("time")
        time = fixed if isinstance(fixed, int) else starts_at
        if time - starts_at > NEWEST:
            ahead = time - starts_at
            raise ValueError(
                f"its time, {format_instant(time)}, lies {rough_duration(ahead)} ahead: the service takes at most "
                f"{rough_duration(NEWEST)}; it can be planned in {rough_duration(ahead - NEWEST)}"
            )
        return canonical(to_item(desired.identity, desired.attributes, marks, time)), time + OLDEST

    def clear(self, observed: Observed, ends_at: int) -> str:
        raise ValueError(f"{observed.marks.address} is an event: what happened cannot be cleared (at {ends_at})")


def to_item(
    identity: Mapping[str, str], attributes: Mapping[str, object], marks: Marks, time: int
) -> dict[str, object]:
    """The EventItem of an event at ``time`` (epoch ms), with the short mark if no event_user is written."""
    detail: dict[str, object] = {key: identity[key] for key in IN_DETAIL if key in identity}
    detail.setdefault("event_user", short_mark(marks.stack, marks.address, marks.occurrence or ""))
    detail.update((key, attributes[key]) for key in ("content", "group_id", "dimensions") if key in attributes)
    return {
        "event_name": identity["event_name"],
        "event_source": identity["event_source"],
        "time": time,
        "detail": detail,
    }


EVENT = CesEventType()


def _event_name(spec: CesEventFields, address: Address) -> str:
    if spec.event_name is not None:
        return spec.event_name
    if _NAME.fullmatch(address.name) is None:
        raise ValueError(
            f"{address.name!r} cannot be its event_name, which is {NAME_WORDS}: write event_name, or name it otherwise"
        )
    return address.name


def _check_distinct(spec: CesEventFields, occurrence: str | None) -> None:
    """Check that, without the mark, two occurrences differ in content; otherwise the second would be mistaken for the
    first, and never recorded.
    """
    if spec.event_user is None or occurrence is None or spec.time is not None:
        return
    if not occurrence or occurrence not in (spec.content or ""):
        raise ValueError(
            f"with event_user set, content must contain the occurrence ({occurrence!r}): nothing else "
            "distinguishes this event from those of other occurrences"
        )


_MARK = re.compile(r"reconciler-[0-9a-f]{8}-[0-9a-f]{16}")


def short_mark(stack: str, address: Address, occurrence: str) -> str:
    """36 characters of the alphabet of ``event_user``, deterministic for a stack, address and occurrence."""
    event = digest_text(f"{address}\n{occurrence}")
    return f"reconciler-{digest_text(stack)[:8]}-{event[:16]}"


def is_mark(user: str) -> bool:
    return _MARK.fullmatch(user) is not None


def wire_content(content: str) -> str:
    r"""Content as sent: a line break stays recognizable, and words stay separate, whether a region shows line breaks or
    the two characters ``\n``.
    """
    return " \n ".join(re.split(r"\r\n|\r|\n", content.rstrip("\r\n")))


def comparable_content(content: str) -> str:
    r"""Content in a form that does not depend on how a region shows line breaks."""
    return " ".join(content.replace("\\n", "\n").split())


log = logging.getLogger(__name__)

# A region may not support the subcategory, and only custom events are queried.
