"""``reconciler import``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reconciler.app.import_ import filters, imports, known_filters, unadoptable_warnings
from reconciler.cli import completers
from reconciler.cli.command import ExitCode, command_app, examples
from reconciler.cli.options import HERE, FormatOption, PathArgument, VarFileOption, VarOption, next_command
from reconciler.cli.plan import save
from reconciler.cli.plan_output import show_plan
from reconciler.cli.stack import opened
from reconciler.cli.terminal import Format, Terminal
from reconciler.core.diagnostic import Diagnostic, DiagnosticError
from reconciler.core.observed import is_unmanaged
from reconciler.core.text import printable
from reconciler.session.import_blocks import adoption
from reconciler.views.phrases.plan import count, kinds_listed
from reconciler.views.text.line import Style, line
from reconciler.views.yaml_export import yaml_export

if TYPE_CHECKING:
    from reconciler.app.import_ import Imports
    from reconciler.core.observed import UnmanagedAlarm
    from reconciler.session.workspace import Workspace

app = command_app()


@app.command(
    epilog=examples(
        "reconciler import --filter event_severity=Critical > imported.yaml",
        "reconciler import stacks/checkout --provider aom.eu --out stacks/checkout/imported.yaml",
        "reconciler import --blocks --out imported.yaml",
        "reconciler import --adopt --out adoption.json",
    )
)
def import_(
    ctx: typer.Context,
    path: PathArgument = HERE,
    provider: Annotated[
        str | None,
        typer.Option(
            "--provider",
            metavar="KEY",
            help="Query only this provider of the stack.",
            show_default=False,
            autocompletion=completers.providers,
        ),
    ] = None,
    filter: Annotated[
        list[str] | None,
        typer.Option(
            "--filter",
            metavar="KEY=VALUE",
            help="Only alarms that have this value, such as event_severity=Critical; may be repeated: all keys "
            "must match, each by any of its values.",
            show_default=False,
        ),
    ] = None,
    blocks: Annotated[
        bool, typer.Option("--blocks", help="Write `import` blocks too, so that plan and apply take them over.")
    ] = False,
    adopt: Annotated[
        bool,
        typer.Option(
            "--adopt",
            help="Instead of YAML, write a plan that takes over the alarms that the stack already declares.",
        ),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Write the YAML, or the plan, to a file.", show_default=False),
    ] = None,
    var: VarOption = None,
    var_file: VarFileOption = None,
    format: FormatOption = Format.TEXT,
) -> ExitCode:
    """Write the YAML of alarms that are firing already.

    Finds active alarms that no stack owns, and writes the YAML that declares them; with --blocks also the
    `import` blocks with which a plan takes them over. With --adopt it writes that plan: the stack's own alarm is
    pushed, then the other is cleared. Changes nothing at the services.
    """
    terminal = Terminal.of(ctx)
    if blocks and adopt:
        raise DiagnosticError(Diagnostic("--blocks writes YAML, and --adopt a plan", hint="omit one of them"))
    wanted = filters(filter or ())
    terminal.check_file(out)
    if out is not None and out.is_file() and not adopt:
        hint = "name a file that does not exist"
        raise DiagnosticError(Diagnostic(f"{out} exists already, and import overwrites nothing", hint=hint))
    with opened(terminal, path, var, var_file) as workspace:
        found = workspace.unmanaged(known_filters(wanted, workspace.resource_types), provider)
        if adopt:
            return _plan_adoption(terminal, workspace, found, out, path, var, var_file, format)
        made = imports(workspace.stack, found, workspace.registry)
        if blocks:
            following = [next_command(name, path, var=var, var_file=var_file) for name in ("plan", "apply")]
        else:
            made = made._replace(ids={})
            adopting = next_command("import --adopt --out adoption.json", path, var=var, var_file=var_file)
            following = [adopting, next_command("apply", path, "adoption.json", var=var, var_file=var_file)]
        _declare(terminal, workspace, made, out, following, filtered=bool(wanted))
        return ExitCode.DONE


def _declare(
    terminal: Terminal,
    workspace: Workspace,
    imported: Imports,
    out: Path | None,
    following: Sequence[str],
    *,
    filtered: bool,
) -> None:
    if imported.warnings:
        terminal.report(imported.warnings)
    number = sum(map(len, imported.resources.values()))
    rest = f" {count(imported.declared, 'alarm')} declared already." if imported.declared else ""
    if not number:
        why = ": no unmanaged alarm matches the filters" if filtered and not imported.declared else ""
        terminal.message([line(f"No alarm to import{why}.{rest}")])
        return
    head = (
        f"Unmanaged alarms that were imported into {workspace.stack.name}.",
        terminal.redactor.redact(f"To take them over: {', then '.join(map(printable, following))}"),
    )
    text = yaml_export(imported.resources, head, imported.ids)
    if out is None:
        terminal.write(text)
    else:
        terminal.write_file(out, text)
    where = "" if out is None else f" to {out}"
    terminal.message(
        [
            line(f"Wrote {kinds_listed(imported.kinds)}{printable(where)}.{rest}"),
            line("Read it, then take them over: ", (printable(following[0]), Style.BOLD)),
        ]
    )


def _plan_adoption(
    terminal: Terminal,
    workspace: Workspace,
    found: list[UnmanagedAlarm],
    out: Path | None,
    stack: Path,
    var: list[str] | None,
    var_file: list[Path] | None,
    format: Format,
) -> ExitCode:
    adoptable = [item for item in found if item.unadoptable is None]
    if len(adoptable) < len(found):
        terminal.report(tuple(unadoptable_warnings(found)))
    found = adoptable
    plan = adoption(workspace, found)
    show_plan(terminal, plan, format)
    if plan.problems:
        if format != Format.JSON:
            terminal.report(plan.problems)
        return ExitCode.ERROR  # they were in the plan shown
    left = len(found) - sum(is_unmanaged(seen.marks) for change in plan.changes for seen in change.before)
    if left:
        are = "is" if left == 1 else "are"
        again = next_command("import", stack, var=var, var_file=var_file)
        terminal.message([line(f"{count(left, 'alarm')} {are} not declared: `{printable(again)}` writes the YAML.")])
    if out is not None and plan.changes:
        save(terminal, plan, out, stack, var, var_file)
    return ExitCode.DONE
