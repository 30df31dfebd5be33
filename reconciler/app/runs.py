"""Past runs: found in the ledger of a stack by their ids."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from reconciler.app.ledger_file import find
from reconciler.core.diagnostic import Diagnostic, DiagnosticError
from reconciler.ledger.protocol import Entry, Run, matching_runs
from reconciler.ledger.sqlite import read_ledger


class PastRun(NamedTuple):
    """A run with its operations; ``alive``: it may still be running."""

    run: Run
    entries: Sequence[Entry]
    alive: bool


def past_run(id: str, where: Path, now: int, stack: str | None = None) -> PastRun:
    """The run with this id, or the only one whose id begins so; else the newest of the plan with this id, which an
    alarm's ``reconciler_run`` mark names. Raises DiagnosticError if there is no such run.
    """
    with closing(read_ledger(find(where, stack))) as ledger:
        runs = ledger.runs()
        ids = matching_runs(id, [run.id for run in runs])
        found = [run for run in runs if run.id in ids] or _runs_of_plan(id, runs)[:1]
        if len(found) != 1:
            summary = f"more than one run begins with {id}" if found else f"there is no run {id}, and no such file"
            raise DiagnosticError(Diagnostic(summary, hint="`reconciler ledger list` shows them all"))
        run = found[0]
        return PastRun(run, ledger.entries(run.id), run is runs[0] and ledger.holder(now) is not None)


def _runs_of_plan(id: str, runs: Sequence[Run]) -> list[Run]:
    plans = matching_runs(id, dict.fromkeys(run.plan_id for run in runs))
    return [run for run in runs if plans == [run.plan_id]]
