"""Addresses: the name of one object in a stack, declared or raised by a check."""

import json
import re
from typing import NamedTuple, Self

from reconciler.core.text import carry, write_escapes

_quote = json.JSONEncoder(ensure_ascii=False).encode
_ADDRESS = re.compile(r"(?P<type>[A-Za-z_][A-Za-z0-9_]*)\.(?P<name>[A-Za-z_][A-Za-z0-9_-]*)(?:\[(?P<key>.*)\])?", re.S)


class Address(NamedTuple):
    """One object of a stack: ``TYPE.NAME``, or ``TYPE.NAME["KEY"]`` for an instance made by for_each."""

    type: str
    name: str
    key: str | None = None

    def __str__(self) -> str:
        kind, name, key = self
        return f"{kind}.{name}" if key is None else f"{kind}.{name}[{write_escapes(_quote(key))}]"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse an address from its printed form. Raises ValueError for anything else."""
        match = _ADDRESS.fullmatch(text)
        if match is None:
            raise ValueError(f'{text!r} is not an address: expected TYPE.NAME or TYPE.NAME["KEY"]')
        key = match["key"]
        if key is not None:
            try:
                key = json.loads(key)
            except (ValueError, RecursionError):
                key = None
            if not isinstance(key, str):
                raise ValueError(f'{text!r} is not an address: its key is not a quoted string ["KEY"]')
        return cls(match["type"], match["name"], None if key is None else carry(key))

    def covers(self, other: "Address") -> bool:
        """Whether this address includes the other: itself, or every instance of a for_each."""
        return self == other or (self.key is None and self[:2] == other[:2])


NAME = "reconciler_canary"
"""The resource name of canaries; the key is the name of the check."""


def canary_address(check: str, kind: str) -> "Address":
    """The address of a check's canary, which no configuration declares, so that a plan clears a leftover one."""
    return Address(kind, NAME, check)
