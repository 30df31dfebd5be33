"""Events of the details as items of a data source; what is missing or no such type is None."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.core.data_source import Item
from reconciler.providers.decode import integer

_TOLD = ("event_level", "event_state", "event_user", "content", "resource_id", "resource_name", "group_id")


def to_item(event: Mapping[str, object]) -> Item:
    """One event under the documented names."""
    detail = event.get("detail")
    said: Mapping[str, object] = detail if isinstance(detail, dict) else {}
    dimensions = said.get("dimensions")
    return {
        "id": _text(event.get("event_id")),
        "event_name": _text(event.get("event_name")),
        "event_source": _text(event.get("event_source")),
        "time": integer(event.get("time")),
        "event_type": _text(said.get("event_type")),
        **{name: _text(said.get(name)) for name in _TOLD},
        "dimensions": [each for each in dimensions if isinstance(each, dict)] if isinstance(dimensions, list) else [],
    }


def _text(value: object) -> str | None:
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None
