"""Data sources: read-only queries, each with a model of its filters and a description of its result items."""

from collections.abc import Mapping
from typing import NamedTuple, Protocol, runtime_checkable

from pydantic import BaseModel

from reconciler.core.diagnostic import Position

Item = Mapping[str, object]
"""One alarm or event that a query found: plain JSON values under the documented names; None if the service gave no
value.

A value of an enumeration stays as the service wrote it, known or not.
"""

NOTIFICATIONS = "notifications"
"""The field with the notified receivers: a list of mappings, each with ``delivered``."""


class ItemField(NamedTuple):
    """The documentation of an item's field.

    ``order`` has the known values from least to greatest, if they are ordered. ``detail`` says that the field takes a
    request per item, made only on demand.
    """

    description: str
    order: tuple[str, ...] = ()
    detail: bool = False


class DataSource(Protocol):
    """A kind of query; like a resource type it does no input or output: the opened provider runs it."""

    @property
    def name(self) -> str:
        """The word under ``data``, for example ``bcm_alarms``."""

    @property
    def summary(self) -> str:
        """One line for lists."""

    @property
    def model(self) -> type[BaseModel]:
        """The model of the filters that a user may write."""

    @property
    def fields(self) -> Mapping[str, ItemField]:
        """The fields of a result item, by name."""


class DataConfig(NamedTuple):
    """One query under ``data``: its data source, its name, the key of its provider, its filters."""

    source: DataSource
    name: str
    provider: str
    query: BaseModel
    position: Position | None = None

    @property
    def type(self) -> str:
        return self.source.name

    @property
    def label(self) -> str:
        """``TYPE.NAME``, as checks name it."""
        return f"{self.source.name}.{self.name}"


@runtime_checkable
class HasDataSources(Protocol):
    """A provider type with data sources; a type that only manages resources need not implement it."""

    @property
    def data_sources(self) -> Mapping[str, DataSource]: ...


def sources_of(provider_type: object) -> Mapping[str, DataSource]:
    """The data sources of a provider type by name; empty if it has none."""
    return provider_type.data_sources if isinstance(provider_type, HasDataSources) else {}
