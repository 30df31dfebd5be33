"""What every command has: its Typer settings, its exit code, its clock."""

from __future__ import annotations

import typer

from reconciler.core.exit_code import ExitCode

__all__ = ["ExitCode", "command_app", "examples"]


def examples(*commands: str) -> str:
    """The epilog of a command: its examples, one per line."""
    # The backspace makes Click keep the line breaks.
    return "\b\n" + "\n".join(["Examples:", *(f"  {command}" for command in commands)])


def command_app() -> typer.Typer:
    """The app of a command module: a command or, with a callback, a group."""
    return typer.Typer(
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
