"""Fields: what a user may write for a custom event of Cloud Eye, and the limits of the report page (tables 3 to 5)."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema

from reconciler.core.duration import Instant
from reconciler.core.severity import Severity
from reconciler.providers.ces.mark import is_mark, wire_content

MAX_CONTENT = 4096
MAX_DIMENSIONS = 4
CUSTOM = "EVENT.CUSTOM"
SUB_CUSTOM = "SUB_EVENT.CUSTOM"

NAME = r"[A-Za-z][A-Za-z0-9_]{0,63}"
NAME_WORDS = "a letter, then up to 63 letters, digits and _"
_PART = r"[A-Za-z][A-Za-z0-9_]{2,31}"

State = Literal["normal", "warning", "incident"]


class _Matching:
    """A check that says in words what a pattern wants."""

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
        raise ValueError("it has the form of the mark by which the reconciler knows its own events")
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
    """What tells one resource from another, as alarm rules name it."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)

    name: str = Field(min_length=1, max_length=32, description="The dimension, such as instance_id.")
    value: str = Field(min_length=1, max_length=256, description="Its value, such as the id of a server.")


class CesEventFields(BaseModel):
    """A custom event in Huawei Cloud Eye: recorded once per occurrence, never changed."""

    model_config = ConfigDict(title="ces_event", extra="forbid", strict=True, frozen=True, defer_build=True)

    event_name: Name | None = Field(None, description="Its name; by default the resource's name.")
    event_source: Source = Field(description="Where it comes from, as service.item.")
    event_level: Severity | None = Field(None, description="How severe it is.")
    event_state: State | None = Field(None, description="The state it speaks of.")
    content: Annotated[str, Field(max_length=MAX_CONTENT), AfterValidator(_content)] | None = Field(
        None, description="What happened, in words; at most 4,096 characters."
    )
    resource_id: ResourceId | None = Field(None, description="The id of the resource it is about.")
    resource_name: ResourceName | None = Field(None, description="The name of the resource it is about.")
    event_user: User | None = Field(
        None, description="Who caused it; by default a short mark, by which the reconciler finds the event again."
    )
    group_id: Annotated[str, Field(min_length=24, max_length=24)] | None = Field(
        None, description="The id of an existing resource group it belongs to: 24 characters."
    )
    dimensions: Annotated[list[Dimension], Field(max_length=MAX_DIMENSIONS)] = Field(
        [], description="Up to four dimensions that name the resource, for alarm rules."
    )
    event_type: Literal["EVENT.CUSTOM"] = Field("EVENT.CUSTOM", description="Only custom events can be reported.")
    sub_event_type: Literal["SUB_EVENT.CUSTOM"] | None = Field(
        "SUB_EVENT.CUSTOM", description="Write null to leave it out, for regions that don't know subcategories."
    )
    time: Instant | None = Field(
        None,
        description="When it happened: at most 59m50s ago and 9m50s ahead; by default when it is first planned.",
    )
