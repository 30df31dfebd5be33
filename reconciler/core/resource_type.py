"""Resource types: what a provider can manage, as a model of fields and pure functions."""

from __future__ import annotations

from typing import Protocol, cast, runtime_checkable

from pydantic import BaseModel

from reconciler.core.desired import Declaration, Desired, Kind
from reconciler.core.observed import Marks, Observed


class ResourceType(Protocol):
    """What a provider can manage: a pydantic model of its fields, and pure functions.

    The planner calls them, so none does input or output or reads a clock.
    """

    @property
    def name(self) -> str:
        """The word under ``resources``, for example ``aom_alarm``."""

    @property
    def kind(self) -> Kind: ...

    @property
    def model(self) -> type[BaseModel]:
        """The fields a user may write, without the common ones (for_each, provider, lifecycle, occurrence...)."""

    def desired(self, declared: Declaration) -> Desired:
        """The desired value of a declaration. Raises ValueError if fields contradict each other."""

    def push(self, desired: Desired, marks: Marks, starts_at: int) -> tuple[str, int | None]:
        """The JSON text of the item that raises or records it, and the last instant (epoch ms) at which it may be sent.

        ``starts_at`` is its start: the instant of planning for a new object, the old start for an update.
        """

    def clear(self, observed: Observed, ends_at: int) -> str:
        """The JSON text of the item that clears it; events are never cleared."""


@runtime_checkable
class EndsFirst(Protocol):
    """A resource type of a service that keeps something of an object that a repeated push cannot undo."""

    def must_end_first(self, desired: Desired, observed: Observed, starts_at: int) -> bool:
        """Whether an update requires a replace: the object is cleared, then pushed again."""

    def push_anew(self, desired: Desired, marks: Marks, starts_at: int, ended: Observed) -> tuple[str, int | None]:
        """Like ``push``, but with two items in a JSON list, sent in one request: the first clears ``ended``."""


@runtime_checkable
class FollowsProvider(Protocol):
    """A resource type whose objects depend on the settings of their provider."""

    def under(self, desired: Desired, settings: BaseModel) -> Desired:
        """The desired value under these settings."""


@runtime_checkable
class NotesUpdates(Protocol):
    """A resource type for which a plan shows a note with every update."""

    @property
    def update_note(self) -> str: ...


@runtime_checkable
class NotesImports(Protocol):
    """A resource type of a service that may notify when an unmanaged alarm is adopted."""

    @property
    def import_note(self) -> str:
        """What the service does then, as a sentence in the plan."""


@runtime_checkable
class NotesMoves(Protocol):
    """A resource type of a service that may notify of an alarm that keeps firing under another address."""

    def move_note(self, desired: Desired) -> str | None:
        """What the service does then, as a sentence in the plan; None if nothing."""


_FOLLOWS: dict[type, bool] = {}


def follows_provider(kind: ResourceType) -> FollowsProvider | None:
    """The type as ``FollowsProvider`` if it is one. Each class is checked once, since a check per object is too
    slow.
    """
    known = _FOLLOWS.get(type(kind))
    if known is None:
        known = _FOLLOWS[type(kind)] = isinstance(kind, FollowsProvider)
    return cast("FollowsProvider", kind) if known else None
