"""for_each: the instances one resource makes."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.config.node import Plain, kind
from reconciler.config.plain import as_text

MAX_INSTANCES = 1_000_000


def instances(value: Plain) -> Iterator[tuple[str, Plain, Plain]]:
    """The key in the address, ``each.key`` and ``each.value`` of each instance.

    A list gives its items (texts or numbers, each once); a mapping its entries. Raises ValueError on anything else.
    """
    if isinstance(value, dict):
        for key, item in value.items():
            yield key, key, item
        return
    if not isinstance(value, list):
        raise ValueError(f"for_each takes a list or a mapping, not {kind(value)}")
    seen: set[str] = set()
    for item in value:
        if isinstance(item, bool) or not isinstance(item, str | int | float):
            raise ValueError(
                f"the items of for_each must be texts or numbers, not {kind(item)}; use a mapping to give each a name"
            )
        key = as_text(item)
        if key in seen:
            raise ValueError(f'for_each names "{key}" twice; each instance needs an address of its own')
        seen.add(key)
        yield key, item, item
