"""Sections: the top level of a configuration, merged from all its files and the files they include."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import PurePosixPath, PureWindowsPath
from types import MappingProxyType

from reconciler.config.blocks.common import NAME, PROVIDER_KEY, WORD
from reconciler.config.diagnostics import DiagnosticCollector
from reconciler.config.yaml.document import read_document
from reconciler.config.yaml.source_map import Map, Node, Source, SourceMap, kind
from reconciler.core.diagnostic import did_you_mean

LISTS = ("moved", "removed", "import")
"""Sections that are lists; those of several files are concatenated."""
BUILT_IN = (
    *("stack", "ledger", "include", "variables", "locals", "providers", "defaults", "data", "resources"),
    *LISTS,
    "guards",
)
"""Sections that the loader reads itself."""
TEXTS = ("stack", "ledger")
"""Top-level keys with a single text, allowed in one file only."""
DEFERRED = ("checks", "drills")
"""Sections that are returned unread, for the caller to read."""

_NAMES: Mapping[str, tuple[str, str]] = {
    "variables": (WORD, "letters, digits and _"),
    "locals": (WORD, "letters, digits and _"),
    "providers": (PROVIDER_KEY, "letters, digits, _ and -, with dots between"),
}
_NESTED = frozenset(["resources", "data"])
"""Sections with names below types."""
_TYPED = _NESTED | {"defaults"}
"""Sections whose keys are types."""


class Sections:
    """The merged top level: ``texts`` (``stack``, ``ledger``) as written, ``lists`` with all items, the other sections
    as mappings of names.
    """

    def __init__(self, source_map: SourceMap, named: Mapping[str, Node] = MappingProxyType({})) -> None:
        self.source_map = source_map
        self.texts: dict[str, Node] = {}
        self.lists: dict[str, list[Node]] = {}
        self.named = dict(named)
        self.files: set[str] = set()

    def entries(self, section: str) -> Sequence[tuple[str, Node]]:
        """The names of a section and their values, in the order of the files."""
        node = self.named.get(section)
        return list(node.entries()) if node is not None else []


def read_sections(
    sources: Sequence[Source],
    accepted: Collection[str],
    read: Callable[[str], Source] | None,
    source_map: SourceMap,
    diagnostics: DiagnosticCollector,
) -> Sections:
    """Read and merge all files and what they include; a duplicate name is a problem that shows both places."""
    sections = Sections(source_map)
    known = (*BUILT_IN, *accepted)
    pending = list(sources)
    seen = sections.files
    seen.update(source.name for source in sources)
    for source in pending:
        document = read_document(source, source_map, diagnostics)
        if document is None or document.value is None:
            continue
        if not isinstance(document.value, Map):
            diagnostics.add(
                document.offset,
                f"a configuration is a mapping of sections, not {kind(document.value)}",
                "begin with: stack: NAME",
            )
            continue
        for key, node in document.entries():
            if key in TEXTS:
                _take_text(sections, key, node, diagnostics)
            elif key in LISTS:
                _take_list(sections, key, node, diagnostics)
            elif key == "include":
                pending += included(node, seen, read, diagnostics)
            elif key in known:
                _take(sections, key, node, diagnostics)
            else:
                hint = did_you_mean(key, known) or f"the sections are {', '.join(known)}"
                diagnostics.add(node.key_offset, f'unknown key "{key}"', hint)
    return sections


def _take_text(sections: Sections, key: str, node: Node, diagnostics: DiagnosticCollector) -> None:
    first = sections.texts.setdefault(key, node)
    if first is not node:
        hint = f"it is first given at {first.key_position}; give it in one file only"
        diagnostics.add(node.key_offset, f"{key} is given twice", hint)


def _take_list(sections: Sections, section: str, node: Node, diagnostics: DiagnosticCollector) -> None:
    if isinstance(node.value, list):
        sections.lists.setdefault(section, []).extend(node.items())
    elif node.value is not None:
        diagnostics.add(node.offset, f"{section} must be a list, not {kind(node.value)}")


def _take(sections: Sections, section: str, node: Node, diagnostics: DiagnosticCollector) -> None:
    if node.value is None:
        return
    if not isinstance(node.value, Map):
        diagnostics.add(node.offset, f"{section} must be a mapping, not {kind(node.value)}")
        return
    if section in _TYPED:
        for name, inner in node.entries():
            if inner.value is not None and not isinstance(inner.value, Map):
                what = "fields" if section == "defaults" else "names"
                diagnostics.add(inner.offset, f"{section}.{name} must be a mapping of {what}, not {kind(inner.value)}")
            if section in _NESTED:
                _check_names(inner, NAME, "letters, digits, _ and -", diagnostics)
    else:
        pattern, words = _NAMES.get(section, (NAME, "letters, digits, _ and -"))
        _check_names(node, pattern, words, diagnostics)
    before = sections.named.get(section)
    sections.named[section] = (
        node if before is None else _merged(before, node, 2 if section in _NESTED else 1, diagnostics)
    )


def _check_names(node: Node, pattern: str, words: str, diagnostics: DiagnosticCollector) -> None:
    if not isinstance(node.value, Map):
        return
    for name, offset in zip(node.value, node.value.offsets[::2], strict=True):
        is_word = name.isascii() and name.isidentifier()  # fits every pattern
        if not is_word and not re.match(pattern, name):
            diagnostics.add(offset, f'"{name}" is not a name', f"a name has {words}, and does not begin with a digit")


def _merged(before: Node, after: Node, levels: int, diagnostics: DiagnosticCollector) -> Node:
    result = Map()
    result.offsets = []
    taken: dict[str, Node] = dict(before.entries())
    for name, node in after.entries():
        first = taken.get(name)
        if first is None or first.value is None:
            taken[name] = node
        elif levels > 1 and isinstance(first.value, Map) and isinstance(node.value, Map):
            taken[name] = _merged(first, node, levels - 1, diagnostics)
        elif node.value is not None or levels == 1:
            diagnostics.add(
                node.key_offset, f'"{name}" is declared twice', f"it is first given at {first.key_position}"
            )
    for name, node in taken.items():
        result[name] = node.value
        result.offsets += (node.key_offset, node.offset)
    return Node(result, before.offset, before.key_offset, before.source_map)


_OUTSIDE = "it is outside the stack"
MAX_FILES = 1_000


def included(
    node: Node, seen: set[str], read: Callable[[str], Source] | None, diagnostics: DiagnosticCollector
) -> list[Source]:
    """Read the files that an ``include`` names (one, or a list), each once; their names are added to ``seen``.

    A name is relative to the stack's directory, and must not leave it. An OSError of ``read`` is reported as a problem.
    """
    sources = []
    for item in node.items() if isinstance(node.value, list) else (node,):
        name = item.value
        if not isinstance(name, str):
            diagnostics.add(item.offset, f"include names a file, not {kind(name)}")
            continue
        reason = _refused(name)
        path = str(PurePosixPath(name)) if reason is None else name
        if reason is None and read is None:
            reason = "files cannot be included here"
        if reason is None and len(seen) >= MAX_FILES:
            reason = f"a stack has at most {MAX_FILES:,} files"
        if reason is not None:
            hint = "share values in a var-file, or link to the file from the stack" if reason == _OUTSIDE else None
            diagnostics.add(item.offset, f'"{name}" cannot be included: {reason}', hint)
            continue
        if path in seen:
            diagnostics.add(item.offset, f'"{name}" is part of the stack already', "remove this include")
            continue
        seen.add(path)
        assert read is not None  # noqa: S101 - narrows a type
        try:
            sources.append(read(path))
        except OSError as error:
            diagnostics.add(item.offset, f'"{name}" cannot be read: {error.strerror or error}')
    return sources


def _refused(name: str) -> str | None:
    """Why a name is not allowed as a file of the stack; None if it is."""
    if "://" in name:
        return "it is a URL, and only files of the stack can be"
    if not name or "\0" in name:
        return "it is not the name of a file"
    if PurePosixPath(name).is_absolute() or PureWindowsPath(name).drive or "\\" in name:
        return "a name is relative to the stack, with / between its parts"
    if ".." in PurePosixPath(name).parts:
        return _OUTSIDE
    return None
