"""Unmanaged alerts: an alert without marks, as the fields that would declare it."""

from __future__ import annotations

import re

from reconciler.core.address import Address
from reconciler.core.duration import format_duration
from reconciler.core.unmanaged import UnmanagedAlarm, unmanaged_marks
from reconciler.providers.alertmanager.fields import ALERT_NAME, DEFAULT_TIMEOUT
from reconciler.providers.alertmanager.resource_types import ALERT
from reconciler.providers.alertmanager.wire import Alert, as_observed, labels_of


def unmanaged_alert(alert: Alert, provider: str) -> UnmanagedAlarm:
    """The alert as somebody could declare it; Prometheus sends its own again as long as their rule fires."""
    labels = labels_of(alert)
    made = re.sub(r"[^A-Za-z0-9_-]+", "_", labels.get(ALERT_NAME, "")).strip("_-")[:60]
    name = made if re.match(r"[A-Za-z_]", made) else f"alert_{made}".rstrip("_")
    found = as_observed(alert, provider, unmanaged_marks(Address(ALERT.name, name)))
    fields: dict[str, object] = {"labels": labels, "annotations": found.attributes["annotations"]}
    if "generator_url" in found.attributes:
        fields["generator_url"] = found.attributes["generator_url"]
    left = (found.expires_at or 0) - found.starts_at
    fields["timeout"] = format_duration(left if left > 0 else DEFAULT_TIMEOUT)
    return UnmanagedAlarm({key: value for key, value in fields.items() if value not in ({}, None)}, found)
