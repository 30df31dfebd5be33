"""The stack for library users: open it from a directory or a text, then plan, apply and check it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from pathlib import Path
from threading import Event
from types import TracebackType

from reconciler.app.apply import ApplyRequest, FailedRun, NotRun, apply_saved, apply_stack, destroy_stack
from reconciler.app.check import run_stack_checks
from reconciler.app.plan import addresses, plan_stack
from reconciler.app.status import StackStatus, stack_status
from reconciler.apply.options import DEADLINE, NullProgress, Options, Progress
from reconciler.apply.result import ApplyStatus, Result, RunFailedError
from reconciler.apply.settle import Settlement
from reconciler.checks.result import Report
from reconciler.checks.run import NullCheckWatcher
from reconciler.config.stack import Inputs
from reconciler.config.yaml.source_map import Source
from reconciler.core.duration import parse_duration
from reconciler.core.operation import Outcome, Status
from reconciler.ledger.sqlite import memory_ledger
from reconciler.plan.plan import Plan, Selection
from reconciler.session.workspace import Workspace, open_workspace

MEMORY = ":memory:"
"""The ``ledger`` value for a ledger in memory."""


class Stack:
    """An open stack; a context manager, created by ``open`` or ``from_text``. Use it from one thread at a time.

    Every method raises DiagnosticError for errors that a user can fix, ServiceError if a service cannot be queried, and
    LeaseHeldError if another run holds the stack's lease. Nothing is printed, and nothing prompts.
    """

    def __init__(self, workspace: Workspace, resources: ExitStack) -> None:
        self._workspace = workspace
        self._resources = resources
        self._stops: set[Event] = set()

    @classmethod
    def open(
        cls,
        path: str | Path = ".",
        *,
        variables: Mapping[str, object] | None = None,
        environ: Mapping[str, str] | None = None,
        ledger: str | Path | None = None,
    ) -> Stack:
        """Open the stack in a directory or a file.

        ``variables`` are those of ``--var``: texts are converted to the type of the variable, other values are used as
        they are. ``environ`` replaces the environment of this process. ``ledger`` is a directory, a URL or
        ``":memory:"``; by default the configuration decides.
        """
        return _opened(Path(path), None, variables, environ, ledger)

    @classmethod
    def from_text(
        cls,
        text: str,
        *,
        directory: str | Path = ".",
        variables: Mapping[str, object] | None = None,
        environ: Mapping[str, str] | None = None,
        ledger: str | Path | None = MEMORY,
    ) -> Stack:
        """Open a stack from its YAML; ``directory`` is where the files are that it includes.

        By default the ledger is in memory: nothing is written to disk, and what is known of this stack is lost when it
        is closed.
        """
        return _opened(Path(directory), text, variables, environ, ledger)

    @property
    def name(self) -> str:
        """The name of the stack."""
        return self._workspace.stack.name

    @property
    def addresses(self) -> tuple[str, ...]:
        """The address of every declared resource, including each instance of a for_each."""
        return tuple(str(item.address) for item in self._workspace.stack.desired)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Warnings about the configuration."""
        return tuple(warning.summary for warning in self._workspace.stack.warnings)

    def plan(self, *, targets: Sequence[str] = (), exclude: Sequence[str] = (), replace: Sequence[str] = ()) -> Plan:
        """Query the services, and return what ``apply`` would do. Changes nothing.

        With ``targets`` only those are planned, and nothing of ``exclude``; active alarms at the addresses of
        ``replace`` are raised again.
        """
        return plan_stack(self._workspace, _selection(targets, exclude, replace))

    def apply(
        self,
        plan: Plan | None = None,
        *,
        targets: Sequence[str] = (),
        exclude: Sequence[str] = (),
        replace: Sequence[str] = (),
        force: bool = False,
        verify: bool = True,
        deadline: str | None = None,
    ) -> Result:
        """Apply a plan as it was shown, or a new plan; ``force`` overrides the stack's guards.

        A plan that is out of date is refused with DiagnosticError; one that was already applied gives a result in which
        nothing remains. With ``verify`` it returns once the services show the effect. ``deadline`` is a duration, such
        as ``10m``. Raises RunFailedError for an internal error during the run: its ``result`` has what is known.
        """
        if plan is not None and (targets or exclude or replace):
            raise ValueError("a plan is applied as a whole: pass targets, exclude and replace to plan instead")
        request = _request("apply", force, verify, deadline)
        if plan is not None:
            return self._result(apply_saved(self._workspace, request, _Operator(self._stops), plan), request, plan)
        selection = _selection(targets, exclude, replace)
        found = apply_stack(self._workspace, request, _Operator(self._stops), selection)
        return self._result(found, request)

    def destroy(
        self,
        *,
        targets: Sequence[str] = (),
        exclude: Sequence[str] = (),
        force: bool = False,
        verify: bool = True,
        deadline: str | None = None,
    ) -> Result:
        """Clear every alarm the stack owns."""
        request = _request("destroy", force, verify, deadline)
        found = destroy_stack(self._workspace, request, _Operator(self._stops), _selection(targets, exclude))
        return self._result(found, request)

    def check(self, *names: str) -> Report:
        """Run the named checks, or all of them."""
        with self._stopping() as stop:
            return run_stack_checks(self._workspace, names, stop, NullCheckWatcher())

    def status(self) -> StackStatus:
        """Which alarms are active, since when, and which run raised each."""
        return stack_status(self._workspace)

    def stop(self) -> None:
        """End what runs in another thread early, as Ctrl-C does: nothing new is sent, and nothing is lost."""
        for stop in tuple(self._stops):
            stop.set()

    def close(self) -> None:
        """Close the connections and the ledger."""
        self._resources.close()

    def __enter__(self) -> Stack:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _stopping(self) -> Iterator[Event]:
        stop = Event()
        self._stops.add(stop)
        try:
            yield stop
        finally:
            self._stops.discard(stop)

    def _result(self, found: Result | FailedRun | NotRun, request: ApplyRequest, plan: Plan | None = None) -> Result:
        if isinstance(found, FailedRun):
            raise RunFailedError(found.result) from found.error
        if isinstance(found, Result):
            return found
        now = self._workspace.clock.now()
        planned = plan if plan is not None else self.plan()
        done = found is NotRun.ALREADY_APPLIED
        outcomes = {item.key: Outcome(item.key, Status.DONE) for item in planned.operations} if done else {}
        ending = ApplyStatus.COMPLETE if done else ApplyStatus.INTERRUPTED
        return Result(planned, "", now, now, ending, outcomes, command=request.command)


