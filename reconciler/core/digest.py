"""Digests: short hashes of values; equal digests mean that nothing has to be done."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from itertools import islice

from reconciler.core.text import write_escapes

_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode

_MANY = 1_000
"""How many values of a long list are encoded at once."""


def canonical(value: object) -> str:
    """JSON text that is equal for equal plain values, whatever the order of their keys.

    Lone surrogates are escaped, so that the text can be encoded.
    """
    return write_escapes(_encode(value))


def digest(value: object) -> str:
    """32 hexadecimal characters for a value of JSON types; mappings are compared without order."""
    return digest_text(_encode(value))


def digest_text(text: str) -> str:
    """32 hexadecimal characters for a text."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def digest_listed(first: Sequence[object], rest: Iterable[object]) -> str:
    """The digest of the list of ``first`` and of the list of ``rest``, which is never in memory as a whole."""
    found = blake2b(_encode([*first, []])[:-2].encode("utf-8", "surrogatepass"), digest_size=16)
    values, comma = iter(rest), ""
    while some := list(islice(values, _MANY)):
        found.update(f"{comma}{_encode(some)[1:-1]}".encode("utf-8", "surrogatepass"))
        comma = ","
    found.update(b"]]")
    return found.hexdigest()


def content_digest(type_name: str, identity: Mapping[str, str], attributes: Mapping[str, object]) -> str:
    """The digest of the content of an object of a resource type, declared or observed."""
    return digest_text(canonical((type_name, identity, attributes)))
