"""Resource types of AOM: their fields (push page, table 5), their desired values, and the items that are sent."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, NamedTuple

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue
from pydantic_core import PydanticSerializationError, to_json

from reconciler.core.address import Address
from reconciler.core.desired import Declaration, Desired, Kind, Severity, check_renewal
from reconciler.core.digest import canonical, content_digest
from reconciler.core.duration import DAY, format_duration
from reconciler.core.fields import Duration, Instant
from reconciler.core.observed import (
    ADDRESS,
    OCCURRENCE,
    PREFIX,
    STACK,
    Marks,
    Observed,
    content_marks,
)

if TYPE_CHECKING:
    from reconciler.providers.aom.event_fields import EventFields

MANDATORY = ("event_name", "event_severity", "event_type", "resource_provider", "resource_type", "resource_id")
"""The metadata keys every alarm and event has."""

MAX_KEYS = 30
MAX_VALUE = 2048
MAX_TIMEOUT = 15 * DAY
# The service's pages give 3, 5 and 15 days as the default timeout, so one is always sent; this is the push page's.
DEFAULT_TIMEOUT = 5 * DAY

_ALARM_MARKS = 2

# The largest number of 13 digits: a query cannot use a later time.
_LAST = 9_999_999_999_999


def _metadata_key(key: str) -> str:
    if key in MANDATORY:
        raise ValueError(
            f"{key} is set by the resource type"
            if key == "event_type"
            else f"{key} is a separate field: write it beside metadata, not in it"
        )
    return _unreserved(key)


def _unreserved(key: str) -> str:
    if key.startswith(PREFIX):
        raise ValueError(f"keys that begin with {PREFIX} are reserved for reconciler's marks")
    return key


def free_keys(marks: int) -> int:
    """How many keys of metadata a user may write beside the separate fields and this many marks."""
    return MAX_KEYS - len(MANDATORY) - marks


def check_count(metadata: dict[str, str], marks: int) -> dict[str, str]:
    """The metadata. Raises ValueError if it has more keys than are free."""
    free = free_keys(marks)
    if len(metadata) > free:
        raise ValueError(
            f"{len(metadata)} keys: at most {free}, since the service takes {MAX_KEYS} in all, with "
            f"{len(MANDATORY)} fields of their own and {marks} marks among them"
        )
    return metadata


def _alarm_metadata(metadata: dict[str, str]) -> dict[str, str]:
    return check_count(metadata, _ALARM_MARKS)


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
_NO_RULE: dict[str, JsonValue] = {}
"""Shared by all alarms without a rule, to save memory."""

StartsAt = Annotated[Instant, AfterValidator(_instant)]

Rule = Annotated[dict[str, JsonValue], AfterValidator(_json)]

METADATA = "More keys that identify it, text to text; with the fields above at most 30, marks included."


class Fields(BaseModel):
    """What alarms and events have in common."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False, defer_build=True)

    event_name: Text | None = Field(None, description="Its name, as shown to people; by default the resource's name.")
    event_severity: Severity = Field(description="How severe it is.")
    resource_provider: Text = Field(description="The cloud service it is about, such as ecs.")
    resource_type: Text = Field(description="The type of the resource it is about, such as vm.")
    resource_id: Text = Field(description="The id of the resource it is about.")
    metadata: Metadata = Field({}, description=METADATA)
    annotations: Annotations = Field(
        {},
        description="More details, any JSON values: message, alarm_probableCause_zh_cn, alarm_fix_suggestion_zh_cn.",
    )
    attach_rule: Rule = Field({}, description="A field that the service reserves; sent unchanged.")


class AlarmFields(Fields):
    """An alarm in Huawei Cloud AOM: firing until it is cleared or its timeout passes."""

    model_config = ConfigDict(title="aom_alarm")

    metadata: Annotated[Metadata, AfterValidator(_alarm_metadata)] = Field(
        {}, description=METADATA, json_schema_extra={"maxProperties": free_keys(_ALARM_MARKS)}
    )
    timeout: Annotated[Duration, AfterValidator(_timeout)] = Field(
        DEFAULT_TIMEOUT,
        description="How long until the service clears it by itself, at most 15d; 5d by default. Always sent.",
        json_schema_extra={"default": format_duration(DEFAULT_TIMEOUT)},
    )
    starts_at: StartsAt | None = Field(
        None, description="When it started; by default when it is planned. The timeout may count from here."
    )


FIXED_START = "reconciler_starts_at"
"""An annotation beside the marks: the starts_at that the user wrote, which is compared only if it was written."""


