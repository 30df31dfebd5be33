"""Runs of drills: start one, resume one that died, or abort one, each under the stack's lease."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from threading import Event

from reconciler.apply.lease import Owner
from reconciler.checks.canary import CanarySession
from reconciler.checks.load import read_checks
from reconciler.checks.spec import RECEIVER_TYPE, Check, UnresolvedCheck
from reconciler.core.delivery import DeliveryLog, DeliveryQuery
from reconciler.core.diagnostic import Diagnostic, DiagnosticError
from reconciler.core.duration import format_instant
from reconciler.drill.cleanup import clear_all
from reconciler.drill.context import OperatorHooks, RunContext
from reconciler.drill.drill import Drill, combined_plan, drill_stack
from reconciler.drill.observer import notification_queries
from reconciler.drill.preconditions import refusals, require_same_targets
from reconciler.drill.record import Death, DrillStatus, Record, StepState, new_record, orphan_record
from reconciler.drill.rehearsal import ScaledClock
from reconciler.drill.runner import DrillRunner
from reconciler.drill.store import RunJournal, RunStore
from reconciler.drill.timeline import next_due
from reconciler.ledger.protocol import CHECK
from reconciler.session.deliveries import deliveries
from reconciler.session.session import StackSession, open_session
from reconciler.session.workspace import Workspace


def start(workspace: Workspace, drill: Drill, store: RunStore, hooks: OperatorHooks, *, force: bool = False) -> Record:
    """Run a drill from start to end. Raises DiagnosticError, before anything is sent, if it may not start.

    If a check of ``before`` fails, or the start is not approved, the record says so. Also raises LeaseHeldError, and
    ServiceError if it is unknown whether an earlier run left alarms.
    """
    clock = workspace.clock
    rehearsal = isinstance(clock, ScaledClock)
    found = refusals(drill, workspace.projects, clock.now())
    if rehearsal:
        found = tuple(one for one in found if one.address is not None)  # a rehearsal's clock does not follow the week
    plan = combined_plan(drill, workspace.registry.resource_types(), clock.now())
    guards = () if force else workspace.refusals(plan)
    if found or guards or plan.problems:
        raise DiagnosticError(*found, *guards, *plan.problems)
    with open_session(workspace, hooks.owner, hooks.stop, owner=drill.owner) as session:
        _check_nothing_left(session, drill, store, rehearsal, hooks.command)
        session.resolve_open_intents(hooks.stop)
        clock = session.clock
        record = new_record(drill, hooks.owner, workspace.targets, workspace.clock)
        journal = RunJournal(record, store, clock, hooks.watcher)
        journal.write(f"drill {drill.name} of stack {drill.stack}")
        runner = DrillRunner(
            drill, session, _run_context(workspace, session, drill, store, record.run, hooks), journal, hooks.stop
        )
        checks_pass = runner.checks_pass("before", drill.spec.checks_before)
        if hooks.stop.is_set():
            why = "interrupted before anything was sent"
            journal.write(why, ending=DrillStatus.INTERRUPTED, why=why, ended_at=clock.now())
        elif not checks_pass:
            bad = ", ".join(check.name for check in journal.record.failed_checks)
            _refuse(journal, f"did not start: {bad} did not pass")
        elif not hooks.approve(drill):
            _refuse(journal, "did not start: its name was not typed")
        else:
            journal.write("the timeline begins", started_at=clock.now())
            runner.run()
        return journal.record


def resume(workspace: Workspace, drill: Drill, record: Record, store: RunStore, hooks: OperatorHooks) -> Record:
    """Resume a run that died: settle open intents, run the remaining steps at the same intervals, clear.

    Raises DiagnosticError if the drill or a target has changed since, and LeaseHeldError if the run is alive.
    """
    if record.digest != drill.digest:
        hint = f"run `{hooks.command(f'drill abort {drill.name}')}`, then start it again"
        raise DiagnosticError(
            Diagnostic(f"drill {drill.name} has changed since the run was started", drill.position, hint)
        )
    require_same_targets(record, workspace.targets, store)
    with open_session(workspace, hooks.owner, hooks.stop, owner=drill.owner) as session:
        clock = session.clock
        record = store.load(record.run)
        if record.over:
            return record
        taken_over = _after_death(record, hooks.owner, clock.now()).model_copy(
            update={
                "who": hooks.owner.name,
                "host": hooks.owner.host,
                "pid": hooks.owner.pid,
                "pipeline": hooks.owner.pipeline,
                "commit": hooks.owner.commit,
            }
        )
        journal = RunJournal(taken_over, store, clock, hooks.watcher)
        journal.write(f"resumed by {hooks.owner.name} on {hooks.owner.host}")
        runner = DrillRunner(
            drill, session, _run_context(workspace, session, drill, store, record.run, hooks), journal, hooks.stop
        )
        if record.started_at is None:
            _refuse(journal, "did not start: its process died first")
            return journal.record
        session.resolve_open_intents(hooks.stop)
        _shift_overdue(drill, journal, clock.now())
        runner.run()
        return journal.record


def abort(workspace: Workspace, name: str, store: RunStore, hooks: OperatorHooks) -> Record:
    """Settle and clear everything that a drill left, found only by its marks.

    If there is neither an unfinished run nor an alarm to clear, the returned record is not saved. Raises LeaseHeldError
    if a run of the stack is alive, and DiagnosticError if a target has changed since the run began.
    """
    owner = drill_stack(workspace.stack.name, name)
    with open_session(workspace, hooks.owner, hooks.stop, owner=owner) as session:
        clock = session.clock
        unfinished = store.unfinished(name)
        for each in unfinished:
            require_same_targets(each, workspace.targets, store)
        if unfinished:
            record = _after_death(unfinished[0], hooks.owner, clock.now())
            journal = RunJournal(record, store, clock, hooks.watcher)
        else:
            targets = {key: workspace.targets[key] for key in session.providers}
            record = orphan_record(workspace.stack.name, name, hooks.owner, targets, clock.now())
            journal = RunJournal(
                record, store, clock, hooks.watcher, lambda record: bool(record.emissions or record.leftovers)
            )
        journal.write(f"aborted by {hooks.owner.name} on {hooks.owner.host}")
        steps = tuple(
            step.model_copy(update={"state": StepState.SKIPPED, "outcome": "aborted"})
            if step.state in (StepState.WAITING, StepState.RUNNING)
            else step
            for step in journal.record.steps
        )
        clear_all(session, journal, "drill abort", Event(), wait_for_late=not unfinished)
        why = f"aborted by {hooks.owner.name} on {hooks.owner.host}"
        journal.write("the drill has ended", ending=DrillStatus.ABORTED, why=why, steps=steps, ended_at=clock.now())
        for older in unfinished[1:]:
            store.save(older.model_copy(update={"ending": DrillStatus.ABORTED, "ended_at": clock.now(), "why": why}))
        for each in unfinished:
            store.clear_abort(each.run)
        return journal.record


def _run_context(
    workspace: Workspace, session: StackSession, drill: Drill, store: RunStore, run: str, hooks: OperatorHooks
) -> RunContext:
    types = workspace.registry.resource_types()

    def checks(names: Collection[str]) -> Sequence[Check | UnresolvedCheck]:
        return read_checks(workspace.stack, types, workspace.ask, names) if names else ()

    canaries = CanarySession(replace(session, owner=workspace.stack.name, command=CHECK), workspace.refusals)
    used = {key: session.providers[key] for key in drill.providers}
    return RunContext(
        checks,
        workspace.query,
        partial(deliveries, workspace),
        canaries,
        notification_queries(session.owner, used, workspace.stack.providers, workspace.registry),
        _delivery_queries(workspace),
        hooks.confirm,
        lambda: hooks.aborted() or store.abort_requested(run),
    )


def _delivery_queries(workspace: Workspace) -> list[Callable[[DeliveryQuery], DeliveryLog]]:
    """One for each receiver of the stack; one that runs only with ``--listen`` is left out if it is not running."""
    found: list[Callable[[DeliveryQuery], DeliveryLog]] = []
    for key, config in workspace.stack.providers.items():
        if config.type == RECEIVER_TYPE:
            with suppress(DiagnosticError):
                workspace.provider_pool.provider(config)
                found.append(partial(deliveries, workspace, key))
    return found


def _check_nothing_left(
    session: StackSession, drill: Drill, store: RunStore, rehearsal: bool, command: Callable[[str], str]
) -> None:
    """Raise DiagnosticError if an earlier run of the drill is unfinished, or one of its alarms is active."""
    resuming, aborting = command(f"drill resume {drill.name}"), command(f"drill abort {drill.name}")
    hint = f"`{resuming}` resumes it, `{aborting}` clears it"
    unfinished = [] if rehearsal else store.unfinished(drill.name)
    if unfinished:
        last = unfinished[0]
        began = format_instant(last.began_at)
        raise DiagnosticError(
            Diagnostic(f"run {last.run} of drill {drill.name}, started {began}, is not finished", hint=hint)
        )
    active = session.active()
    if active:
        hint = f"`{aborting}` clears them"
        raise DiagnosticError(Diagnostic(f"{len(active)} alarms of drill {drill.name} are active already", hint=hint))


def _after_death(record: Record, owner: Owner, now: int) -> Record:
    """The record of a run whose process died, taken over now."""
    death = Death(last_at=record.last_at, found_at=max(now, record.last_at), who=owner.name, host=owner.host)
    return record.model_copy(update={"deaths": (*record.deaths, death)})


def _shift_overdue(drill: Drill, journal: RunJournal, now: int) -> None:
    """If the next step is overdue, shift the timeline so that it is due now and the later steps keep their distance."""
    record = journal.record
    assert record.started_at is not None  # noqa: S101 - narrows a type
    ended = {step.name: step.ended_at - record.started_at for step in record.steps if step.ended_at is not None}
    due = next_due(drill.timeline, ended, record.paused_for)
    late = 0 if due is None else now - record.started_at - due.offset
    if late > 0:
        journal.write(paused_for=record.paused_for + late)


def _refuse(journal: RunJournal, why: str) -> None:
    journal.write(why, ending=DrillStatus.REFUSED, why=why, ended_at=journal.now())
