"""for_each: the instances one resource makes."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.config.expressions.values import as_text
from reconciler.config.yaml.node import Value, kind

MAX_INSTANCES = 1_000_000


def instances(value: Value) -> Iterator[tuple[str, Value, Value]]:
    """The key in the address, ``each.key`` and ``each.value`` of each instance.

    A list gives its items, each once: texts, numbers, lists of these (``product`` makes them; their items joined by
    ``/`` are the key), or mappings with an ``id``, as queries find them, which is the key then. A mapping gives its
    entries. Raises ValueError on anything else.
    """
    if isinstance(value, dict):
        for key, item in value.items():
            yield key, key, item
        return
    if not isinstance(value, list):
        raise ValueError(f"for_each takes a list or a mapping, not {kind(value)}")
    seen: set[str] = set()
    for item in value:
        named = item.get("id") if isinstance(item, dict) else _joined(item) if isinstance(item, list) else item
        if isinstance(named, bool) or not isinstance(named, str | int | float) or named == "":
            what = "an empty text" if item == "" else kind(item)
            raise ValueError(
                f"the items of for_each must be texts, numbers, or mappings with an id, not {what}"
                f"{' without one' if isinstance(item, dict) else ''}; use a mapping to give each a name"
            )
        key = as_text(named)
        if key in seen:
            raise ValueError(f'for_each names "{key}" twice; each instance needs an address of its own')
        seen.add(key)
        yield key, named, item


def _joined(items: list[Value]) -> Value:
    """The key of a list of texts and numbers; the list itself if it holds anything else."""
    for item in items:
        if isinstance(item, bool) or not isinstance(item, str | int | float) or item == "":
            return items
    return "/".join(map(as_text, items)) if items else items
