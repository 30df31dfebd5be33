"""Includes: further files of a stack, named in one of its files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePosixPath, PureWindowsPath

from reconciler.config.diagnostics import DiagnosticCollector
from reconciler.config.yaml.node import Node, kind
from reconciler.config.yaml.source_map import Source

MAX_FILES = 1_000


def included(
    node: Node, seen: set[str], read: Callable[[str], Source] | None, diagnostics: DiagnosticCollector
) -> list[Source]:
    """The files an ``include`` names (one, or a list), each read once; names read are added to ``seen``.

    A name is relative to the stack's directory and stays in it. What ``read`` raises (OSError) becomes a problem.
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
            diagnostics.add(item.offset, f'"{name}" cannot be included: {reason}')
            continue
        if path in seen:
            diagnostics.add(item.offset, f'"{name}" is part of the stack already', "leave this include out")
            continue
        seen.add(path)
        assert read is not None
        try:
            sources.append(read(path))
        except OSError as error:
            diagnostics.add(item.offset, f'"{name}" cannot be read: {error.strerror or error}')
    return sources


def _refused(name: str) -> str | None:
    """Why a name is no file of the stack; None if it may be one."""
    if "://" in name:
        return "it is a URL, and only files of the stack can be"
    if not name or "\0" in name:
        return "it is not the name of a file"
    if PurePosixPath(name).is_absolute() or PureWindowsPath(name).drive or "\\" in name:
        return "a name is relative to the stack, with / between its parts"
    if ".." in PurePosixPath(name).parts:
        return "it leads out of the stack"
    return None
