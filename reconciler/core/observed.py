"""Observed: an object that a query found, parsed into the shape of desired, and the marks that identify ours
(rule 1).
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from reconciler.core.address import Address

PREFIX = "reconciler_"
STACK = "reconciler_stack"
ADDRESS = "reconciler_address"
OCCURRENCE = "reconciler_occurrence"
DIGEST = "reconciler_digest"
KEY = "reconciler_key"
RUN = "reconciler_run"
ON_REMOVE = "reconciler_on_remove"
FORGET = "forget"
"""The value of the mark ``reconciler_on_remove`` of an alarm that keeps firing when it is no longer declared."""


class Marks(NamedTuple):
    """The marks on an object that we pushed; each provider decides how its service stores them.

    ``run`` is the id of the plan that pushed it, so that the payload is known exactly when it is planned. ``forget``
    says that it keeps firing when it is no longer declared.
    """

    stack: str
    address: Address
    digest: str
    key: str
    run: str
    occurrence: str | None = None
    forget: bool = False


def content_marks(marks: Marks) -> dict[str, str]:
    """The marks that an object carries besides those it is found by, for services that cannot filter by them."""
    told = {DIGEST: marks.digest, KEY: marks.key, RUN: marks.run}
    return {**told, ON_REMOVE: FORGET} if marks.forget else told


class State(StrEnum):
    """The state of an observed object."""

    ACTIVE = "active"
    CLEARED = "cleared"
    EXPIRED = "expired"
    LOST = "lost"
    """Lost in a restart of the service."""
    RECORDED = "recorded"


class Observed(NamedTuple):
    """One object that a service shows and that carries our marks; instants are epoch milliseconds.

    ``identity`` and ``attributes`` are without marks, in the shape of ``Desired``. ``expires_at`` is the earliest
    instant at which the service may clear the object by itself, None if it never does. ``ended_at`` is None while
    active. ``missing_at`` names the instances of a service that should show it and do not. ``suppressed_by`` says why
    it is not notified, such as ``silenced by ID``; None if the service does not say.
    """

    provider: str
    id: str
    marks: Marks
    state: State
    identity: Mapping[str, str]
    attributes: Mapping[str, object]
    starts_at: int
    expires_at: int | None = None
    ended_at: int | None = None
    missing_at: tuple[str, ...] = ()
    suppressed_by: tuple[str, ...] | None = None


class UnmanagedAlarm(NamedTuple):
    """An alarm that no stack owns; ``fields`` are those of its resource type, as a user would write them (plain JSON
    values).

    ``observed`` is without marks (see ``NO_OWNER``); its address is a proposal that need not be unique. ``unadoptable``
    is why a stack cannot adopt it, None if it can. ``known_as`` is the id under which the service shows it, if
    ``observed`` has another.
    """

    fields: Mapping[str, object]
    observed: Observed
    unadoptable: str | None = None
    known_as: str | None = None

    @property
    def id(self) -> str:
        """The id as users see it."""
        return self.known_as or self.observed.id


NO_OWNER = Marks("", Address("", ""), "", "", "")
"""The marks of an unmanaged alarm, except for its address."""


def unmanaged_marks(address: Address) -> Marks:
    """The marks of an unmanaged alarm, at a proposed address."""
    return NO_OWNER._replace(address=address)


def is_unmanaged(marks: Marks) -> bool:
    """Whether these are the marks of an unmanaged alarm."""
    return marks._replace(address=NO_OWNER.address) == NO_OWNER
