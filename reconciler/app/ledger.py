"""The ledger as commands use it: which file is meant, which past run, and who this process is."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import NamedTuple

from reconciler.apply.lease import Owner
from reconciler.core.diagnostic import Diagnostic, DiagnosticError
from reconciler.core.origin import origin
from reconciler.ledger.protocol import Entry, Run, matching_runs
from reconciler.ledger.sqlite import read_ledger


def find(where: Path, stack: str | None) -> Path:
    """The ledger of the stack at a path (a directory, a file of it, or a ledger itself); DiagnosticError where there is
    none, or more than one.
    """
    if where.suffix == ".db" and where.is_file():
        return where
    directory = (where if where.is_dir() else where.parent) / ".reconciler"
    found = [file for file in sorted(directory.glob("*.db")) if stack is None or file.stem == stack]
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(file.stem for file in found)
        raise DiagnosticError(Diagnostic(f"{directory} holds the ledgers of several stacks", hint=f"--stack: {names}"))
    what = "no ledger" if stack is None else f"no ledger of the stack {stack}"
    raise DiagnosticError(
        Diagnostic(f"there is {what} in {directory}", hint="`reconciler apply` makes one when it first runs")
    )


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


def owner() -> Owner:
    """The user, the host and the process; in a pipeline whoever started that, its URL and its commit."""
    found = origin(os.environ, _user(), socket.gethostname())
    return Owner(found.user, found.host, os.getpid(), found.pipeline, found.commit)


def _user() -> str:
    with suppress(OSError, KeyError):  # a container may run under a number nobody has a name for
        return getpass.getuser()
    return str(os.getuid()) if hasattr(os, "getuid") else "unknown"
