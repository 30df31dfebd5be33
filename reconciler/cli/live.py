"""Drawings: bars and boards on standard error, and how what else is written there goes above them."""

from __future__ import annotations

from typing import Protocol

from rich.console import Console
from rich.text import Text

from reconciler.cli.terminal import Terminal


class LiveRenderable(Protocol):
    """What Rich draws anew again and again."""

    @property
    def console(self) -> Console: ...

    def start(self) -> None: ...

    def stop(self) -> None: ...


def drawing_console(terminal: Terminal) -> Console:
    """The console to draw on."""
    return Console(file=terminal.stderr, no_color=not terminal.color)


class LiveDisplay:
    """Something drawn; from its start to its stop the terminal writes above it, on lines of their own."""

    def __init__(self, terminal: Terminal, drawn: LiveRenderable) -> None:
        self._terminal = terminal
        self._drawn = drawn

    def start(self) -> None:
        self._drawn.start()
        self._terminal.above = self._write

    def stop(self) -> None:
        self._terminal.above = None
        self._drawn.stop()

    def _write(self, text: str) -> None:
        self._drawn.console.print(Text.from_ansi(text.removesuffix("\n")), soft_wrap=True)
