"""Addresses: the name of one object in a stack, declared or raised by a check."""

import json
from typing import NamedTuple, Self

from reconciler.core.text import carry, write_escapes

_quote = json.JSONEncoder(ensure_ascii=False).encode


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
        head, bracket, rest = text.partition("[")
        kind, _, name = head.partition(".")
        if not (_is_word(kind) and _is_word(name.replace("-", "_")) and name[0] != "-") or (
            bracket and rest[-1:] != "]"
        ):
            raise ValueError(f'{text!r} is not an address: expected TYPE.NAME or TYPE.NAME["KEY"]')
        if not bracket:
            return cls(kind, name)
        try:
            key = json.loads(rest[:-1])
        except (ValueError, RecursionError):
            key = None
        if not isinstance(key, str):
            raise ValueError(f'{text!r} is not an address: its key is not a quoted string ["KEY"]')
        return cls(kind, name, carry(key))

    def covers(self, other: "Address") -> bool:
        """Whether this address includes the other: itself, or every instance of a for_each."""
        return self == other or (self.key is None and self[:2] == other[:2])


def _is_word(text: str) -> bool:
    return text.isascii() and text.isidentifier()


NAME = "reconciler_canary"
"""The resource name of canaries; the key is the name of the check."""


def canary_address(check: str, kind: str) -> "Address":
    """The address of a check's canary, which no configuration declares, so that a plan clears a leftover one."""
    return Address(kind, NAME, check)
