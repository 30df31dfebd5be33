"""Unmanaged alarms of AOM: an active alarm without marks, as the fields that would declare it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from reconciler.core.address import Address
from reconciler.core.data_source import Item
from reconciler.core.duration import format_duration
from reconciler.core.marks import STACK
from reconciler.core.observed import Observed, State
from reconciler.core.unmanaged import UnmanagedAlarm, unmanaged_marks
from reconciler.providers.aom.fields import MANDATORY
from reconciler.providers.aom.item import to_item
from reconciler.providers.aom.resource_types import ALARM


def active(event: Mapping[str, object], provider: str) -> Observed | None:
    """An event of a response as an active unmanaged alarm; None if it is anything else."""
    found = unmanaged_alarm(to_item(event, alarm=True), provider)
    return None if found is None else found.observed


def unmanaged_alarm(alarm: Item, provider: str) -> UnmanagedAlarm | None:
    """An item of ``aom_alarms`` as an unmanaged alarm; None if a stack owns it, if it has ended or has no id."""
    metadata, annotations, rule = alarm["metadata"], alarm["annotations"], alarm["attach_rule"]
    assert isinstance(metadata, dict) and isinstance(annotations, dict) and isinstance(rule, dict)
    id_, starts_at, timeout = alarm["id"], alarm["starts_at"], alarm["timeout"]
    if STACK in metadata or not alarm["active"] or not isinstance(id_, str) or not id_:
        return None
    fields: dict[str, object] = {key: metadata[key] for key in MANDATORY if key != "event_type" and key in metadata}
    fields["metadata"] = {key: value for key, value in metadata.items() if key not in MANDATORY}
    fields["annotations"] = annotations
    fields["attach_rule"] = rule
    attributes: dict[str, object] = {"annotations": annotations, "attach_rule": rule}
    if isinstance(timeout, int):
        fields["timeout"] = format_duration(timeout)
        attributes["timeout"] = timeout
    address = Address(ALARM.name, _name(str(metadata.get("event_name", ""))))
    begins = starts_at if isinstance(starts_at, int) else 0
    seen = Observed(provider, id_, unmanaged_marks(address), State.ACTIVE, metadata, attributes, begins)
    return UnmanagedAlarm({key: value for key, value in fields.items() if value not in ({}, None)}, seen)


def _name(text: str) -> str:
    """A resource's name made from an alarm's."""
    made = re.sub(r"[^A-Za-z0-9_-]+", "_", text).strip("_-")[:60]
    return made if re.match(r"[A-Za-z_]", made) else f"alarm_{made}".rstrip("_")
