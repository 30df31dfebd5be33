"""Stack files: which YAML files of a directory are a stack's, and which are another tool's."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from difflib import get_close_matches

from reconciler.config.blocks.sections import BUILT_IN, DEFERRED
from reconciler.config.yaml.source_map import Source

_log = logging.getLogger(__name__)
_KEY = re.compile(rb"""^["']?([A-Za-z_][A-Za-z0-9_.-]*)["']?[ \t]*:(?=[ \t\r\n]|$)""", re.M)
_CONTENT = re.compile(rb"^(?!#|%|---|\.\.\.)[ \t]*([^\s#])", re.M)
_KNOWN = frozenset((*BUILT_IN, *DEFERRED))
_NEAR = 0.85
"""How close a key is to a known one to be a misspelled one."""
_OBJECT = frozenset(["apiVersion", "kind"])
"""The keys of a Kubernetes object, which may have ``data`` too."""


def select_stack_files(sources: Sequence[Source]) -> list[Source]:
    """The files that are part of a stack; all of them if none is, so that the diagnostics say what is wrong.

    A file without any known key at its top level is another tool's. One that begins otherwise than with a key in the
    first column (``{stack: ...}``), or has a key that looks like a misspelled one, is left for the loader to judge.
    """
    selected = [source for source in sources if _may_be_stack(source.text)]
    if not any(_is_stack(source.text) for source in selected):
        return list(sources)
    for source in sources:
        if source not in selected:
            _log.debug("%s is not part of the stack: it has none of the stack's keys", source.name)
    return selected


def _keys(text: bytes) -> set[str]:
    return {found.decode() for found in _KEY.findall(text)}


def _is_stack(text: bytes) -> bool:
    keys = _keys(text)
    return (bool(keys & _KNOWN) and not keys >= _OBJECT) or text.lstrip()[:1] == b"{"


def _may_be_stack(text: bytes) -> bool:
    if _is_stack(text):
        return True
    keys = _keys(text)
    if not keys:
        first = _CONTENT.search(text.removeprefix(b"\xef\xbb\xbf"))
        return first is not None and first[1] != b"-"
    return not keys >= _OBJECT and any(get_close_matches(key, _KNOWN, 1, _NEAR) for key in keys)
