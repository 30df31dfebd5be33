"""The report of a fleet: how every unit ended, and the exit code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from reconciler.app.unit import UnitKind, UnitResult, UnitState
from reconciler.core.action import Action
from reconciler.core.diagnostic import Diagnostic
from reconciler.core.exit_code import ExitCode, worst


@dataclass(frozen=True, slots=True)
class WaveReport:
    """How the units of one wave ended, in the order of the fleet."""

    name: str
    results: tuple[UnitResult, ...]


@dataclass(frozen=True, slots=True)
class FleetReport:
    """How all units of a fleet ended; instants are epoch milliseconds, ``by`` is who started it."""

    fleet: str
    kind: UnitKind
    waves: tuple[WaveReport, ...]
    started_at: int
    ended_at: int
    by: str
    unchanged: int = 0
    warnings: tuple[Diagnostic, ...] = ()

    @property
    def results(self) -> tuple[UnitResult, ...]:
        """All results, wave after wave."""
        return tuple(result for wave in self.waves for result in wave.results)

    @property
    def states(self) -> Mapping[UnitState, int]:
        """The number of units in each state."""
        return Counter(result.state for result in self.results)

    @property
    def counts(self) -> Mapping[str, int]:
        """The changes by action, or checks by status, of all stacks."""
        total: Counter[str] = Counter()
        for result in self.results:
            total.update(result.counts)
        return total

    @property
    def has_nothing_to_pass(self) -> bool:
        """Whether checks were requested but no stack has any: a gate without checks must not pass."""
        return self.kind is UnitKind.CHECK and not any(result.counts or result.exit_code for result in self.results)

    def exit_code(self, *, detailed: bool = False) -> ExitCode:
        """The worst exit code of all units; changes count only with ``detailed``."""
        if self.has_nothing_to_pass:
            return ExitCode.ERROR
        codes = (result.exit_code for result in self.results)
        return worst(ExitCode.DONE if code is ExitCode.CHANGES and not detailed else code for code in codes)


def has_changes(result: UnitResult) -> bool:
    """Whether a unit's plan has changes, or its apply made some."""
    return any(number and action != Action.NO_OP for action, number in result.counts.items())
