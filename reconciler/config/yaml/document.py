"""Documents: parses YAML 1.2 text into plain values with a position for every key and value.

Values are built directly from the events of ruamel.yaml's C parser. Errors that do not affect the structure (a
duplicate key, a key that is not text, an unknown tag) are reported, and parsing continues; errors that make the rest
meaningless (invalid syntax, an exceeded limit) end it. No message quotes a value, since it is not yet known which
values are secret (a password that begins with ! or * is parsed as a tag or an alias).
"""

from __future__ import annotations

import re
from sys import intern
from typing import Any, NoReturn

from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from reconciler.config.diagnostics import DiagnosticCollector
from reconciler.config.yaml.legible import legible
from reconciler.config.yaml.parser import FIRST, events, resolve
from reconciler.config.yaml.source_map import Map, Node, Seq, Source, SourceMap, Value, kind

MAX_BYTES = 64 * 1024 * 1024
MAX_DEPTH = 64
MAX_ALIASED = 1_000_000
"""The maximum number of values that aliases may expand to in one file."""

_BAD_CHARACTER = "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]"
_TAG = "tag:yaml.org,2002:"
_SCALAR_TAGS = frozenset(_TAG + name for name in ("str", "int", "float", "bool", "null"))
_NODE_EVENTS = (MappingStartEvent, SequenceStartEvent)
_KEY_FIRST = FIRST | {"<"}


class _UnreadableError(Exception):
    """The rest of a file cannot be parsed; the problem is reported already."""


def read_document(source: Source, source_map: SourceMap, diagnostics: DiagnosticCollector) -> Node | None:
    """The single document of a file; None if it is empty or, with a problem reported, if it cannot be parsed."""
    try:
        return _Reader(source, source_map, diagnostics).document()
    except _UnreadableError:
        return None


