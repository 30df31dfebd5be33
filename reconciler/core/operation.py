"""Operations and outcomes: one push or clear to send, and its result."""

from enum import StrEnum
from typing import NamedTuple

from reconciler.core.address import Address


class Verb(StrEnum):
    """What an operation does at the service."""

    PUSH = "push"
    CLEAR = "clear"


class Operation(NamedTuple):
    """One item to send.

    ``payload`` is the JSON text of the item, sent byte for byte. ``key`` is the idempotency key: it depends on the plan
    and the change, and is part of the marks of a push. ``target`` is the service's id of the object that a clear ends.
    ``depends_on`` is the key of the operation that must be done first. ``only_if_duplicate`` marks a clear that is sent
    only if its target is still active beside what ``depends_on`` pushed: a service that opens a second alarm for a
    repeated push needs it, a service that refreshes the existing alarm does not. ``send_by`` is the last instant (epoch
    ms) at which it may be sent. ``begins_at`` is the start (epoch ms) in the pushed item, fixed when first planned, so
    that a retried event has the same start. ``is_recorded`` marks the push of an event that is on record under another
    address: it is journalled, and not sent.
    """

    key: str
    address: Address
    provider: str
    verb: Verb
    payload: str
    digest: str | None = None
    occurrence: str | None = None
    target: str | None = None
    depends_on: str | None = None
    only_if_duplicate: bool = False
    send_by: int | None = None
    begins_at: int | None = None
    is_recorded: bool = False


class Status(StrEnum):
    """The result of an operation: ``unknown`` until a query shows whether the service has it."""

    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"


class ServiceErrorDetail(NamedTuple):
    """A service's error message, and the request that caused it, without secrets."""

    message: str
    status: int | None = None
    code: str | None = None
    trace_id: str | None = None
    request: str | None = None

    def __str__(self) -> str:
        head = " ".join(part for part in (str(self.status or ""), self.code or "") if part)
        tail = f" (trace {self.trace_id})" if self.trace_id else ""
        return f"{head}: {self.message}{tail}" if head else f"{self.message}{tail}"


class Outcome(NamedTuple):
    """The result of an operation; ``id`` is the service's id if the response has one."""

    key: str
    status: Status
    error: ServiceErrorDetail | None = None
    id: str | None = None
