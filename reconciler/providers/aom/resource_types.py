"""Resource types of AOM: from fields to a desired value, and from there to the items that are sent."""

from collections.abc import Mapping
from typing import NamedTuple

from pydantic import BaseModel

from reconciler.core.address import Address
from reconciler.core.desired import Desired, Kind, Lifecycle
from reconciler.core.diagnostic import Position
from reconciler.core.digest import canonical, content_digest
from reconciler.core.duration import format_duration
from reconciler.core.marks import ADDRESS, DIGEST, KEY, OCCURRENCE, RUN, STACK, Marks
from reconciler.core.observed import Observed
from reconciler.providers.aom.fields import MAX_VALUE, AlarmFields, EventFields

FIXED_START = "reconciler_starts_at"
"""An annotation beside the marks: the starts_at the user wrote, so that it is compared only where it was written."""


class AomType(NamedTuple):
    """An alarm or an event of AOM; both are one EventModel on the wire (push page, table 5)."""

    name: str
    kind: Kind
    event_type: str
    model: type[AlarmFields] | type[EventFields]

    def desired(
        self,
        address: Address,
        spec: BaseModel,
        *,
        provider: str,
        occurrence: str | None,
        lifecycle: Lifecycle,
        position: Position | None,
    ) -> Desired:
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
        attributes: dict[str, object] = {"annotations": spec.annotations, "attach_rule": spec.attach_rule}
        if isinstance(spec, AlarmFields):
            attributes["timeout"] = spec.timeout
            _check_renewal(lifecycle, spec.timeout)
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
        # Sent later than this it would be born expired by a service that counts from the beginning.
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


ALARM = AomType("aom_alarm", Kind.ALARM, "alarm", AlarmFields)
EVENT = AomType("aom_event", Kind.EVENT, "event", EventFields)


def marked(identity: Mapping[str, str], marks: Marks) -> dict[str, str]:
    """The metadata on the wire: what the object is known by, and whose it is; unchanged for an unmanaged object."""
    if not marks.stack:
        return dict(identity)
    metadata = {**identity, STACK: marks.stack, ADDRESS: str(marks.address)}
    if marks.occurrence is not None:
        metadata[OCCURRENCE] = marks.occurrence
    return metadata


def _annotated(attributes: Mapping[str, object], marks: Marks) -> dict[str, object]:
    own = attributes["annotations"]
    assert isinstance(own, dict)
    annotations: dict[str, object] = {**own, DIGEST: marks.digest, KEY: marks.key, RUN: marks.run}
    if "starts_at" in attributes:
        annotations[FIXED_START] = attributes["starts_at"]
    return annotations


def _check_mark(address: Address, occurrence: str | None) -> None:
    # An address is a metadata value too. Its printed form can be six times as long as its key (\uXXXX).
    if len(address.name) + 6 * len(address.key or "") > MAX_VALUE - 80 and len(str(address)) > MAX_VALUE:
        raise ValueError(f"its address has {len(str(address))} characters: the service takes {MAX_VALUE}")
    if occurrence is not None and not 1 <= len(occurrence) <= MAX_VALUE:
        raise ValueError(f"occurrence has {len(occurrence)} characters: the service takes 1 to {MAX_VALUE}")


def _check_renewal(lifecycle: Lifecycle, timeout: int) -> None:
    if lifecycle.renew_before is not None and lifecycle.renew_before >= timeout:
        raise ValueError(
            f"lifecycle.renew_before ({format_duration(lifecycle.renew_before)}) must be shorter than timeout "
            f"({format_duration(timeout)}): it would be renewed all the time"
        )
