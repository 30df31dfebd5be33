"""What every command has: its Typer settings, its exit code, its clock."""

from __future__ import annotations

import time
from enum import IntEnum

import typer


def examples(*commands: str) -> str:
    """The epilog of a command: its examples, one a line."""
    # The backspace keeps the lines as they are.
    return "\b\n" + "\n".join(["Examples:", *(f"  {command}" for command in commands)])


def command_app() -> typer.Typer:
    """The app of one command module: a command, or with a callback a group of them."""
    return typer.Typer(
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )


class ExitCode(IntEnum):
    """The exit codes of every command; documented, and stable."""

    DONE = 0
    """Done, or nothing to do."""
    ERROR = 1
    """An error; nothing was applied."""
    CHANGES = 2
    """There are changes (only with ``--detailed-exitcode``)."""
    CHECK_FAILED = 3
    """A check failed."""
    PARTIAL = 4
    """Applied in part: some operations failed, or their outcome is unknown."""
    LEASE_HELD = 5
    """Another run holds the stack's lease."""
    INTERRUPTED = 130
    """Stopped by Ctrl-C or a termination signal."""


def now() -> int:
    """Epoch milliseconds."""
    return time.time_ns() // 1_000_000
