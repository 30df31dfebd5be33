"""The app: the list of commands, what they all share, and the one place where every error ends."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from reconciler import __version__
from reconciler.cli.command import ExitCode
from reconciler.cli.global_options import add_global_options
from reconciler.cli.logs import Logs
from reconciler.cli.terminal import Format, Terminal, prepare
from reconciler.views.text.line import line

NAMES = (
    "init",
    "validate",
    "fmt",
    "plan",
    "status",
    "show",
    "apply",
    "destroy",
    "check",
    "import",
    "drill",
    "ledger",
    "receive",
    "emulator",
    "providers",
    "schema",
    "version",
)
"""The commands, in the order of ``--help``; each is the module of this package of that name (``import``:
``import_``).
"""


class Commands(Mapping[str, Any]):
    """The commands by name, imported when asked for."""

    def __init__(self) -> None:
        self._loaded: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in NAMES:
            raise KeyError(name)
        if name not in self._loaded:
            self._loaded[name] = _load(name)
        return self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(NAMES)

    def __len__(self) -> int:
        return len(NAMES)


class Root(TyperGroup):
    """The group of all commands; it loads the one that is named."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = Commands()  # type: ignore[assignment]  # read only: nothing adds a command at run time

    def invoke(self, ctx: Any) -> Any:
        """Run the command; Ctrl-C rises as it is, for ``run`` to tell."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise Interrupted from None


class Interrupted(Exception):  # noqa: N818  # what the user did, not an error
    """Ctrl-C, where no command handles it."""


def _load(name: str) -> Any:
    module = import_module(f"reconciler.cli.{name}_" if name == "import" else f"reconciler.cli.{name}")
    command = typer.main.get_command(module.app)
    command.name = name
    for each in (command, *getattr(command, "commands", {}).values()):
        add_global_options(each)
    return command


def _app() -> Any:
    app = typer.Typer(
        name="reconciler",
        cls=Root,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
    app.callback(epilog=EPILOG)(reconciler)
    command = typer.main.get_command(app)
    add_global_options(command)
    return command


def _version(ctx: typer.Context, value: bool) -> bool:
    if value and not ctx.resilient_parsing:
        Terminal.of(ctx).result(Format.TEXT, text=lambda: [line(f"reconciler {__version__}")])
        raise typer.Exit
    return value


def reconciler(
    version: Annotated[  # its callback answers
        bool, typer.Option("--version", help="Show which version this is.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Terraform for synthetic alarms and events.

    Write in YAML which alarms should be firing and which events should be on record; `plan` shows what would be
    pushed and cleared, `apply` does just that.
    """


EPILOG = "Start with `reconciler init`, then `reconciler plan`. COMMAND --help shows a command's options."


def run(argv: Sequence[str], terminal: Terminal | None = None) -> int:
    """Run a command line, and return its exit code; no exception leaves it."""
    terminal = terminal or Terminal()
    terminal.command = shlex.join(["reconciler", *argv])
    prepare(terminal.stdout)
    prepare(terminal.stderr)
    with Logs(terminal):
        try:
            code = _app().main([*argv] or ["--help"], prog_name="reconciler", standalone_mode=False, obj=terminal)
            return int(code or ExitCode.DONE)
        except Interrupted:
            terminal.message([line("Interrupted.")])
            return ExitCode.INTERRUPTED
        except Exception as error:  # noqa: BLE001  # the last handler: no traceback reaches a user
            return _fail(terminal, error)


def _fail(terminal: Terminal, error: Exception) -> ExitCode:
    """Tell what went wrong: on standard error, and as the answer where JSON or Markdown was asked for."""
    from reconciler.cli.errors import failure, usage_error
    from reconciler.core.diagnostic import DiagnosticError

    failed = usage_error(error) if isinstance(error, TyperException) else failure(error)
    if terminal.format is Format.JSON:
        from reconciler.views.json.diagnostic import diagnostics_document

        with suppress(DiagnosticError):  # of standard output
            terminal.result(Format.JSON, text=list, document=lambda: diagnostics_document(failed.diagnostics))
    if terminal.format is Format.MARKDOWN:
        from reconciler.views.markdown.diagnostic import failure_markdown

        with suppress(DiagnosticError):
            terminal.result(Format.MARKDOWN, text=list, markdown=lambda: failure_markdown(failed.diagnostics))
    if terminal.format is not Format.JSON or terminal.broken:
        terminal.report(failed.diagnostics)
    # What was sent is not undone by a report that cannot be written, or a ledger that cannot be closed.
    return ExitCode.PARTIAL if terminal.changed and failed.exit_code is ExitCode.ERROR else failed.exit_code
