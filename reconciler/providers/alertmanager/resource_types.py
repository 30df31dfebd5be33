"""The resource type ``alertmanager_alert``: its fields (API v2, ``postableAlert``), desired value and posted item."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, NamedTuple
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from reconciler.core.address import Address
from reconciler.core.desired import Declaration, Desired, Kind, check_renewal
from reconciler.core.digest import canonical, content_digest
from reconciler.core.duration import DAY, format_duration, format_instant
from reconciler.core.fields import Duration, Instant
from reconciler.core.observed import (
    ADDRESS,
    PREFIX,
    STACK,
    Marks,
    Observed,
    UnmanagedAlarm,
    content_marks,
    unmanaged_marks,
)
from reconciler.providers.alertmanager.settings import AlertmanagerSettings
from reconciler.providers.alertmanager.wire import FIXED_START, TIMEOUT, Alert, as_observed, labels_of, wire_instant

DEFAULT_TIMEOUT = 5 * 60_000
MAX_TIMEOUT = 365 * DAY
ALERT_NAME = "alertname"
RESENT = "Prometheus, or another rule engine, sends it again as long as its rule fires"
"""Why an alert with a generator's URL cannot be adopted."""
SAME_ALERT = (
    "with `marks: annotations` the stack's own alert has the same labels, so the two could not be distinguished"
)
"""Why no alert can be adopted if marks are not labels."""

_CLASSIC_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
ANY_NAME_SINCE = (0, 27)
"""The first version that accepts any name of a label or an annotation."""


def odd_names(desired: Desired) -> list[str]:
    """The names of labels and annotations that older servers reject."""
    annotations = desired.attributes.get("annotations")
    names = [*desired.identity, *(annotations if isinstance(annotations, dict) else ())]
    return [name for name in names if not _CLASSIC_NAME.fullmatch(name)]


def _name(name: str) -> str:
    if not _text(name):
        raise ValueError("a name holds at least one character")
    if name.startswith(PREFIX):
        raise ValueError(f"names that begin with {PREFIX} are reserved for marks")
    return name


def _text(value: str) -> str:
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise ValueError("holds half of a surrogate pair, which the server would replace")
    return value


def _timeout(value: int) -> int:
    if not 0 < value <= MAX_TIMEOUT:
        raise ValueError(f"{format_duration(value)} is not allowed: longer than zero, at most {MAX_TIMEOUT // DAY}d")
    return value


def _url(value: str) -> str:
    try:
        parts = urlsplit(value)
    except ValueError:
        parts = urlsplit("")
    if not parts.scheme or not parts.netloc or re.search(r"[\x00-\x20\x7f]", value):
        raise ValueError("is not an absolute URL")
    return value


Name = Annotated[str, AfterValidator(_name)]
Text = Annotated[str, AfterValidator(_text)]
LabelValue = Annotated[str, Field(min_length=1), AfterValidator(_text)]