class _Reader:
    """Parses one file; holds the parser, the anchors so far, and the collector of problems."""

    def __init__(self, source: Source, source_map: SourceMap, diagnostics: DiagnosticCollector) -> None:
        self._name = source.name
        self._source_map = source_map
        self._diagnostics = diagnostics
        self._anchors: dict[str, Value] = {}
        self._extents: dict[int, tuple[int, int]] = {}
        self._anchored: list[Value] = []
        self._aliased = 0
        data = source.text
        if len(data) > MAX_BYTES:
            self._base = source_map.add(source.name, "")
            self._fail(0, f"the file is {len(data):,} bytes long; at most {MAX_BYTES:,} are read")
        data = data.removeprefix(b"\xef\xbb\xbf")
        try:
            self._text = data.decode("utf-8")
        except UnicodeDecodeError as error:
            self._base = source_map.add(source.name, data[: error.start].decode("utf-8") + "\ufffd")
            index = len(data[: error.start].decode("utf-8"))
            self._fail(index, f"byte 0x{data[error.start]:02x} is not UTF-8", "save the file as UTF-8")
        self._base = source_map.add(source.name, self._text)
        self._legible = legible(self._text)
        self._next = events(data if self._legible.text is self._text else self._legible.text.encode())

    def document(self) -> Node | None:
        """Parse the document. If the parser rejects it, it is parsed again with the characters replaced that it may
        have misread.
        """
        try:
            return self._document()
        except MarkedYAMLError as error:
            found = self._legible.with_flow()
            if found is None:
                self._syntax(error)
        except YAMLError:
            self._bad_character()
        self._legible = found
        self._next = events(found.text.encode())
        self._anchors.clear()
        try:
            return self._document()
        except MarkedYAMLError as error:
            self._syntax(error)
        except YAMLError:
            self._bad_character()

    def _document(self) -> Node | None:
        self._next()
        event = self._next()
        if event.__class__ is StreamEndEvent:
            return None
        self._check_directives(event)
        event = self._next()
        offset = event.start_mark.index + self._base
        value = self._value(event, 1)
        self._next()
        event = self._next()
        if event.__class__ is not StreamEndEvent:
            self._fail(
                event.start_mark.index,
                "a second document starts here; a file can contain only one",
                "move it to another file",
            )
        value = self._legible.restored(value)
        return Node(value, offset, offset, self._source_map)

    def _mapping(self, start: Any, depth: int) -> Map:
        """The mapping whose start event was just read. This loop and ``_sequence`` take most of the loading time."""
        if depth > MAX_DEPTH:
            self._too_deep(start.start_mark.index)
        get, base = self._next, self._base
        result = Map()
        result.offsets = offsets = []
        while True:
            event = get()
            event_class = event.__class__
            if event_class is ScalarEvent:
                key = event.value
                if (
                    event.anchor is not None
                    or event.ctag is not None
                    or (key[:1] in _KEY_FIRST and not event.style and (key == "<<" or resolve(key) != key))
                ):
                    key = self._key(event, depth)
            elif event_class is MappingEndEvent:
                return result
            else:
                key = self._key(event, depth)
            key_offset = event.start_mark.index + base
            event = get()
            event_class = event.__class__
            if event_class is ScalarEvent:
                value = event.value
                if event.anchor is not None or event.ctag is not None:
                    value = self._value(event, depth)
                elif not event.style and value[:1] in FIRST:
                    value = resolve(value)
            elif event_class is MappingStartEvent and event.anchor is None and event.ctag is None:
                value = self._mapping(event, depth + 1)
            else:
                value = self._value(event, depth + 1)
            if key in result:
                self._duplicate(key, key_offset, result.offset_of_key(key))
            elif key is not None:
                result[intern(key)] = value
                offsets.append(key_offset)
                offsets.append(event.start_mark.index + base)

    def _sequence(self, start: Any, depth: int) -> Seq:
        if depth > MAX_DEPTH:
            self._too_deep(start.start_mark.index)
        get, base = self._next, self._base
        result = Seq()
        result.offsets = offsets = []
        while True:
            event = get()
            if event.__class__ is SequenceEndEvent:
                return result
            offsets.append(event.start_mark.index + base)
            result.append(self._value(event, depth + 1))

    def _value(self, event: object, depth: int) -> Value:
        """The value that starts with this event, with its anchor, tag or alias."""
        if isinstance(event, AliasEvent):
            return self._alias(event, depth)
        value: Value
        if isinstance(event, ScalarEvent):
            value = self._scalar(event)
        elif isinstance(event, MappingStartEvent):
            self._check_tag(event, "map")
            value = self._mapping(event, depth)
        else:
            assert isinstance(event, SequenceStartEvent)  # noqa: S101 - narrows a type
            self._check_tag(event, "seq")
            value = self._sequence(event, depth)
        if event.anchor is not None:
            self._anchors[event.anchor] = value
            if isinstance(value, Map | Seq):
                self._anchored.append(value)  # kept alive, so that its id stays unique
                self._extents[id(value)] = _extent(value, self._extents)
        return value

    def _scalar(self, event: ScalarEvent) -> Value:
        text: str = event.value
        tag = event.ctag
        if tag is None:
            return resolve(text) if not event.style and text[:1] in FIRST else text
        if tag in ("!", _TAG + "str"):
            return text
        if tag not in _SCALAR_TAGS:
            self._refuse_tag(event)
            return text
        value = resolve(text)
        name = tag.removeprefix(_TAG)
        if name == "float" and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if _name(value) != name:
            self._problem(event.start_mark.index, f"this is not a !!{name}")
        return value

    def _key(self, event: object, depth: int) -> str | None:
        """A key that is not a plain string; None, with a problem reported, if it is not allowed."""
        if isinstance(event, AliasEvent):
            value = self._alias(event, 0)
        elif isinstance(event, ScalarEvent):
            if event.value == "<<" and not event.style and event.ctag is None:
                self._problem(
                    event.start_mark.index,
                    "merge keys (<<) are not part of YAML 1.2",
                    'write the keys out, or share a value through locals: "${local.NAME}"; '
                    'quote the key ("<<") if it is meant as text',
                )
                return None
            value = self._value(event, 0)
        else:
            assert isinstance(event, _NODE_EVENTS)  # noqa: S101 - narrows a type
            self._problem(event.start_mark.index, "a key must be text, not a mapping or a list")
            self._value(event, depth + 1)
            return None
        if isinstance(value, str):
            return value
        index = event.start_mark.index
        written = event.value if isinstance(event, ScalarEvent) else ""
        hint = f'put it in quotes: "{written}"' if written and len(written) < 100 else "put it in quotes"
        self._problem(index, f"a key must be text; this one is {kind(value)}", hint)
        return None

    def _alias(self, event: AliasEvent, depth: int) -> Value:
        index = event.start_mark.index
        if event.anchor not in self._anchors:
            self._problem(
                index,
                "this alias names no anchor",
                "its anchor (&NAME) must stand before it, and not on a value that contains it; quote a text that "
                "begins with *",
            )
            return None
        value = self._anchors[event.anchor]
        if isinstance(value, Map | Seq):
            size, height = self._extents[id(value)]
            self._aliased += size
            if self._aliased > MAX_ALIASED:
                self._fail(index, f"the aliases of this file stand for more than {MAX_ALIASED:,} values")
            if depth + height - 1 > MAX_DEPTH:
                self._too_deep(index)
        return value

    def _check_tag(self, event: MappingStartEvent | SequenceStartEvent, name: str) -> None:
        if event.ctag not in (None, "!", _TAG + name):
            self._refuse_tag(event)

    def _refuse_tag(self, event: ScalarEvent | MappingStartEvent | SequenceStartEvent) -> None:
        self._problem(
            event.start_mark.index,
            "this tag is not allowed here",
            "only !!str, !!int, !!float, !!bool, !!null, !!map and !!seq are; quote a text that begins with !",
        )

    def _check_directives(self, event: DocumentStartEvent) -> None:
        if event.version is not None and event.version[0] != 1:
            self._problem(
                event.start_mark.index,
                "this is not valid YAML 1.2: its %YAML line names another version",
                "leave the %YAML line out",
            )

    def _duplicate(self, key: str, offset: int, first: int) -> None:
        where = self._source_map.position(first)
        self._diagnostics.add(
            offset, f'the key "{key}" stands here twice', f"it is first given at {where}; remove one of them"
        )

    def _syntax(self, error: MarkedYAMLError) -> NoReturn:
        mark = error.problem_mark or error.context_mark
        index = min(mark.index if mark is not None else 0, len(self._text))
        problem = str(error.problem or error.context or "the text ends unexpectedly")
        context = f" ({error.context})" if error.context and error.problem else ""
        hint = None
        if self._text[index : index + 1] == "\t":
            problem, context, hint = "a tab cannot indent YAML", "", "indent with spaces"
        elif "mapping values are not allowed" in problem:
            problem, hint = (
                "a colon cannot stand here",
                "quote the text if it contains a colon, and check the indentation",
            )
        elif "expected <block end>" in problem or "did not find expected key" in problem:
            hint = "check the indentation of this line and of those above it, and that quotes and brackets are closed"
        elif "unexpected end of stream" in problem or "expected ',' or" in problem:
            hint = "check that quotes and brackets are closed"
        elif "did not find expected node content" in problem:
            hint = "check that brackets are closed, and that a value stands where one should"
        elif "invalid Unicode character escape code" in problem:
            problem, context, hint = (
                "this escape is half of a surrogate pair",
                "",
                "write both halves, or the character",
            )
        else:
            hint = "check this line and the one above it"
        kind = "JSON" if self._name.lower().endswith(".json") else "YAML"
        self._fail(index, f"this is not valid {kind}: {problem}{context}", hint)

    def _bad_character(self) -> NoReturn:
        found = re.search(_BAD_CHARACTER, self._text)
        index = found.start() if found else 0
        code = f"U+{ord(found.group()):04X}" if found else "a control character"
        self._fail(
            index, f"the character {code} cannot stand in YAML", 'write it as an escape in double quotes: "\\u...."'
        )

    def _too_deep(self, index: int) -> NoReturn:
        self._fail(index, f"this is nested more than {MAX_DEPTH} levels deep")

    def _problem(self, index: int, summary: str, hint: str | None = None) -> None:
        self._diagnostics.add(self._base + index, summary, hint)

    def _fail(self, index: int, summary: str, hint: str | None = None) -> NoReturn:
        self._problem(index, summary, hint)
        raise _UnreadableError


def _name(value: Value) -> str:
    """The core schema's name for the type of a scalar."""
    if value is None or isinstance(value, bool | str):
        return "null" if value is None else type(value).__name__
    return "int" if isinstance(value, int) else "float"


def _extent(value: Map | Seq, known: dict[int, tuple[int, int]]) -> tuple[int, int]:
    """The number of values in a value, itself included, and its depth; ``known`` has those of anchored values."""
    if id(value) in known:
        return known[id(value)]
    size, height = 1, 0
    for item in value.values() if isinstance(value, Map) else value:
        item_size, item_height = _extent(item, known) if isinstance(item, Map | Seq) else (1, 0)
        size += item_size
        height = max(height, item_height)
    return size, height + 1
