"""Runs plans and drift runs of many stacks of a fleet with one query of each service."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from reconciler.app.run_unit import Listening, ended, never, open_unit, run_opened, run_unit
from reconciler.app.unit import Unit, UnitKind, UnitResult, UnitState
from reconciler.core.exit_code import ExitCode
from reconciler.core.gc_tuning import gc_disabled
from reconciler.core.text import Redactor
from reconciler.session.shared_queries import share_queries
from reconciler.session.workspace import Workspace


@dataclass(slots=True)
class _Opened:
    """A unit whose stack is open until ``resources`` are closed."""

    unit: Unit
    redactor: Redactor
    resources: ExitStack
    workspace: Workspace


def run_batch(
    units: Sequence[Unit],
    listening: Listening = never,
    environ: Mapping[str, str] = os.environ,
    began: Callable[[Unit], None] = lambda _: None,
    *,
    workers: int = 1,
    need_shared_ledger: bool = False,
) -> Iterator[UnitResult]:
    """Run units that only query, and yield the result of each as it ends; never raises.

    First all stacks are opened, then each service is queried once for all of them (``share_queries``). ``began`` is
    called when a unit is worked on alone: until then, a delay may be caused by another unit. After KeyboardInterrupt,
    units that have not ended are interrupted. ``workers`` processes share the work, and rate limits. With
    ``need_shared_ledger``, a unit that writes to services is refused if its ledger is a file, which other machines do
    not have.
    """
    if len(units) == 1:
        began(units[0])
        yield run_unit(units[0], listening, environ, workers=workers, need_shared_ledger=need_shared_ledger)
        return
    with gc_disabled():  # all stacks are in memory at once
        yield from _run_together(units, listening, environ, began, workers)


def _run_together(
    units: Sequence[Unit],
    listening: Listening,
    environ: Mapping[str, str],
    began: Callable[[Unit], None],
    workers: int,
) -> Iterator[UnitResult]:
    left = list(units)
    opened: list[_Opened] = []
    try:
        for unit in units:
            failed = _open(unit, environ, workers, opened)
            if failed is not None:
                left.remove(unit)
                yield failed
        share_queries([each.workspace for each in opened], unmanaged=units[0].kind is UnitKind.PLAN)
        for each in opened:
            began(each.unit)
            result = _run(each, listening)
            left.remove(each.unit)
            yield result
            if result.state is UnitState.INTERRUPTED:
                break
    except KeyboardInterrupt:
        pass
    finally:
        for each in opened:
            each.resources.close()
    for unit in left:
        yield UnitResult(unit, UnitState.INTERRUPTED, ExitCode.INTERRUPTED)


def _open(unit: Unit, environ: Mapping[str, str], workers: int, opened: list[_Opened]) -> UnitResult | None:
    """Open the stack of a unit; returns its result if that fails."""
    redactor = Redactor()

    def run() -> UnitResult:
        with ExitStack() as resources:
            workspace = resources.enter_context(open_unit(unit, environ, redactor, workers))
            opened.append(_Opened(unit, redactor, resources.pop_all(), workspace))
        return UnitResult(unit, UnitState.DONE, ExitCode.DONE)

    result = ended(unit, redactor, run)
    if result.state is UnitState.INTERRUPTED:
        raise KeyboardInterrupt
    return None if opened and opened[-1].unit is unit else result


def _run(each: _Opened, listening: Listening) -> UnitResult:
    def run() -> UnitResult:
        with each.resources:
            return run_opened(each.unit, each.workspace, listening)

    return ended(each.unit, each.redactor, run)
