"""Resource types: what a provider can manage, as a model of fields and pure functions over it."""

from __future__ import annotations

from typing import Protocol, cast, runtime_checkable

from pydantic import BaseModel

from reconciler.core.desired import Declaration, Desired, Kind
from reconciler.core.observed import Marks, Observed


class ResourceType(Protocol):
    """What a provider can manage: a pydantic model of its fields, and pure functions over it.

    None of them does input or output or reads a clock: the planner calls them.
    """

    @property
    def name(self) -> str:
        """The word under ``resources``, for example ``aom_alarm``."""

    @property
    def kind(self) -> Kind: ...

    @property
    def model(self) -> type[BaseModel]:
        """The fields a user may write, without those every resource has (for_each, provider, lifecycle,
        occurrence...).
        """

    def desired(self, declared: Declaration) -> Desired:
        """What is declared, as a desired value; raises ValueError if fields contradict each other."""

    def push(self, desired: Desired, marks: Marks, starts_at: int) -> tuple[str, int | None]:
        """The JSON text of the item that raises or records it, and the last instant (epoch ms) it may be sent at.

        ``starts_at`` is when it begins: the instant of planning for a new object, the old beginning for an update.
        """

    def clear(self, observed: Observed, ends_at: int) -> str:
        """The JSON text of the item that clears it; facts are never cleared."""


@runtime_checkable
class EndsFirst(Protocol):
    """A resource type of a service that keeps something of an object which a repeated push cannot take back."""

    def must_end_first(self, desired: Desired, observed: Observed, starts_at: int) -> bool:
        """Whether the object is to be replaced, cleared and then pushed anew, for an update to take effect."""

    def push_anew(self, desired: Desired, marks: Marks, starts_at: int, ended: Observed) -> tuple[str, int | None]:
        """As ``push``, but of two items in a JSON list, sent in one request: the first clears ``ended``."""


@runtime_checkable
class FollowsProvider(Protocol):
    """A resource type whose objects depend on the settings of their provider."""

    def under(self, desired: Desired, settings: BaseModel) -> Desired:
        """What is declared, as these settings have it."""


@runtime_checkable
class NotesUpdates(Protocol):
    """A resource type of which a plan says something beside every update."""

    @property
    def update_note(self) -> str: ...


@runtime_checkable
class NotesImports(Protocol):
    """A resource type of a service that may notify when an unmanaged alarm is taken over."""

    @property
    def import_note(self) -> str:
        """What the service does then, in a sentence for the reader of a plan."""


@runtime_checkable
class NotesMoves(Protocol):
    """A resource type of a service that may notify of an alarm that goes on firing under another address."""

    def move_note(self, desired: Desired) -> str | None:
        """What the service does then, in a sentence for the reader of a plan; None if it is nothing."""


_FOLLOWS: dict[type, bool] = {}


def follows_provider(kind: ResourceType) -> FollowsProvider | None:
    """The type if it follows its provider. A class is examined once: for each object it would take too long."""
    known = _FOLLOWS.get(type(kind))
    if known is None:
        known = _FOLLOWS[type(kind)] = isinstance(kind, FollowsProvider)
    return cast("FollowsProvider", kind) if known else None
