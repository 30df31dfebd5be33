"""Data sources: read-only queries, as a model of their filters and a table of what an item of their result holds."""

from collections.abc import Mapping
from typing import NamedTuple, Protocol, runtime_checkable

from pydantic import BaseModel

Item = Mapping[str, object]
"""One alarm or event a query found: plain JSON values under the documented names; None where the service told nothing.

A value of an enumeration stays as the service wrote it, known or not.
"""

NOTIFICATIONS = "notifications"
"""The field that tells who was notified: a list of mappings, each with ``delivered``."""


class ItemField(NamedTuple):
    """What is documented of a field of an item.

    ``order`` holds the known values from least to greatest, where they have an order. ``detail`` says that it costs
    a request per item, made only where the field is asked for.
    """

    description: str
    order: tuple[str, ...] = ()
    detail: bool = False


class DataSource(Protocol):
    """A kind of query; like a resource type it does no input or output: the opened provider answers it."""

    @property
    def name(self) -> str:
        """The word under ``data``, for example ``bcm_alarms``."""

    @property
    def summary(self) -> str:
        """One line for lists."""

    @property
    def model(self) -> type[BaseModel]:
        """The filters a user may write."""

    @property
    def fields(self) -> Mapping[str, ItemField]:
        """What an item of the result holds, by name."""


@runtime_checkable
class HasDataSources(Protocol):
    """A provider type with something to query; one that only manages resources need not be one."""

    @property
    def data_sources(self) -> Mapping[str, DataSource]: ...


def sources_of(provider_type: object) -> Mapping[str, DataSource]:
    """The data sources of a provider type by name; none where it knows of no such thing."""
    return provider_type.data_sources if isinstance(provider_type, HasDataSources) else {}
