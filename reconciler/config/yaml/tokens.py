"""Tokens: the words and signs of a YAML text, as ruamel.yaml's C scanner tells them."""

from collections.abc import Iterator
from typing import NamedTuple

from _ruamel_yaml import CParser  # type: ignore[import-not-found]  # a C module without type information
from ruamel.yaml.tokens import ScalarToken


class Token(NamedTuple):
    """One token: the name of its class, where it begins and ends (characters), the column it begins in (from 0).

    ``style`` is that of a scalar (``'``, ``"``, ``|``, ``>``, "" for a plain one), None for any other token.
    """

    kind: str
    start: int
    end: int
    column: int
    style: str | None


def tokens(data: bytes) -> Iterator[Token]:
    """Every token of a text but those of its stream; raises YAMLError."""
    scan = CParser(data).get_token
    scan()
    while (token := scan()) is not None:
        kind = type(token).__name__.removesuffix("Token")
        if kind == "StreamEnd":
            return
        style = (token.style or "") if isinstance(token, ScalarToken) else None
        yield Token(kind, token.start_mark.index, token.end_mark.index, token.start_mark.column, style)
