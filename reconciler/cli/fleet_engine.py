"""The engine that a command of ``reconciler fleet`` runs on: processes of this machine, or a Dask cluster."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from reconciler.cli.fleet_options import EngineName
from reconciler.cli.terminal import Terminal
from reconciler.core.diagnostic import Diagnostic, DiagnosticError, install_command
from reconciler.fleet.engine import Engine, EngineLimits, batch_size
from reconciler.fleet.fleet import Fleet
from reconciler.fleet.processes import ProcessEngine


def dask_scheduler(engine: EngineName, scheduler: str | None) -> str | None:
    """The Dask scheduler to use; None for processes. Raises DiagnosticError for inconsistent options."""
    if engine is EngineName.DASK and scheduler is None:
        hint = "add --scheduler tcp://HOST:8786; one is started with `dask scheduler`, its workers with `dask worker`"
        raise DiagnosticError(Diagnostic("--engine dask needs the scheduler of a Dask cluster", hint=hint))
    if engine is not EngineName.DASK and scheduler is not None:
        hint = "add --engine dask, or omit --scheduler"
        raise DiagnosticError(Diagnostic("--scheduler is for the Dask engine", hint=hint))
    return scheduler


@contextmanager
def open_engine(terminal: Terminal, opened: Fleet, scheduler: str | None) -> Iterator[tuple[Engine, EngineLimits]]:
    """The engine, and its limits. Raises DiagnosticError if it cannot be used."""
    most = opened.max_parallel
    if scheduler is None:
        # Batched units are bound by the processor: more workers than processors would slow them down.
        workers = min(most, os.cpu_count() or 1)
        with ProcessEngine(terminal.environ) as engine:
            yield engine, EngineLimits(most, batch=batch_size(len(opened.due), workers))
        return
    try:
        from reconciler.fleet.dask import DaskEngine
    except ImportError as error:
        summary = f"the Dask engine needs {error.name}, which is not installed"
        raise DiagnosticError(Diagnostic(summary, hint=install_command("dask"))) from None
    with DaskEngine(scheduler) as cluster:
        yield cluster, EngineLimits(most, batch=batch_size(len(opened.due), min(most, cluster.workers)))
