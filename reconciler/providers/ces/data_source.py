"""The data source of CES: recorded events (list and details of events), typed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from reconciler.core.data_source import Item, ItemField
from reconciler.core.desired import SEVERITIES, Severity
from reconciler.providers.response import integer, scalar_text
from reconciler.providers.window import Window

Text = Annotated[str, Field(min_length=1)]


class CesEventsQuery(Window):
    """Events recorded in Huawei Cloud Eye, one item for each."""

    model_config = ConfigDict(title="ces_events")

    event_type: Literal["EVENT.CUSTOM", "EVENT.SYS"] = Field(
        "EVENT.CUSTOM", description="Events that were reported, or events of the cloud itself."
    )
    event_name: Text | None = Field(
        None, description="Their name; all by default, which takes a request for each name."
    )
    event_source: Text | None = Field(None, description="Where they come from, as service.item.")
    event_level: Severity | None = Field(None, description="How severe they are.")
    event_state: Literal["normal", "warning", "incident"] | None = Field(
        None, description="The state that they report."
    )
    event_user: Text | None = Field(None, description="Who caused them.")

    def filters(self) -> list[tuple[str, str]]:
        """The filters of the event details."""
        given = {
            "event_source": self.event_source,
            "event_level": self.event_level,
            "event_state": self.event_state,
            "event_user": self.event_user,
        }
        return [(key, value) for key, value in given.items() if value is not None]


FIELDS = {
    "id": ItemField("The event's id."),
    "event_name": ItemField("Its name."),
    "event_source": ItemField("Where it comes from."),
    "time": ItemField("When it happened, epoch milliseconds."),
    "event_type": ItemField("EVENT.CUSTOM or EVENT.SYS."),
    "event_level": ItemField("Info, Minor, Major or Critical, in this order.", SEVERITIES),
    "event_state": ItemField("normal, warning or incident."),
    "event_user": ItemField("Who caused it."),
    "content": ItemField("What happened, in words; some places write a line break as \\n."),
    "resource_id": ItemField("The id of the resource it is about."),
    "resource_name": ItemField("The name of the resource it is about."),
    "group_id": ItemField("The resource group it belongs to."),
    "dimensions": ItemField("The dimensions that name the resource, each with name and value."),
}


class CesEvents:
    """The data source ``ces_events``."""

    name = "ces_events"
    summary = "events recorded in Huawei Cloud Eye"
    model: type[BaseModel] = CesEventsQuery
    fields: Mapping[str, ItemField] = FIELDS


EVENTS = CesEvents()


_TOLD = ("event_level", "event_state", "event_user", "content", "resource_id", "resource_name", "group_id")


def to_item(event: Mapping[str, object]) -> Item:
    """One event under the documented names."""
    detail = event.get("detail")
    said: Mapping[str, object] = detail if isinstance(detail, dict) else {}
    dimensions = said.get("dimensions")
    return {
        "id": scalar_text(event.get("event_id")),
        "event_name": scalar_text(event.get("event_name")),
        "event_source": scalar_text(event.get("event_source")),
        "time": integer(event.get("time")),
        "event_type": scalar_text(said.get("event_type")),
        **{name: scalar_text(said.get(name)) for name in _TOLD},
        "dimensions": [each for each in dimensions if isinstance(each, dict)] if isinstance(dimensions, list) else [],
    }