class AomType(NamedTuple):
    """An alarm or an event of AOM; both are one EventModel on the wire (push page, table 5)."""

    name: str
    kind: Kind
    event_type: str

    import_note: str = (
        "if AOM does not merge a push that differs in the marks alone, it opens a second alarm, and may notify of it, "
        "before the unmanaged one is cleared"
    )

    @property
    def model(self) -> "type[AlarmFields] | type[EventFields]":
        if self.kind is Kind.ALARM:
            return AlarmFields
        from reconciler.providers.aom.event_fields import EventFields

        return EventFields

    def move_note(self, desired: Desired) -> str | None:  # noqa: ARG002 - the protocol's
        """The pages do not say which metadata identify an alarm; the address is part of them."""
        if self.kind is Kind.EVENT:
            return None
        return (
            "if AOM does not merge a push that differs in the address alone, it opens a second alarm, and may notify "
            "of it, before the first is cleared"
        )

    def desired(self, declared: Declaration) -> Desired:
        address, spec, provider, occurrence, lifecycle, position = declared
        if not isinstance(spec, self.model):
            raise TypeError(f"{address}: expected {self.model.__name__}, got {type(spec).__name__}")
        _check_mark(address, occurrence)
        identity = {
            "event_name": spec.event_name if spec.event_name is not None else address.name,
            "event_severity": spec.event_severity,
            "event_type": self.event_type,
            "resource_provider": spec.resource_provider,
            "resource_type": spec.resource_type,
            "resource_id": spec.resource_id,
            **spec.metadata,
        }
        attributes: dict[str, object] = {"annotations": spec.annotations, "attach_rule": spec.attach_rule or _NO_RULE}
        if isinstance(spec, AlarmFields):
            attributes["timeout"] = spec.timeout
            check_renewal(lifecycle, "timeout", spec.timeout)
        elif lifecycle.renew_before is not None:
            raise ValueError("lifecycle.renew_before is for alarms: an event does not expire")
        if spec.starts_at is not None:
            attributes["starts_at"] = spec.starts_at
        content = content_digest(self.name, identity, attributes)
        if self.kind is Kind.EVENT and occurrence is None:
            occurrence = content
        return Desired(
            address, provider, self.kind, True, identity, attributes, content, occurrence, lifecycle, position
        )

    def push(self, desired: Desired, marks: Marks, starts_at: int) -> tuple[str, int | None]:
        attributes = desired.attributes
        fixed = attributes.get("starts_at")
        begins = fixed if isinstance(fixed, int) else starts_at
        item: dict[str, object] = {
            "starts_at": begins,
            "metadata": marked(desired.identity, marks),
            "annotations": _annotated(attributes, marks),
            "attach_rule": attributes["attach_rule"],
        }
        timeout = attributes.get("timeout")
        if not isinstance(timeout, int):
            return canonical(item), None
        item["timeout"] = timeout
        # Sent later, it would already be expired for a service that counts from the start.
        return canonical(item), begins + timeout

    def clear(self, observed: Observed, ends_at: int) -> str:
        return canonical(
            {
                "id": observed.id,
                "starts_at": observed.starts_at,
                "ends_at": ends_at,
                "metadata": marked(observed.identity, observed.marks),
            }
        )


ALARM = AomType("aom_alarm", Kind.ALARM, "alarm")
EVENT = AomType("aom_event", Kind.EVENT, "event")


def marked(identity: Mapping[str, str], marks: Marks) -> dict[str, str]:
    """The metadata on the wire: the identity and the marks; unchanged for an unmanaged object."""
    if not marks.stack:
        return dict(identity)
    metadata = {**identity, STACK: marks.stack, ADDRESS: str(marks.address)}
    if marks.occurrence is not None:
        metadata[OCCURRENCE] = marks.occurrence
    return metadata


def _annotated(attributes: Mapping[str, object], marks: Marks) -> dict[str, object]:
    own = attributes["annotations"]
    assert isinstance(own, dict)  # noqa: S101 - narrows a type
    annotations: dict[str, object] = {**own, **content_marks(marks)}
    if "starts_at" in attributes:
        annotations[FIXED_START] = attributes["starts_at"]
    return annotations


def _check_mark(address: Address, occurrence: str | None) -> None:
    # An address is a metadata value too. Its printed form can be six times as long as its key (\uXXXX).
    if len(address.name) + 6 * len(address.key or "") > MAX_VALUE - 80 and len(str(address)) > MAX_VALUE:
        raise ValueError(f"its address has {len(str(address))} characters: the service takes {MAX_VALUE}")
    if occurrence is not None and not 1 <= len(occurrence) <= MAX_VALUE:
        raise ValueError(f"occurrence has {len(occurrence)} characters: the service takes 1 to {MAX_VALUE}")
