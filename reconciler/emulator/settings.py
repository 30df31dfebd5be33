"""Settings: how the emulator behaves where the API pages leave it open, also as ``NAME=VALUE`` texts."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from reconciler.emulator.alertmanager.matcher import Version
from reconciler.emulator.aom.notifications import NotificationRule
from reconciler.emulator.fault import Fault

HOUR = 3_600_000
DAY = 24 * HOUR


def wall_clock() -> int:
    """The machine's clock in epoch milliseconds."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class User:
    """A user who may request a token from IAM."""

    name: str
    password: str = field(repr=False)
    domain: str | None = None
    """The account name in the request; None accepts any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings of an emulator (``docs/emulator.md``); durations are milliseconds."""

    db: Path | str | None = None
    """The SQLite file; None keeps everything in memory."""
    hosts: frozenset[str] = frozenset()
    """The accepted host names, besides those of loopback."""
    clock: Callable[[], int] = wall_clock
    """Epoch milliseconds; the admin endpoint shifts and scales it."""
    seed: Path | str | None = None
    """A YAML or JSON file loaded at the start."""

    # Authentication
    token: str | None = field(default=None, repr=False)
    """The only token accepted besides those that IAM issued; None accepts any."""
    keys: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Maps access keys to secret keys, for both vendors' signatures; empty accepts any signature."""
    check_signature_time: bool = False
    users: tuple[User, ...] = ()
    """The users who may request a token; empty accepts everyone."""
    token_lifetime: int = 24 * HOUR
    projects: Mapping[str, str] = field(default_factory=dict)
    """Maps project names to project ids for IAM; an unlisted name is its own id."""

    # AOM
    on_repeat: Literal["merge", "duplicate"] = "merge"
    merge_on: Literal["metadata", "mandatory"] = "metadata"
    """What must be equal for alarms to be merged: all metadata, or only the mandatory keys."""
    on_bad_event: Literal["reject-batch", "reject-event"] = "reject-batch"
    timeout_from: Literal["start", "arrival"] = "start"
    merged_start: Literal["latest", "first"] = "latest"
    time_range_on: Literal["start", "arrival"] = "start"
    visible_after: int = 0
    default_timeout: int = 5 * DAY
    default_step: int = 60_000
    default_enterprise_project: Literal["default", "all"] = "default"
    """What a query without the header covers: enterprise project 0, or all."""
    missing_start: Literal["reject", "arrival"] = "reject"
    clear_by: Literal["id", "id-and-metadata"] = "id"
    clear_needs_id: bool = False
    search_in: Literal["all", "mandatory"] = "all"
    annotation_texts: Literal["keep", "trim", "lower-case", "escape", "first-line"] = "keep"
    """How texts in annotations are changed before they are stored; ``escape`` escapes HTML."""
    batch_limit: int | None = None
    page_limit: int = 1_000
    error_text: Literal["page", "error_msg", "error_message"] = "page"
    notifications: tuple[NotificationRule, ...] = ()

    # CES
    ces_status: Literal[200, 201] = 201
    ces_newlines: Literal["keep", "escape"] = "keep"

    # BCM
    bcm_error_status: int = 200
    bcm_operator: Literal["as-stored", "OPERATOR_TYPE", "OPER_TYPE"] = "as-stored"
    bcm_instance_id: Literal["as-stored", "InstanceId", "instanceId"] = "as-stored"
    bcm_omit: tuple[str, ...] = ()
    """Fields omitted from each alarm in responses, dotted (``policy.level``)."""
    bcm_end_time: Literal["zero", "absent"] = "zero"

    # SMN
    smn_region: str = "cn-north-4"
    smn_endpoints: tuple[str, ...] = ()
    """URLs with confirmed subscriptions to the topic of a notification rule that names no topic."""
    smn_duplicates: int = 0
    """How often each message is sent again although it was acknowledged."""
    smn_retry_after: int = 1_000
    smn_block: int = 300_000
    """How long an endpoint gets no messages after one has failed finally."""

    # HTTPS
    tls_certificate: Path | str | None = None
    tls_key: Path | str | None = None

    # Alertmanager
    alertmanager_version: Version = "0.25.0"
    alertmanager_peers: int = 1
    alertmanager_peer_timeout: int = 15_000
    """How long each peer waits for the one before it to notify first."""
    alertmanager_config: Mapping[str, object] | None = None
    """The content of an ``alertmanager.yml``; None is one receiver without integrations."""
    alertmanager_keeps_alerts: bool = False
    """Whether alerts are stored in the database too, for an emulator that ends with every command."""

    # Faults, and what tests inspect
    faults: tuple[Fault | str, ...] = ()
    recorded_requests: int = 10_000
    max_body: int = 16 * 1024 * 1024


_ELSEWHERE = {"db", "hosts", "clock", "seed", "token", "keys", "users", "projects", "notifications", "faults"} | {
    "tls_certificate",
    "tls_key",
    "smn_region",
    "smn_endpoints",
    "alertmanager_config",
}
_DURATION = re.compile(r"(\d{1,12})(ms|s|m|h|d)")
_UNITS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


def switches() -> dict[str, str]:
    """Every switch by name, with a description of its values."""
    return {name: _words(kind) for name, kind in _kinds().items()}


def read_switches(texts: Iterable[str]) -> dict[str, Any]:
    """Parse texts such as ``clear_by=id`` or ``default_timeout=3d`` into keyword arguments for ``Settings``.

    Raises ValueError, with a message for the user, for an unknown name or an invalid value.
    """
    kinds = _kinds()
    read: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        name = name.strip().replace("-", "_")
        if not equals:
            raise ValueError(f"switch {text!r} has no value: write NAME=VALUE")
        if name not in kinds:
            raise ValueError(f"there is no switch {name!r}; there are {', '.join(kinds)}")
        try:
            read[name] = _value(kinds[name], value.strip())
        except ValueError:
            raise ValueError(f"switch {name} takes {_words(kinds[name])}, not {value!r}") from None
    return read


def _kinds() -> dict[str, Any]:
    return {name: kind for name, kind in get_type_hints(Settings).items() if name not in _ELSEWHERE}


def _words(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return " or ".join(map(str, get_args(kind)))
    if kind is bool:
        return "true or false"
    if get_origin(kind) is tuple:
        return "names with commas between"
    return "a whole number, or a duration like 30s, 12h or 3d"


def _value(kind: Any, text: str) -> object:
    if get_origin(kind) is Literal:
        return {str(each): each for each in get_args(kind)}[text] if text in map(str, get_args(kind)) else _wrong()
    if kind is bool:
        return {"true": True, "false": False}[text] if text in ("true", "false") else _wrong()
    if get_origin(kind) is tuple:
        return tuple(part.strip() for part in text.split(",") if part.strip())
    match = _DURATION.fullmatch(text)
    if match:
        return int(match[1]) * _UNITS[match[2]]
    return int(text) if re.fullmatch(r"\d{1,15}", text) else _wrong()


def _wrong() -> object:
    raise ValueError
