"""``reconciler fleet``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, NamedTuple

import typer

from reconciler.app.plan import inputs, lock_timeout_ms
from reconciler.app.unit import UnitKind, UnitState
from reconciler.cli.approval import check_approvable, is_approved
from reconciler.cli.command import ExitCode, command_app, examples
from reconciler.cli.fleet_engine import dask_scheduler, open_engine
from reconciler.cli.fleet_options import (
    ChangedSinceOption,
    DetailedOption,
    EngineName,
    EngineOption,
    EnvOption,
    FleetFormat,
    FleetFormatOption,
    MaxFailuresOption,
    ParallelOption,
    SchedulerOption,
    UnitDeadlineOption,
    WhatArgument,
)
from reconciler.cli.fleet_progress import stop_on_interrupt, watching
from reconciler.cli.heartbeat import duration_option
from reconciler.cli.options import (
    AutoApproveOption,
    ForceOption,
    FullOption,
    LockTimeoutOption,
    VarFileOption,
    VarOption,
)
from reconciler.cli.terminal import Format, Terminal
from reconciler.core.diagnostic import Diagnostic, DiagnosticError
from reconciler.core.ledger_url import ENVIRONMENT_VARIABLE
from reconciler.core.system_clock import now
from reconciler.core.text import printable
from reconciler.fleet.fleet import Fleet, FleetRequest, open_fleet
from reconciler.fleet.report import FleetReport, has_changes
from reconciler.fleet.run import FleetRun
from reconciler.fleet.saved import is_saved_fleet, load, prepare, save, with_plan_files
from reconciler.views.json.fleet import fleet_document
from reconciler.views.junit.fleet import fleet_junit
from reconciler.views.markdown.fleet import fleet_markdown
from reconciler.views.phrases.plan import count
from reconciler.views.text.fleet import fleet_lines
from reconciler.views.text.line import Style, line

app = command_app()


class _Options(NamedTuple):
    """The options of all fleet commands; ``scheduler`` is that of the Dask cluster to run on, if any."""

    env: Sequence[str] | None
    changed_since: str | None
    parallelism: int | None
    max_failures: int | None
    deadline: str | None
    var: Sequence[str] | None
    var_file: Sequence[Path] | None
    scheduler: str | None
    lock_timeout: str | None = None
    force: bool = False


@app.callback()
def fleet() -> None:
    """Plan, apply and check many stacks at once.

    The stacks are those of a fleet file (fleet.yaml), or all in and below directories. They run in parallel; one that
    fails does not stop the others, and the exit code is the worst of all.
    """


@app.command(
    epilog=examples(
        "reconciler fleet plan",
        "reconciler fleet plan stacks --changed-since origin/main --format markdown",
        "reconciler fleet plan --env production --out plans",
    )
)
def plan(
    ctx: typer.Context,
    what: WhatArgument = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="DIR", help="Save the plans, for `reconciler fleet apply DIR`.", show_default=False
        ),
    ] = None,
    detailed_exitcode: DetailedOption = False,
    env: EnvOption = None,
    changed_since: ChangedSinceOption = None,
    parallelism: ParallelOption = None,
    max_failures: MaxFailuresOption = None,
    deadline: UnitDeadlineOption = None,
    engine: EngineOption = EngineName.PROCESSES,
    scheduler: SchedulerOption = None,
    force: ForceOption = False,
    var: VarOption = None,
    var_file: VarFileOption = None,
    format: FleetFormatOption = FleetFormat.TEXT,
    full: FullOption = False,  # noqa: ARG001  # its callback tells the terminal
) -> ExitCode:
    """Show what an apply of every stack would do."""
    terminal = Terminal.of(ctx)
    options = _Options(
        env,
        changed_since,
        parallelism,
        max_failures,
        deadline,
        var,
        var_file,
        dask_scheduler(engine, scheduler),
        force=force,
    )
    request = _request(terminal, UnitKind.PLAN, options)
    opened = _open(terminal, what, request)
    if out is not None:
        prepare(out, opened)
        opened = with_plan_files(opened, out)
    report = _run(terminal, opened, options.scheduler)
    _show(terminal, report, format, detailed=detailed_exitcode)
    if out is not None:
        save(out, opened, report, request.variables or ())
        planned = sum(result.state is UnitState.DONE for result in report.results)
        on_cluster = "" if options.scheduler is None else f" {_on_cluster(options.scheduler)}"
        command = (f"reconciler fleet apply {printable(str(out))}{on_cluster}", Style.BOLD)
        terminal.message([line(f"Saved {count(planned, 'plan')}. To apply exactly these: ", command)])
    return report.exit_code(detailed=detailed_exitcode)


@app.command(
    epilog=examples(
        "reconciler fleet apply --auto-approve",
        "reconciler fleet apply plans",
        "reconciler fleet apply --env production --max-failures 3 --auto-approve --format json",
    )
)
def apply(
    ctx: typer.Context,
    what: WhatArgument = None,
    auto_approve: AutoApproveOption = False,
    env: EnvOption = None,
    changed_since: ChangedSinceOption = None,
    parallelism: ParallelOption = None,
    max_failures: MaxFailuresOption = None,
    deadline: UnitDeadlineOption = None,
    engine: EngineOption = EngineName.PROCESSES,
    scheduler: SchedulerOption = None,
    lock_timeout: LockTimeoutOption = None,
    force: ForceOption = False,
    var: VarOption = None,
    var_file: VarFileOption = None,
    format: FleetFormatOption = FleetFormat.TEXT,
    full: FullOption = False,  # noqa: ARG001  # its callback tells the terminal
) -> ExitCode:
    """Push and clear what the plans of every stack show, wave by wave.

    Plans, shows the plans, asks for approval, and carries them out. Plans saved with `reconciler fleet plan --out DIR`
    are carried out as they were shown. Interrupt it at any time: running it again continues, and sends nothing twice.
    """
    terminal = Terminal.of(ctx)
    cluster = dask_scheduler(engine, scheduler)
    options = _Options(
        env, changed_since, parallelism, max_failures, deadline, var, var_file, cluster, lock_timeout, force
    )
    request = _request(terminal, UnitKind.APPLY, options)
    directory = what[0] if what and is_saved_fleet(what[0]) else None
    if directory is not None:
        if len(what or ()) > 1 or env or changed_since or var_file:
            hint = "leave other directories, --env, --changed-since and --var-file out, or plan with them"
            raise DiagnosticError(Diagnostic("saved plans are applied as a whole", hint=hint))
        opened = load(directory, request)
    elif auto_approve:
        opened = _open(terminal, what, request)
    else:
        planning = _open(terminal, what, replace(request, kind=UnitKind.PLAN))
        _check_approvable(terminal, format, cluster)
        with TemporaryDirectory(prefix="reconciler-fleet-") as temporary:
            return _apply_reviewed(terminal, planning, request, Path(temporary), format, cluster)
    return _apply(terminal, opened, format, cluster)


@app.command(epilog=examples("reconciler fleet check", "reconciler fleet check stacks --format junit > checks.xml"))
def check(
    ctx: typer.Context,
    what: WhatArgument = None,
    env: EnvOption = None,
    changed_since: ChangedSinceOption = None,
    parallelism: ParallelOption = None,
    max_failures: MaxFailuresOption = None,
    deadline: UnitDeadlineOption = None,
    engine: EngineOption = EngineName.PROCESSES,
    scheduler: SchedulerOption = None,
    lock_timeout: LockTimeoutOption = None,
    var: VarOption = None,
    var_file: VarFileOption = None,
    format: FleetFormatOption = FleetFormat.TEXT,
    full: FullOption = False,  # noqa: ARG001  # its callback tells the terminal
) -> ExitCode:
    """Run the checks of every stack."""
    cluster = dask_scheduler(engine, scheduler)
    options = _Options(env, changed_since, parallelism, max_failures, deadline, var, var_file, cluster, lock_timeout)
    return _run_and_show(Terminal.of(ctx), UnitKind.CHECK, what, options, format)


@app.command(epilog=examples("reconciler fleet drift", "reconciler fleet drift --detailed-exitcode --format json"))
def drift(
    ctx: typer.Context,
    what: WhatArgument = None,
    detailed_exitcode: Annotated[
        bool, typer.Option("--detailed-exitcode", help="Exit with 2 if there is drift.")
    ] = False,
    env: EnvOption = None,
    changed_since: ChangedSinceOption = None,
    parallelism: ParallelOption = None,
    max_failures: MaxFailuresOption = None,
    deadline: UnitDeadlineOption = None,
    engine: EngineOption = EngineName.PROCESSES,
    scheduler: SchedulerOption = None,
    var: VarOption = None,
    var_file: VarFileOption = None,
    format: FleetFormatOption = FleetFormat.TEXT,
    full: FullOption = False,  # noqa: ARG001  # its callback tells the terminal
) -> ExitCode:
    """Show what changed at the services, but not in the configurations."""
    cluster = dask_scheduler(engine, scheduler)
    options = _Options(env, changed_since, parallelism, max_failures, deadline, var, var_file, cluster)
    return _run_and_show(Terminal.of(ctx), UnitKind.DRIFT, what, options, format, detailed=detailed_exitcode)


@app.command(epilog=examples("reconciler fleet status", "reconciler fleet status --env production --format markdown"))
def status(
    ctx: typer.Context,
    what: WhatArgument = None,
    env: EnvOption = None,
    parallelism: ParallelOption = None,
    engine: EngineOption = EngineName.PROCESSES,
    scheduler: SchedulerOption = None,
    var: VarOption = None,
    var_file: VarFileOption = None,
    format: FleetFormatOption = FleetFormat.TEXT,
) -> ExitCode:
    """Show what was last planned, applied and checked, when and by whom.

    Reads the ledgers; no service is queried.
    """
    options = _Options(env, None, parallelism, None, None, var, var_file, dask_scheduler(engine, scheduler))
    return _run_and_show(Terminal.of(ctx), UnitKind.STATUS, what, options, format)


def _run_and_show(
    terminal: Terminal,
    kind: UnitKind,
    what: Sequence[Path] | None,
    options: _Options,
    format: FleetFormat,
    *,
    detailed: bool = False,
) -> ExitCode:
    """Run a command without a prompt, and show its report."""
    report = _run(terminal, _open(terminal, what, _request(terminal, kind, options)), options.scheduler)
    _show(terminal, report, format, detailed=detailed)
    return report.exit_code(detailed=detailed)


def _apply(terminal: Terminal, opened: Fleet, format: FleetFormat, scheduler: str | None) -> ExitCode:
    report = _run(terminal, opened, scheduler)
    terminal.changed = any(result.run for result in report.results)
    _show(terminal, report, format)
    return report.exit_code()


def _apply_reviewed(
    terminal: Terminal,
    planning: Fleet,
    request: FleetRequest,
    directory: Path,
    format: FleetFormat,
    scheduler: str | None,
) -> ExitCode:
    """Plan, show the plans, prompt, and apply exactly these plans."""
    planned = with_plan_files(planning, directory)
    report = _run(terminal, planned, scheduler)
    _show(terminal, report, format)
    pending = sum(result.state is UnitState.DONE and has_changes(result) for result in report.results)
    if not pending or any(result.state is UnitState.INTERRUPTED for result in report.results):
        return report.exit_code()
    if not is_approved(terminal, f"Do you want to apply the plans of {count(pending, 'stack')}?"):
        terminal.message([line("Nothing was done.")])
        return ExitCode.ERROR
    save(directory, planned, report, request.variables or ())
    return _apply(terminal, load(directory, request), format, scheduler)


def _request(terminal: Terminal, kind: UnitKind, options: _Options) -> FleetRequest:
    """The options as a request. Raises DiagnosticError for an invalid one."""
    values = inputs({}, options.var, None, terminal.ledger)
    given = terminal.ledger or ""
    return FleetRequest(
        kind,
        now(),
        tuple(options.env or ()),
        options.changed_since,
        dict(values.variables),
        tuple(options.var_file or ()),
        given if ENVIRONMENT_VARIABLE.search(given) else values.ledger,
        options.parallelism,
        options.max_failures,
        None if options.deadline is None else duration_option("--deadline", options.deadline),
        lock_timeout_ms(options.lock_timeout),
        options.force,
    )


def _open(terminal: Terminal, what: Sequence[Path] | None, request: FleetRequest) -> Fleet:
    opened = open_fleet(what or [Path()], request)
    terminal.report(opened.warnings)
    return opened


def _run(terminal: Terminal, opened: Fleet, scheduler: str | None) -> FleetReport:
    """Run all units; Ctrl-C stops them cleanly."""
    with open_engine(terminal, opened, scheduler) as (engine, limits), watching(terminal, len(opened.due)) as watcher:
        run = FleetRun(opened, engine, limits, watcher)
        with stop_on_interrupt(terminal, run.stop):
            return run.report()


def _show(terminal: Terminal, report: FleetReport, format: FleetFormat, *, detailed: bool = False) -> None:
    if format is FleetFormat.JUNIT:
        terminal.write(fleet_junit(report, terminal.redactor.redact, detailed=detailed))
        return
    terminal.result(
        Format(format.value),
        text=lambda: fleet_lines(report, full=terminal.full),
        document=lambda: fleet_document(report, detailed=detailed),
        markdown=lambda: fleet_markdown(report),
    )


def _check_approvable(terminal: Terminal, format: FleetFormat, scheduler: str | None) -> None:
    reviewed = (
        "save the plans with `reconciler fleet plan --out DIR`, have them reviewed, "
        "and apply exactly these with `reconciler fleet apply DIR`"
    )
    check_approvable(terminal, format, preview="reconciler fleet plan", reviewed=reviewed)
    if scheduler is not None:
        summary = "a Dask cluster cannot apply plans that were shown here: they would be in a directory of this machine"
        on_cluster = _on_cluster(scheduler)
        hint = (
            f"save them where all workers read them, `reconciler fleet plan --out DIR {on_cluster}`, and apply them, "
            f"`reconciler fleet apply DIR {on_cluster}`; or add --auto-approve"
        )
        raise DiagnosticError(Diagnostic(summary, hint=hint))


def _on_cluster(scheduler: str) -> str:
    return f"--engine dask --scheduler {printable(scheduler)}"
