"""The evidence of checks: the items that a query found, as names and values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pydantic import JsonValue

from reconciler.core.duration import format_instant
from reconciler.core.observed import DIGEST, KEY, RUN
from reconciler.views.html.text import text

_SHOWN = 10
_MAX_VALUE = 200
_TITLES = ("event_name", "name", "alertname", "alarm_name", "address", "id")
_INTERNAL = frozenset({DIGEST, KEY, RUN})
_FIRST_INSTANT, _LAST_INSTANT = 946_684_800_000, 4_102_444_800_000  # the years 2000 to 2100


def evidence_html(items: Sequence[Mapping[str, JsonValue]]) -> str:
    """Each item with its title and its values; empty without items."""
    if not items:
        return ""
    shown = "".join(_item(item) for item in items[:_SHOWN])
    more = f"<li>and {len(items) - _SHOWN} more</li>" if len(items) > _SHOWN else ""
    return f'<ul class="evidence">{shown}{more}</ul>'


def _item(item: Mapping[str, JsonValue]) -> str:
    facts = dict(_flat(item))
    title = next((name for name in _TITLES if facts.get(name)), None)
    head = f"<b>{text(facts.pop(title))}</b>" if title is not None else ""
    rest = " ".join(f"<span><i>{text(name)}</i> {text(_short(value))}</span>" for name, value in facts.items())
    return f"<li>{head}{rest}</li>"


def _flat(item: Mapping[str, JsonValue], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Names and values without nesting, and without values that do not help a reader."""
    for name, value in item.items():
        if value is None or value in ("", [], {}) or name in _INTERNAL:
            continue
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", _shown(name, value)


def _shown(name: str, value: JsonValue) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int) and name.endswith(("_at", "time")) and _FIRST_INSTANT < value < _LAST_INSTANT:
        return format_instant(value)
    if isinstance(value, list):
        return ", ".join(
            " ".join(f"{key} {part}" for key, part in _flat(each)) if isinstance(each, Mapping) else _shown(name, each)
            for each in value
        )
    return str(value)


def _short(value: str) -> str:
    return value if len(value) <= _MAX_VALUE else f"{value[:_MAX_VALUE]}…"
