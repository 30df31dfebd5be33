"""Decides which lines of a configuration could hold a secret and are never shown.

This runs only if there is a problem to show, so it parses the text again: what is missing from the parsed values (a
duplicate or a misspelled key) may be where the secret is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from typing import Any

from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import AliasEvent, MappingStartEvent, ScalarEvent, SequenceStartEvent, StreamEndEvent

from reconciler.config.yaml.legible import scannable
from reconciler.config.yaml.parser import events
from reconciler.config.yaml.source_map import SourceMap

_SECRET = ("providers", "variables")
_SHORT = ("stack", "include")
_URL = "ledger"
"""A key of the top level whose URL may hold a password."""
_SUSPICIOUS = r"(?i)auth|token|secret|passw|sensitive|default|\b[as]k\b"
_TOP = r"([A-Za-z_]+)[ \t]*:"


class _Span:
    """A value's range in a text; ``entries`` of a mapping are its keys with their values."""

    def __init__(self, start: int, end: int) -> None:
        self.start = start
        self.end = end
        self.text: str | None = None
        self.anchor: str | None = None
        self.alias: str | None = None
        self.entries: list[tuple[_Span, _Span]] = []
        self.items: list[_Span] = []
        self.is_mapping = False

    def walk(self) -> Iterator[_Span]:
        yield self
        for key, value in self.entries:
            yield from key.walk()
            yield from value.walk()
        for item in self.items:
            yield from item.walk()


def safe_lines(
    source_map: SourceMap, files: Collection[str], sections: Collection[str], settings: Collection[str]
) -> Callable[[int], bool]:
    """Returns a predicate that says whether a position's line may be shown.

    ``files`` are those of the stack: other files hold values of variables. ``sections`` are the known top-level keys,
    ``settings`` the keys of a provider block that hold no secret.
    """
    hidden: dict[int, frozenset[int] | None] = {}

    def is_safe_to_show(offset: int) -> bool:
        text, base = source_map.text(offset)
        position = source_map.position(offset)
        if position.file not in files:
            return False
        if base not in hidden:
            hidden[base] = _hidden_lines(text, base, source_map, sections, settings)
        lines = hidden[base]
        return _harmless(text, offset - base, sections) if lines is None else position.line not in lines

    return is_safe_to_show


def _hidden_lines(
    text: str, base: int, source_map: SourceMap, sections: Collection[str], settings: Collection[str]
) -> frozenset[int] | None:
    """The lines that could hold a secret; None if the text cannot be read as YAML."""
    try:
        read = events(scannable(text).encode())
        read()
        read()
        root = _span(read(), read, 0)
        read()
        if not isinstance(read(), StreamEndEvent):
            return None
    except (YAMLError, _TooDeepError):
        return None
    secret = [*_secret_spans(root, sections, settings)]
    aliases = {span.alias for outer in secret for span in outer.walk() if span.alias}
    secret += [span for span in root.walk() if span.anchor in aliases]
    lines: set[int] = set()
    for span in secret:
        last = source_map.position(base + max(span.start, span.end - 1)).line
        lines.update(range(source_map.position(base + span.start).line, last + 1))
    return frozenset(lines)


def _secret_spans(root: _Span, sections: Collection[str], settings: Collection[str]) -> Iterator[_Span]:
    if not root.is_mapping:
        yield root
    for span in root.walk():  # even if they are misplaced
        yield from (value for key, value in span.entries if key.text == "auth")
        if _is_sensitive(span):
            yield span
    for key, value in root.entries:
        if key.text not in sections or key.text == _URL:
            yield value
        elif key.text in _SECRET:
            if not value.is_mapping:
                yield value
            for _, block in value.entries:
                if not block.is_mapping or (key.text == "variables" and _may_be_sensitive(block)):
                    yield block
                elif key.text == "providers":
                    yield from (inner for name, inner in block.entries if name.text not in settings or inner.is_mapping)


def _is_sensitive(block: _Span) -> bool:
    return any(key.text == "env" or (key.text == "sensitive" and value.text != "false") for key, value in block.entries)


def _may_be_sensitive(block: _Span) -> bool:
    """Whether a variable is sensitive, uses the environment, or has a key that may be misspelled."""
    from reconciler.config.blocks.variables import Variable

    return _is_sensitive(block) or any(
        key.text not in Variable.model_fields or "${" in (value.text or "") for key, value in block.entries
    )


class _TooDeepError(Exception):
    pass


def _span(event: Any, read: Callable[[], Any], depth: int) -> _Span:
    if depth > 100:
        raise _TooDeepError
    if not isinstance(event, AliasEvent | ScalarEvent | MappingStartEvent | SequenceStartEvent):
        return _Span(0, 0)
    span = _Span(event.start_mark.index, event.end_mark.index)
    if isinstance(event, AliasEvent):
        span.alias = event.anchor
        return span
    span.anchor = event.anchor
    if isinstance(event, ScalarEvent):
        span.text = event.value
        return span
    span.is_mapping = isinstance(event, MappingStartEvent)
    while True:
        event = read()
        if not isinstance(event, AliasEvent | ScalarEvent | MappingStartEvent | SequenceStartEvent):
            span.end = event.end_mark.index
            return span
        inner = _span(event, read, depth + 1)
        if span.is_mapping:
            span.entries.append((inner, _span(read(), read, depth + 1)))
        else:
            span.items.append(inner)


def _harmless(text: str, index: int, sections: Collection[str]) -> bool:
    """Whether a line of a text that cannot be parsed belongs to a section without secrets."""
    end = text.find("\n", index)
    lines = text[: end if end >= 0 else len(text)].splitlines()
    if not lines or re.search(_SUSPICIOUS, lines[-1]):
        return False
    for line in reversed(lines):
        match = re.match(_TOP, line)
        if match:
            is_secret = match[1] not in sections or match[1] in (*_SECRET, _URL)
            return not is_secret and (match[1] not in _SHORT or line is lines[-1])
        if line[:1] not in ("", " ", "\t", "#", "-"):
            return False
    return False
