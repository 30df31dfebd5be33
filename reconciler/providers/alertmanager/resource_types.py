"""The resource type ``alertmanager_alert``: from fields to a desired value and to the item that is posted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from pydantic import BaseModel

from reconciler.core.address import Address
from reconciler.core.desired import Desired, Kind, Lifecycle
from reconciler.core.diagnostic import Position
from reconciler.core.digest import canonical, content_digest
from reconciler.core.duration import format_duration, format_instant
from reconciler.core.marks import ADDRESS, DIGEST, KEY, RUN, STACK, Marks
from reconciler.core.observed import Observed
from reconciler.providers.alertmanager.fields import ALERT_NAME, AlertFields
from reconciler.providers.alertmanager.wire import FIXED_START, TIMEOUT, wire_instant

_MARGIN = 1_000
"""How long before its end (ms) an alert may be sent at the latest."""


class AlertType(NamedTuple):
    """Alerts: known by their labels, the marks of stack and address among them."""

    name: str = "alertmanager_alert"
    kind: Kind = Kind.ALARM
    model: type[BaseModel] = AlertFields

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
        assert isinstance(spec, AlertFields)
        if occurrence is not None:
            raise ValueError("occurrence is for events: an alert is firing or not")
        if lifecycle.renew_before is not None and lifecycle.renew_before >= spec.timeout:
            raise ValueError(
                f"lifecycle.renew_before ({format_duration(lifecycle.renew_before)}) must be shorter than timeout "
                f"({format_duration(spec.timeout)}): it would be renewed all the time"
            )
        identity = {ALERT_NAME: address.name, **spec.labels}
        attributes: dict[str, object] = {"annotations": spec.annotations, "timeout": spec.timeout}
        if spec.generator_url is not None:
            attributes["generator_url"] = spec.generator_url
        if spec.starts_at is not None:
            attributes["starts_at"] = spec.starts_at
        content = content_digest(self.name, identity, attributes)
        return Desired(address, provider, self.kind, True, identity, attributes, content, None, lifecycle, position)

    def push(self, desired: Desired, marks: Marks, starts_at: int) -> tuple[str, int | None]:
        attributes = desired.attributes
        fixed = attributes.get("starts_at")
        if isinstance(fixed, int) and fixed > starts_at:
            raise ValueError(
                f"starts_at is {format_instant(fixed)}, which is in the future: Alertmanager would notify of it at once"
            )
        begins = fixed if isinstance(fixed, int) else starts_at
        timeout, own = attributes["timeout"], attributes["annotations"]
        assert isinstance(timeout, int) and isinstance(own, dict)
        annotations = {**own, DIGEST: marks.digest, KEY: marks.key, RUN: marks.run, TIMEOUT: str(timeout)}
        if isinstance(fixed, int):
            annotations[FIXED_START] = str(fixed)
        item: dict[str, object] = {
            "labels": marked(desired.identity, marks),
            "annotations": annotations,
            "startsAt": wire_instant(begins),
            "endsAt": wire_instant(begins + timeout),
        }
        if "generator_url" in attributes:
            item["generatorURL"] = attributes["generator_url"]
        return canonical(item), begins + timeout - _MARGIN

    def must_end_first(self, desired: Desired, observed: Observed, starts_at: int) -> bool:
        """The server keeps the later end of two posts, so that a shorter timeout needs a clear before it.

        With a beginning of its own it would be the same firing again, which the clear has ended.
        """
        timeout = desired.attributes["timeout"]
        assert isinstance(timeout, int)
        is_fixed = "starts_at" in desired.attributes
        return not is_fixed and observed.expires_at is not None and starts_at + timeout < observed.expires_at

    def clear(self, observed: Observed, ends_at: int) -> str:
        own = observed.attributes.get("annotations")
        marks = observed.marks
        annotations = {**own} if isinstance(own, dict) else {}
        if marks.stack:  # the notification that it is resolved carries them too
            annotations |= {DIGEST: marks.digest, KEY: marks.key, RUN: marks.run}
        labels = marked(observed.identity, marks)
        return canonical({"labels": labels, "annotations": annotations, "endsAt": wire_instant(ends_at)})


ALERT = AlertType()


def marked(identity: Mapping[str, str], marks: Marks) -> dict[str, str]:
    """The labels on the wire: what the alert is known by, and whose it is."""
    if not marks.stack:
        return dict(identity)
    return {**identity, STACK: marks.stack, ADDRESS: str(marks.address)}
