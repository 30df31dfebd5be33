"""Global options, added to every command automatically."""

import logging
from functools import cache
from typing import Annotated, Any

import typer
from typer.core import TyperArgument, TyperOption

from reconciler.cli.command import command_app
from reconciler.cli.logs import LogFormat, LogLevel
from reconciler.cli.terminal import Terminal
from reconciler.core.ledger_url import secrets_of

_LEDGER_USERS = ("var", "where", "run")
"""Parameters of commands that use a ledger: a stack's variables, a ledger's location, a past run."""


class LazyOption(TyperOption):
    """An option that does not validate its default, so that pydantic is imported only for given values."""

    def process_value(self, ctx: Any, value: Any) -> Any:
        """Validate a given value, and keep the default unchanged."""
        return _default(self, ctx, value) if _is_default(self, value) else super().process_value(ctx, value)


class LazyArgument(TyperArgument):
    """An argument that does not validate its default, like LazyOption."""

    def process_value(self, ctx: Any, value: Any) -> Any:
        """Validate a given value, and keep the default unchanged."""
        return _default(self, ctx, value) if _is_default(self, value) else super().process_value(ctx, value)


def add_global_options(command: Any) -> None:
    """Add the global options to a command; parameters that are not given keep their defaults.

    A command that opens a stack or a ledger also gets ``--ledger``.
    """
    own = {parameter.name for parameter in command.params}
    uses_ledger = not own.isdisjoint(_LEDGER_USERS)
    shared = (option for option in _options() if uses_ledger or option.name != "ledger")
    command.params = [*map(_lazy, command.params), *shared]


def _lazy(parameter: Any) -> Any:
    """Return the parameter as one that keeps its default unchecked.

    Typer checks defaults too, with pydantic, which it would import and build a validator with for each of them:
    0.3 s for `reconciler version` instead of 0.1 s. Typer builds the parameters of a function from fixed classes, so
    a copy of each takes over its attributes.
    """
    kind: type[LazyOption | LazyArgument] = LazyOption if isinstance(parameter, TyperOption) else LazyArgument
    lazy = kind.__new__(kind)
    vars(lazy).update(vars(parameter))
    return lazy


def _is_default(parameter: LazyOption | LazyArgument, value: object) -> bool:
    return not parameter.required and (value is None or value is parameter.default)


def _default(parameter: LazyOption | LazyArgument, ctx: Any, value: object) -> object:
    if value is None and (parameter.multiple or parameter.nargs == -1):
        value = ()
    return value if parameter.callback is None else parameter.callback(ctx, parameter, value)


@cache
def _options() -> tuple[Any, ...]:
    app = command_app()
    app.command()(_nothing)
    return tuple(_lazy(each) for each in typer.main.get_command(app).params if each.expose_value is False)


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


def _ledger(ctx: typer.Context, value: str | None) -> str | None:
    if value is not None:
        terminal = Terminal.of(ctx)
        terminal.ledger = value
        terminal.redact(secrets_of(value))
    return value


def _help(ctx: typer.Context, value: bool) -> bool:
    if value and not ctx.resilient_parsing:
        typer.echo(ctx.get_help())
        raise typer.Exit
    return value


def _nothing(
    ledger: Annotated[
        str | None,
        typer.Option(
            "--ledger",
            metavar="URL|DIR",
            help="Where the ledger is; overrides RECONCILER_LEDGER and the stack's `ledger`.",
            callback=_ledger,
            expose_value=False,
            show_default=False,
        ),
    ] = None,
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
    """Carries the options' signature; never called."""
