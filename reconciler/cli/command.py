"""Command apps: the Typer settings that every command has."""

from __future__ import annotations

import typer


def command_app() -> typer.Typer:
    """The app of one command module: a command, or with a callback a group of them."""
    return typer.Typer(
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
