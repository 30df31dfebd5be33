"""Shared options: those every command has, given to it without a line of its code."""

import logging
from functools import cache
from typing import Annotated, Any

import typer

from reconciler.cli.command import command_app
from reconciler.cli.logs import LogFormat, LogLevel
from reconciler.cli.terminal import Terminal


def add_global_options(command: Any) -> None:
    """Add the shared options to a command; parameters that are not given keep their defaults."""
    for parameter in command.params:
        _defer_default(parameter)
    command.params.extend(_options())


def _defer_default(parameter: Any) -> None:
    """Let a parameter that is not given keep its default as it is.

    Typer checks defaults too, with pydantic, which it would import and build a validator with for each of them:
    0.3 s for `reconciler version` instead of 0.1 s. What is given is checked as ever.
    """
    check = parameter.process_value

    def process(ctx: typer.Context, value: object) -> object:
        absent = value is None or value is parameter.default
        if parameter.required or not absent:
            return check(ctx, value)
        if value is None and (parameter.multiple or parameter.nargs == -1):
            value = ()
        return value if parameter.callback is None else parameter.callback(ctx, parameter, value)

    parameter.process_value = process


@cache
def _options() -> tuple[Any, ...]:
    app = command_app()
    app.command()(_nothing)
    found = [parameter for parameter in typer.main.get_command(app).params if parameter.expose_value is False]
    for parameter in found:
        _defer_default(parameter)
    return tuple(found)


def _level(value: LogLevel | None) -> LogLevel | None:
    if value is not None:
        logging.getLogger().setLevel(value.upper())
    return value


def _format(ctx: typer.Context, value: LogFormat | None) -> LogFormat | None:
    if value is not None:
        Terminal.of(ctx).json_logs = value is LogFormat.JSON
    return value


def _color(ctx: typer.Context, value: bool) -> bool:
    if value:
        Terminal.of(ctx).color = False
    return value


def _help(ctx: typer.Context, value: bool) -> bool:
    if value and not ctx.resilient_parsing:
        typer.echo(ctx.get_help())
        raise typer.Exit
    return value


def _nothing(
    log_level: Annotated[
        LogLevel | None,
        typer.Option(
            help="How much to log on standard error.  [default: warning]",
            callback=_level,
            expose_value=False,
            show_default=False,
        ),
    ] = None,
    log_format: Annotated[
        LogFormat | None,
        typer.Option(
            help="How to write log records.  [default: text]", callback=_format, expose_value=False, show_default=False
        ),
    ] = None,
    no_color: Annotated[
        bool,
        typer.Option("--no-color", help="No colours, as with NO_COLOR set.", callback=_color, expose_value=False),
    ] = False,
    help: Annotated[
        bool,
        typer.Option("--help", "-h", help="Show this help.", callback=_help, is_eager=True, expose_value=False),
    ] = False,
) -> None:
    """Carry the options; never run."""
