"""Fields: what a user may write for an alarm or an event of AOM, and the limits of the push page (table 5)."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue
from pydantic_core import PydanticSerializationError, to_json

from reconciler.core.duration import DAY, Duration, Instant, format_duration
from reconciler.core.marks import PREFIX
from reconciler.core.severity import Severity

MANDATORY = ("event_name", "event_severity", "event_type", "resource_provider", "resource_type", "resource_id")
"""The metadata keys every alarm and event has."""

MAX_KEYS = 30
MAX_VALUE = 2048
MAX_TIMEOUT = 15 * DAY
# The service's pages give 3, 5 and 15 days as its own default, so a timeout is always sent; this is what the push page
# says.
DEFAULT_TIMEOUT = 5 * DAY

_ALARM_MARKS = 2
_EVENT_MARKS = 3

# The greatest number of 13 digits: a query cannot name a later time.
_LAST = 9_999_999_999_999


def _metadata_key(key: str) -> str:
    if key in MANDATORY:
        raise ValueError(
            f"{key} is set by the resource type"
            if key == "event_type"
            else f"{key} is a field of its own: write it beside metadata, not in it"
        )
    return _unreserved(key)


def _unreserved(key: str) -> str:
    if key.startswith(PREFIX):
        raise ValueError(f"keys that begin with {PREFIX} are the marks by which the reconciler knows its own objects")
    return key


def _free(marks: int) -> int:
    return MAX_KEYS - len(MANDATORY) - marks


def _few_keys(metadata: dict[str, str], marks: int) -> dict[str, str]:
    free = _free(marks)
    if len(metadata) > free:
        raise ValueError(
            f"{len(metadata)} keys: at most {free}, since the service takes {MAX_KEYS} in all, with "
            f"{len(MANDATORY)} fields of their own and {marks} marks among them"
        )
    return metadata


def _alarm_metadata(metadata: dict[str, str]) -> dict[str, str]:
    return _few_keys(metadata, _ALARM_MARKS)


def _event_metadata(metadata: dict[str, str]) -> dict[str, str]:
    return _few_keys(metadata, _EVENT_MARKS)


def _json(value: dict[str, JsonValue]) -> dict[str, JsonValue]:
    try:
        to_json(value)
    except PydanticSerializationError:
        raise ValueError("holds half of a surrogate pair, which is no character") from None
    return value


def _timeout(value: int) -> int:
    if not 0 < value <= MAX_TIMEOUT:
        raise ValueError(f"{format_duration(value)} is not allowed: longer than zero, at most {MAX_TIMEOUT // DAY}d")
    return value


def _instant(value: int) -> int:
    if value < 0:
        raise ValueError("lies before 1970")
    if value > _LAST:
        raise ValueError(f"{value} has more than 13 digits: write epoch milliseconds, not microseconds")
    return value


Text = Annotated[str, Field(min_length=1, max_length=MAX_VALUE)]
Metadata = dict[Annotated[str, Field(min_length=1), AfterValidator(_metadata_key)], Text]
Annotations = Annotated[
    dict[Annotated[str, AfterValidator(_unreserved)], JsonValue],
    AfterValidator(_json),
]
Rule = Annotated[dict[str, JsonValue], AfterValidator(_json)]

_METADATA = "Further keys that identify it, text to text; with the fields above at most 30, marks included."


class Fields(BaseModel):
    """What alarms and events have in common."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False, defer_build=True)

    event_name: Text | None = Field(None, description="Its name, as people see it; by default the resource's name.")
    event_severity: Severity = Field(description="How severe it is.")
    resource_provider: Text = Field(description="The cloud service it is about, such as ecs.")
    resource_type: Text = Field(description="The type of the resource it is about, such as vm.")
    resource_id: Text = Field(description="The id of the resource it is about.")
    metadata: Metadata = Field({}, description=_METADATA)
    annotations: Annotations = Field(
        {},
        description="Further details, any JSON values: message, alarm_probableCause_zh_cn, alarm_fix_suggestion_zh_cn.",
    )
    attach_rule: Rule = Field({}, description="A field the service reserves; sent as it is.")


class AlarmFields(Fields):
    """An alarm in Huawei Cloud AOM: firing until it is cleared or its timeout passes."""

    model_config = ConfigDict(title="aom_alarm")

    metadata: Annotated[Metadata, AfterValidator(_alarm_metadata)] = Field(
        {}, description=_METADATA, json_schema_extra={"maxProperties": _free(_ALARM_MARKS)}
    )
    timeout: Annotated[Duration, AfterValidator(_timeout)] = Field(
        DEFAULT_TIMEOUT,
        description="After how long the service clears it by itself, at most 15d; 5d by default. Always sent.",
        json_schema_extra={"default": format_duration(DEFAULT_TIMEOUT)},
    )
    starts_at: Annotated[Instant, AfterValidator(_instant)] | None = Field(
        None, description="When it began; by default when it is planned. The timeout may count from here."
    )


class EventFields(Fields):
    """An event in Huawei Cloud AOM: recorded once per occurrence, never changed."""

    model_config = ConfigDict(title="aom_event")

    metadata: Annotated[Metadata, AfterValidator(_event_metadata)] = Field(
        {}, description=_METADATA, json_schema_extra={"maxProperties": _free(_EVENT_MARKS)}
    )
    starts_at: Annotated[Instant, AfterValidator(_instant)] | None = Field(
        None, description="When it happened; by default when it is planned."
    )
