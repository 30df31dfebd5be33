"""What every command has: its Typer settings, its exit code, its clock."""

from __future__ import annotations

import typer

from reconciler.core.exit_code import ExitCode

__all__ = ["ExitCode", "command_app", "examples"]


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
