"""Sources: the texts a configuration is read from, handed in by the edges."""

from typing import NamedTuple


class Source(NamedTuple):
    """One file, as bytes; ``name`` is what diagnostics call it (its path relative to the stack)."""

    name: str
    text: bytes
