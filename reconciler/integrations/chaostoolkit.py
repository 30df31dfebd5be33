"""Actions and probes for Chaos Toolkit: an experiment raises, records, checks and rolls back through a stack's drill.

Each function takes the ``stack`` (a directory or file) and the ``drill`` whose resources it uses, as an experiment
gives them under ``arguments``. No state is kept between calls, so that a rollback works however the experiment ended.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event

from chaoslib.exceptions import ActivityFailed

from reconciler.app.check import run_stack_checks
from reconciler.app.drill import active_drill_alarms
from reconciler.app.drill_resources import (
    ResourceChanges,
    clear_drill_alarms,
    raise_drill_alarms,
    record_drill_event,
)
from reconciler.app.ledger import owner
from reconciler.apply.lease import Owner
from reconciler.apply.verify import DeniedError
from reconciler.checks.run import NullCheckWatcher
from reconciler.config.stack import Inputs
from reconciler.core.diagnostic import DiagnosticError
from reconciler.ledger.protocol import LeaseHeldError, LeaseLostError
from reconciler.providers.protocol import ServiceError
from reconciler.session.workspace import Workspace, open_workspace

__all__ = ["check", "clear_alarms", "no_active_alarms", "raise_alarms", "record_event"]

JsonResult = dict[str, object]
RUN = "chaostoolkit"
"""A placeholder for the run in the occurrence of an event."""


def raise_alarms(
    stack: str, drill: str, resources: Sequence[str] = (), variables: dict[str, str] | None = None
) -> JsonResult:
    """Raise alarms of a drill (all, or those named), each with a timeout of at most the drill's max_duration.

    An action. An alarm that is active already is left alone. Fails if the drill's ``allowed`` or the stack's guards
    forbid it.
    """
    with _opened(stack, variables) as workspace:
        return _journal_entry(raise_drill_alarms(workspace, drill, _names(resources), _owner()))


def clear_alarms(stack: str, drill: str, variables: dict[str, str] | None = None) -> JsonResult:
    """Clear every active alarm of a drill, known by its marks alone; it is no error if there is none.

    An action, made for ``rollbacks``. Fails if an alarm is still active afterwards.
    """
    with _opened(stack, variables) as workspace:
        return _journal_entry(clear_drill_alarms(workspace, drill, _owner()))


def record_event(
    stack: str, drill: str, resource: str, occurrence: str | None = None, variables: dict[str, str] | None = None
) -> JsonResult:
    """Record an event of a drill: once for each ``occurrence``, or at each call if none is given.

    An action.
    """
    with _opened(stack, variables) as workspace:
        return _journal_entry(record_drill_event(workspace, drill, resource, occurrence, _owner(), RUN))


def check(stack: str, names: Sequence[str] = (), variables: dict[str, str] | None = None) -> bool:
    """Whether checks of a stack pass: all of them, or those named.

    A probe. Fails, rather than returning false, if a service cannot be queried or the stack has no checks.
    """
    with _opened(stack, variables) as workspace:
        report = run_stack_checks(workspace, _names(names), Event(), NullCheckWatcher(), _owner())
        unknown = [one for one in report.results if one.status not in ("passed", "failed")]
        if unknown:
            raise ActivityFailed("; ".join(f"{one.name}: {one.outcome.reason}" for one in unknown))
        return report.passed


def no_active_alarms(stack: str, drill: str, variables: dict[str, str] | None = None) -> bool:
    """Whether no alarm of a drill is active, known by its marks.

    A probe, made for the steady-state hypothesis. Fails, rather than returning false, if a service cannot be queried.
    """
    with _opened(stack, variables) as workspace:
        return not active_drill_alarms(workspace, drill)


@contextmanager
def _opened(stack: str, variables: dict[str, str] | None) -> Iterator[Workspace]:
    """The open stack. An error of its configuration or of a service fails the activity."""
    inputs = Inputs(dict(variables or {}), (), dict(os.environ))
    try:
        with open_workspace(Path(stack), inputs, data=False) as workspace:
            yield workspace
    except DiagnosticError as error:
        raise ActivityFailed("; ".join(_words(one.summary, one.position) for one in error.diagnostics)) from None
    except (ServiceError, DeniedError) as error:
        raise ActivityFailed(str(error)) from None
    except (LeaseHeldError, LeaseLostError) as error:
        raise ActivityFailed(f"the stack's lease is needed: {error}") from None


def _owner() -> Owner:
    found = owner()
    return found._replace(name=f"{found.name} (chaos)")


def _names(given: Sequence[str]) -> Sequence[str]:
    """A list of names; an experiment may give one name alone."""
    return [given] if isinstance(given, str) else given


def _journal_entry(changes: ResourceChanges) -> JsonResult:
    """The output that the experiment's journal keeps. Raises ActivityFailed if something is not done."""
    result = changes.result
    if result is not None and result.remaining:
        errors = [str(one.error) for one in result.outcomes.values() if one.error is not None]
        names = ", ".join(str(change.address) for change in result.remaining)
        raise ActivityFailed(f"not done: {names}{': ' + errors[0] if errors else ''}")
    if changes.still_active:
        raise ActivityFailed(f"still active after they were cleared: {', '.join(map(str, changes.still_active))}")
    return {
        "run": None if result is None else result.run,
        "done": [] if result is None else [str(change.address) for change in result.plan.pending],
        "already": changes.already_active,
        "unconfirmed": 0 if result is None else len(result.unconfirmed),
    }


def _words(summary: str, position: object) -> str:
    return f"{position}: {summary}" if position is not None else summary
