"""Fields: what a user may write for an alert (API v2, ``postableAlert``)."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from reconciler.core.duration import DAY, Duration, Instant, format_duration
from reconciler.core.marks import PREFIX

DEFAULT_TIMEOUT = 5 * 60_000
MAX_TIMEOUT = 365 * DAY
ALERT_NAME = "alertname"

_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


def _name(name: str) -> str:
    # Later servers take any name (0.27), earlier ones only these; senders and matchers sanitise the others.
    if not _NAME.fullmatch(name):
        raise ValueError("a name holds letters, digits and _ only, and does not begin with a digit")
    if name.startswith(PREFIX):
        raise ValueError(f"names that begin with {PREFIX} are for the marks")
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
        {}, description="What identifies and routes it, text to text; `alertname` is the resource's name unless given."
    )
    annotations: dict[Name, Text] = Field(
        {}, description="Further details, text to text: summary, description, runbook_url."
    )
    generator_url: Annotated[str, AfterValidator(_url)] | None = Field(
        None, description="An absolute URL that leads to what raised the alert."
    )
    timeout: Annotated[Duration, AfterValidator(_timeout)] = Field(
        DEFAULT_TIMEOUT,
        description="After how long it ends by itself; 5m by default. Sent as an explicit endsAt, always.",
        json_schema_extra={"default": format_duration(DEFAULT_TIMEOUT)},
    )
    starts_at: Annotated[Instant, Field(ge=0)] | None = Field(
        None,
        description="When it began, not in the future; by default when it is planned. The timeout counts from here.",
    )
