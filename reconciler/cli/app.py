"""The app: the list of commands, their common behaviour, and the final error handler."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.exceptions import TyperException

from reconciler import __version__
from reconciler.cli.command import ExitCode
from reconciler.cli.global_options import add_global_options
from reconciler.cli.logs import Logs
from reconciler.cli.terminal import Format, Terminal, prepare
from reconciler.views.text.line import line

if TYPE_CHECKING:
    from reconciler.app.errors import Failure

COMMANDS = {
    "init": "Write a commented starter stack.",
    "validate": "Check a stack, without querying any service.",
    "fmt": "Format the files of a stack.",
    "plan": "Show what apply would do.",
    "status": "Show which of the stack's alarms are firing now.",
    "show": "Show a saved plan or a past run.",
    "apply": "Push and clear what the plan shows.",
    "destroy": "Clear every alarm the stack owns.",
    "check": "Run the stack's checks, for example before a deployment.",
    "import": "Write the YAML of alarms that are firing already.",
    "drill": "Run game days: alarms on a timeline, checked, always cleared.",
    "fleet": "Plan, apply and check many stacks at once.",
    "ledger": "Inspect, settle and repair the journal of what was sent.",
    "receive": "Serve a receiver that proves that notifications arrive.",
    "emulator": "Serve emulated services, to work without a cloud.",
    "providers": "List the installed providers, and what each manages.",
    "completion": "Print the script that completes commands in a shell.",
    "schema": "Show the JSON Schema of a stack, for editors and checkers.",
    "version": "Show the version and the installed extras.",
}
"""The commands with the first line of their help, in the order of ``--help``.

Each is the module of this package of that name (``import``: ``import_``). It is imported when the command runs, and not
to list it: that is the one lazy import of a command.
"""


class Commands(Mapping[str, Any]):
    """The commands by name, imported on demand."""

    def __init__(self) -> None:
        self._loaded: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in COMMANDS:
            raise KeyError(name)
        if name not in self._loaded:
            self._loaded[name] = _load(name)
        return self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)


class Root(TyperGroup):
    """The group of all commands, which imports the one that is named."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = Commands()  # type: ignore[assignment]  # read only: nothing adds a command at run time

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002  # the signature of a group
        """The names of all commands."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002  # the signature of a group
        """The command for the list: its name, and the first line of its help."""
        return TyperCommand(cmd_name, help=COMMANDS[cmd_name]) if cmd_name in COMMANDS else None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that the arguments name, to run it, show its help or complete its options."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, command and self.commands[str(command.name)], rest

    def invoke(self, ctx: Any) -> Any:
        """Run the command; Ctrl-C propagates to ``run``."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise Interrupted from None


class Interrupted(Exception):  # noqa: N818  # what the user did, not an error
    """Ctrl-C that no command handled."""


def _load(name: str) -> Any:
    module = import_module(f"reconciler.cli.{name}_" if name == "import" else f"reconciler.cli.{name}")
    command = typer.main.get_command(module.app)
    command.name = name
    for each in (command, *getattr(command, "commands", {}).values()):
        add_global_options(each)
    return command


def command_line() -> Any:
    """The whole command line; each command is imported when it is named."""
    app = typer.Typer(
        name="reconciler",
        cls=Root,
        add_completion=False,  # ``completion`` has our own scripts
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
    version: Annotated[  # its callback handles it
        bool, typer.Option("--version", help="Show the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Terraform for synthetic alarms and events.

    Write in YAML which alarms should be firing and which events should be on record; `plan` shows what would be
    pushed and cleared, `apply` does just that.
    """


EPILOG = "Start with `reconciler init`, then `reconciler plan`. COMMAND --help shows a command's options."


def run(argv: Sequence[str], terminal: Terminal | None = None) -> int:
    """Run a command line, and return its exit code; never raises."""
    terminal = terminal or Terminal()
    terminal.argv = argv
    prepare(terminal.stdout)
    prepare(terminal.stderr)
    with Logs(terminal), _traced(terminal, argv):
        code = _run(argv, terminal)
        if terminal.telemetry is not None:
            terminal.telemetry.ended(code)
        return code


def _run(argv: Sequence[str], terminal: Terminal) -> int:
    try:
        code = command_line().main([*argv] or ["--help"], prog_name="reconciler", standalone_mode=False, obj=terminal)
        return int(code or ExitCode.DONE)
    except Interrupted:
        terminal.message([line("Interrupted.")])
        return ExitCode.INTERRUPTED
    except Exception as error:  # noqa: BLE001  # the last handler: no traceback reaches a user
        return _fail(terminal, error)


def _traced(terminal: Terminal, argv: Sequence[str]) -> AbstractContextManager[None]:
    """Trace the command if OpenTelemetry's variables are set."""
    if not any(name.startswith("OTEL_") for name in terminal.environ):
        return nullcontext()
    from reconciler.cli.telemetry import tracing

    start = next((place for place, word in enumerate(argv) if word in COMMANDS), len(argv))
    words = argv[start : start + (2 if argv[start : start + 1] in (["drill"], ["ledger"], ["fleet"]) else 1)]
    return tracing(terminal, " ".join(words))


def _fail(terminal: Terminal, error: Exception) -> ExitCode:
    """Report an error: on standard error, and as the result if JSON or Markdown was requested."""
    from reconciler.app.errors import describe_error
    from reconciler.core.diagnostic import DiagnosticError

    failed = _usage_error(error) if isinstance(error, TyperException) else describe_error(error)
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
    # An output file or a ledger that fails at the end does not undo what was sent.
    return ExitCode.PARTIAL if terminal.changed and failed.exit_code is ExitCode.ERROR else failed.exit_code


def _usage_error(error: TyperException) -> "Failure":
    """The error of an invalid command line."""
    from reconciler.app.errors import Failure
    from reconciler.core.diagnostic import Diagnostic

    ctx = getattr(error, "ctx", None)
    command = ctx.command_path if ctx is not None else "reconciler COMMAND"
    summary = error.format_message().replace("Value error, ", "").replace("Input should be", "it must be")
    summary = summary[:1].lower() + summary[1:].removesuffix(".")
    return Failure((Diagnostic(summary, hint=f"`{command} --help` shows the usage"),))
