"""Observed: what a query found, parsed back into the shape of desired."""

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from reconciler.core.marks import Marks


class State(StrEnum):
    """Where an observed object is in its life."""

    ACTIVE = "active"
    CLEARED = "cleared"
    EXPIRED = "expired"
    LOST = "lost"
    """The service forgot it when it was restarted."""
    RECORDED = "recorded"


class Observed(NamedTuple):
    """One object a service showed us that carries our marks; instants are epoch milliseconds.

    ``identity`` and ``attributes`` are without marks, in the shape of ``Desired``. ``expires_at`` is the earliest
    instant at which the service may clear the object by itself, None where it never does. ``ended_at`` is None while
    active. ``missing_at`` names the instances of a service that should show it and do not.
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
