"""Running a fleet on an engine: wave by wave, within the limits on failures, into one report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Event
from typing import Protocol

from reconciler.app.ledger import owner
from reconciler.app.unit import Unit, UnitKind, UnitResult, UnitState
from reconciler.core.diagnostic import Diagnostic
from reconciler.core.exit_code import ExitCode
from reconciler.core.system_clock import now
from reconciler.fleet.engine import Engine, EngineLimits, Finished
from reconciler.fleet.fleet import Fleet, Wave
from reconciler.fleet.report import FleetReport, WaveReport


class Watcher(Protocol):
    """Observes a fleet while it runs; called from one thread."""

    def started(self, unit: Unit, worker: str) -> None:
        """A unit has started on a worker."""

    def finished(self, result: UnitResult) -> None:
        """A unit has ended, or will not be started."""


class FleetRun:
    """One run of a fleet; ``stop`` may be called from a signal handler while ``report`` works."""

    def __init__(self, fleet: Fleet, engine: Engine, limits: EngineLimits, watcher: Watcher) -> None:
        self._fleet = fleet
        self._engine = engine
        self._limits = limits
        self._watcher = watcher
        self._results: dict[str, UnitResult] = {}
        self._failures = 0
        self._interrupted = False
        self._stops: list[Event] = []
        self._reason: str | None = None

    def stop(self) -> None:
        """Start no further unit, and ask running units to stop cleanly."""
        self._interrupted = True
        for stop in self._stops:
            stop.set()
        self._engine.stop()

    def report(self) -> FleetReport:
        """Run all units, and report how each ended.

        An apply runs wave by wave; commands that change nothing ignore the waves.
        """
        began = now()
        fleet = self._fleet
        if fleet.kind is UnitKind.APPLY:
            for wave in fleet.waves:
                self._run(wave.due)
                self._hold_back_after_failure(wave)
        else:
            self._run(fleet.due)
        waves = tuple(WaveReport(wave.name, tuple(self._in_order(wave))) for wave in fleet.waves)
        return FleetReport(
            fleet.name, fleet.kind, waves, began, now(), str(owner().origin), fleet.unchanged, fleet.warnings
        )

    def _run(self, units: Sequence[Unit]) -> None:
        for event in self._engine.run(self._hand_out([unit for unit in units if not unit.is_cut]), self._limits):
            if isinstance(event, Finished):
                self._end(event.result)
            else:
                self._watcher.started(event.unit, event.worker)
        for unit in self._hand_out([unit for unit in units if unit.is_cut]):
            from reconciler.fleet.cut import run_cut

            self._watcher.started(unit, "all workers")
            self._end(run_cut(unit, self._engine, self._limits, self._listening))
        for unit in units:
            if unit.id not in self._results:
                self._results[unit.id] = self._left_out(unit)

    @contextmanager
    def _listening(self, stop: Event) -> Iterator[None]:
        """While the block runs, set the event on a stop request, including an earlier one."""
        self._stops.append(stop)
        try:
            if self._interrupted:
                stop.set()
            yield
        finally:
            self._stops.remove(stop)

    def _hold_back_after_failure(self, wave: Wave) -> None:
        """After a failure in a wave, do not start the later waves."""
        failed = any(result.exit_code for result in self._in_order(wave))
        if failed and wave.stop_on_failure and self._reason is None:
            self._reason = f"a stack of {f'the wave {wave.name}' if wave.name else 'the wave before'} failed"

    def _in_order(self, wave: Wave) -> Iterator[UnitResult]:
        return (wave.settled.get(unit.id) or self._results[unit.id] for unit in wave.units)

    def _hand_out(self, units: Sequence[Unit]) -> Iterator[Unit]:
        for unit in units:
            if self._interrupted or self._reason is not None:
                return
            yield unit

    def _end(self, result: UnitResult) -> None:
        again = self._results.get(result.unit.id)
        self._results[result.unit.id] = result
        self._watcher.finished(result)
        self._failures += result.is_failure and not (again is not None and again.is_failure)
        most = self._fleet.max_failures
        if most is not None and self._failures >= most and self._reason is None:
            stacks = "stack" if most == 1 else "stacks"
            self._reason = f"the limit of {most} failed {stacks} is reached"

    def _left_out(self, unit: Unit) -> UnitResult:
        if self._interrupted:
            result = UnitResult(unit, UnitState.NOT_RUN, ExitCode.INTERRUPTED)
        else:
            told = Diagnostic(self._reason or "the engine did not accept it")
            result = UnitResult(unit, UnitState.NOT_RUN, ExitCode.ERROR, diagnostics=(told,))
        self._watcher.finished(result)
        return result
