"""HTML text: data that stays data."""

from __future__ import annotations

from html import escape
from importlib.resources import files

from reconciler.core.text import printable


def style() -> str:
    """The style sheet that every page carries within it."""
    return files("reconciler.views.html").joinpath("page.css").read_text(encoding="utf-8")


def text(value: object) -> str:
    """Any text on one line, as the content of an element or the value of a quoted attribute."""
    return escape(printable(str(value)), quote=True)