class _Operator:
    """Approves everything, reports nothing; ``stops`` gets the event that stops the run, while it works."""

    def __init__(self, stops: set[Event]) -> None:
        self._stops = stops

    def settled(self, settlement: Settlement) -> None: ...

    def review(self, plan: Plan) -> None: ...

    def approve(self, plan: Plan) -> bool:  # noqa: ARG002 - whoever calls the library has decided
        return True

    def working(self, stop: Event) -> AbstractContextManager[Progress]:
        return self._working(stop)

    @contextmanager
    def _working(self, stop: Event) -> Iterator[Progress]:
        self._stops.add(stop)
        try:
            yield NullProgress()
        finally:
            self._stops.discard(stop)


def _opened(
    path: Path,
    text: str | None,
    variables: Mapping[str, object] | None,
    environ: Mapping[str, str] | None,
    ledger: str | Path | None,
) -> Stack:
    given = variables or {}
    texts = {name: value for name, value in given.items() if isinstance(value, str)}
    others = {name: value for name, value in given.items() if name not in texts}
    files = (Source("variables", json.dumps(others).encode()),) if others else ()
    place = None if ledger is None or ledger == MEMORY else str(ledger)
    inputs = Inputs(texts, files, dict(os.environ if environ is None else environ), place)
    with ExitStack() as resources:
        held = resources.enter_context(closing(memory_ledger())) if ledger == MEMORY else None
        workspace = resources.enter_context(open_workspace(path, inputs, text=text, ledger=held))
        return Stack(workspace, resources.pop_all())


def _request(command: str, force: bool, verify: bool, deadline: str | None) -> ApplyRequest:
    longest = DEADLINE if deadline is None else parse_duration(deadline)
    return ApplyRequest(command, Options(verify=verify, deadline=longest), force)


def _selection(targets: Sequence[str], exclude: Sequence[str], replace: Sequence[str] = ()) -> Selection:
    return Selection(
        tuple(addresses(targets, "targets")),
        tuple(addresses(exclude, "exclude")),
        tuple(addresses(replace, "replace")),
    )