class AlertFields(BaseModel):
    """An alert in Alertmanager: firing until it is cleared or its timeout passes."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, allow_inf_nan=False, defer_build=True, title="alertmanager_alert"
    )

    labels: dict[Name, LabelValue] = Field(
        {},
        description="The labels, which identify and route it, text to text; `alertname` is the resource's "
        "name unless given.",
    )
    annotations: dict[Name, Text] = Field(
        {}, description="More details, text to text: summary, description, runbook_url."
    )
    generator_url: Annotated[str, AfterValidator(_url)] | None = Field(
        None, description="An absolute URL that links to the source of the alert."
    )
    timeout: Annotated[Duration, AfterValidator(_timeout)] = Field(
        DEFAULT_TIMEOUT,
        description="How long until it ends by itself; 5m by default. Always sent, as an explicit endsAt.",
        json_schema_extra={"default": format_duration(DEFAULT_TIMEOUT)},
    )
    starts_at: Annotated[Instant, Field(ge=0)] | None = Field(
        None,
        description="When it started, not in the future; by default when it is planned. The timeout counts from here.",
    )


_MARGIN = 1_000
"""How long before its end (ms) an alert may be sent, at the latest."""


class AlertType(NamedTuple):
    """Alerts, identified by their labels, which include the marks of stack and address."""

    name: str = "alertmanager_alert"
    kind: Kind = Kind.ALARM
    model: type[BaseModel] = AlertFields
    update_note: str = "nobody is notified of an update"
    import_note: str = (
        "Alertmanager treats an alert with a stack's labels as another alert: it notifies that the new one fires, "
        "and that the old one is resolved"
    )

    def move_note(self, desired: Desired) -> str | None:
        """Labels identify an alert; the address is one of them, unless the provider keeps its marks elsewhere."""
        if desired.attributes.get("marks") == "annotations":
            return None
        return (
            "Alertmanager treats an alert at another address as another alert: it notifies that the new one fires, "
            "and that the old one is resolved"
        )

    def desired(self, declared: Declaration) -> Desired:
        address, spec, provider, occurrence, lifecycle, position = declared
        assert isinstance(spec, AlertFields)  # noqa: S101 - narrows a type
        if occurrence is not None:
            raise ValueError("occurrence is for events: an alert is firing or not")
        check_renewal(lifecycle, "timeout", spec.timeout)
        identity = {ALERT_NAME: address.name, **spec.labels}
        attributes: dict[str, object] = {"annotations": spec.annotations, "timeout": spec.timeout}
        if spec.generator_url is not None:
            attributes["generator_url"] = spec.generator_url
        if spec.starts_at is not None:
            attributes["starts_at"] = spec.starts_at
        content = content_digest(self.name, identity, attributes)
        return Desired(address, provider, self.kind, True, identity, attributes, content, None, lifecycle, position)

    def under(self, desired: Desired, settings: BaseModel) -> Desired:
        """With the provider's ``marks: annotations``, the labels are exactly those declared."""
        if not isinstance(settings, AlertmanagerSettings) or settings.marks == "labels":
            return desired
        attributes = {**desired.attributes, "marks": settings.marks}
        content = content_digest(self.name, desired.identity, attributes)
        return desired._replace(attributes=attributes, digest=content)

    def push(self, desired: Desired, marks: Marks, starts_at: int) -> tuple[str, int | None]:
        attributes = desired.attributes
        fixed = attributes.get("starts_at")
        if isinstance(fixed, int) and fixed > starts_at:
            raise ValueError(
                f"starts_at is {format_instant(fixed)}, which is in the future: Alertmanager would notify of it at once"
            )
        begins = fixed if isinstance(fixed, int) else starts_at
        timeout, own = attributes["timeout"], attributes["annotations"]
        assert isinstance(timeout, int) and isinstance(own, dict)  # noqa: S101 - narrows a type
        labels, told = marked(desired.identity, attributes, marks)
        annotations = {**own, **told, TIMEOUT: str(timeout)}
        if isinstance(fixed, int):
            annotations[FIXED_START] = str(fixed)
        item: dict[str, object] = {
            "labels": labels,
            "annotations": annotations,
            "startsAt": wire_instant(begins),
            "endsAt": wire_instant(begins + timeout),
        }
        if "generator_url" in attributes:
            item["generatorURL"] = attributes["generator_url"]
        return canonical(item), begins + timeout - _MARGIN

    def push_anew(self, desired: Desired, marks: Marks, starts_at: int, ended: Observed) -> tuple[str, int | None]:
        pushed, send_by = self.push(desired, marks, starts_at)
        return f"[{self.clear(ended, starts_at)},{pushed}]", send_by

    def must_end_first(self, desired: Desired, observed: Observed, starts_at: int) -> bool:
        """Whether an update needs a clear first.

        The server keeps the later end of two posts, so a shorter timeout needs one. So do marks that move between
        labels and annotations, since other labels make another alert. An alert with a declared start is not cleared for
        a shorter timeout: pushed again, it would be the same firing, which the clear has ended.
        """
        timeout = desired.attributes["timeout"]
        assert isinstance(timeout, int)  # noqa: S101 - narrows a type
        if desired.attributes.get("marks") != observed.attributes.get("marks"):
            return True
        is_fixed = "starts_at" in desired.attributes
        return not is_fixed and observed.expires_at is not None and starts_at + timeout < observed.expires_at

    def clear(self, observed: Observed, ends_at: int) -> str:
        own = observed.attributes.get("annotations")
        annotations = {**own} if isinstance(own, dict) else {}
        # The notification that it is resolved has the marks too.
        labels, told = marked(observed.identity, observed.attributes, observed.marks)
        return canonical({"labels": labels, "annotations": annotations | told, "endsAt": wire_instant(ends_at)})


ALERT = AlertType()


def marked(
    identity: Mapping[str, str], attributes: Mapping[str, object], marks: Marks
) -> tuple[dict[str, str], dict[str, str]]:
    """The labels on the wire, and the annotations that are marks; an unmanaged alarm has none."""
    labels = dict(identity)
    if not marks.stack:
        return labels, {}
    owner = {STACK: marks.stack, ADDRESS: str(marks.address)}
    told = content_marks(marks)
    return (labels, owner | told) if attributes.get("marks") == "annotations" else (labels | owner, told)


def unmanaged_alert(alert: Alert, provider: str, *, keeps_labels: bool = False) -> UnmanagedAlarm:
    """The alert as a user could declare it; Prometheus repeats its own as long as their rule fires.

    With ``keeps_labels`` the stack's alarm would have the same labels.
    """
    labels = labels_of(alert)
    made = re.sub(r"[^A-Za-z0-9_-]+", "_", labels.get(ALERT_NAME, "")).strip("_-")[:60]
    name = made if re.match(r"[A-Za-z_]", made) else f"alert_{made}".rstrip("_")
    found = as_observed(alert, provider, unmanaged_marks(Address(ALERT.name, name)))
    fields: dict[str, object] = {"labels": labels, "annotations": found.attributes["annotations"]}
    if "generator_url" in found.attributes:
        fields["generator_url"] = found.attributes["generator_url"]
    left = (found.expires_at or 0) - found.starts_at
    fields["timeout"] = format_duration(left if left > 0 else DEFAULT_TIMEOUT)
    declared = {key: value for key, value in fields.items() if value not in ({}, None)}
    unadoptable = RESENT if "generator_url" in fields else SAME_ALERT if keeps_labels else None
    return UnmanagedAlarm(declared, found, unadoptable, str(alert.get("fingerprint") or "") or None)
