"""Saved plans of a fleet: a directory with a plan file per stack, and a manifest that lists them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from reconciler.app.unit import Unit, UnitKind, UnitResult, UnitState
from reconciler.core.action import Action
from reconciler.core.diagnostic import Diagnostic, DiagnosticError
from reconciler.core.exit_code import ExitCode
from reconciler.core.files import write_text
from reconciler.core.ledger_url import secrets_of
from reconciler.fleet.fleet import Fleet, FleetRequest, Wave
from reconciler.fleet.report import FleetReport

MANIFEST = "manifest.json"
VERSION = "1.0"
_MAX_NAME = 80
_PLANS = "[0-9][0-9][0-9][0-9]*-*.plan.json"


class SavedUnit(BaseModel):
    """One stack of the fleet: its unit, and how planning it ended. Without a ``plan_id`` it has no plan."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    unit: Unit
    plan_id: str | None
    changes: int
    problem: str | None = None


class SavedWave(BaseModel):
    """One wave of the fleet."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    stop_on_failure: bool
    units: tuple[SavedUnit, ...]


class Manifest(BaseModel):
    """What `fleet plan --out` writes beside the plans: which plan belongs to which stack, and the order to apply them
    in.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format_version: Annotated[str, Field(pattern=r"^1\.[0-9]+$")]
    fleet: str
    planned_at: int
    by: str
    max_parallel: int
    max_failures: int | None
    waves: tuple[SavedWave, ...]


def is_saved_fleet(directory: Path) -> bool:
    """Whether a directory holds saved plans of a fleet, possibly without their manifest."""
    return (directory / MANIFEST).is_file() or any(directory.glob(_PLANS))


def prepare(directory: Path, fleet: Fleet) -> None:
    """Create the directory for the plans of a fleet.

    Raises DiagnosticError if it holds anything but plans saved earlier, or if the manifest would hold a password.
    """
    if any(secrets_of(unit.ledger or "") for unit in fleet.due):
        summary = "the URL of the ledger holds a password, which would be saved with the plans"
        raise DiagnosticError(Diagnostic(summary, hint="write ${env.NAME} in its place, or set PGPASSWORD"))
    try:
        directory.mkdir(parents=True, exist_ok=True)
        others = {*directory.iterdir()} - {*directory.glob(_PLANS)}  # plans alone are left by a run that was killed
        if others and not (directory / MANIFEST).is_file():
            summary = f"{directory} is not empty, and holds no saved plans"
            raise DiagnosticError(Diagnostic(summary, hint="name a new directory, or an empty one"))
        for file in [directory / MANIFEST, *directory.glob("*.plan.json")]:
            file.unlink(missing_ok=True)
    except OSError as error:
        raise DiagnosticError(
            Diagnostic(f"cannot write {directory}: {error.strerror}", hint="check the path")
        ) from None


def with_plan_files(fleet: Fleet, directory: Path) -> Fleet:
    """The fleet with a plan file in the directory for each unit."""
    names = _names(fleet)
    waves = [
        replace(
            wave, units=tuple(replace(unit, plan_file=str(directory.absolute() / next(names))) for unit in wave.units)
        )
        for wave in fleet.waves
    ]
    return replace(fleet, waves=tuple(waves))


def save(directory: Path, fleet: Fleet, report: FleetReport, given: Collection[str] = ()) -> Manifest:
    """Write the manifest of a fleet whose planning ``report`` describes. Raises DiagnosticError.

    Variables ``given`` on the command line are not written, since their values may be secret.
    """
    results = {result.unit.id: result for result in report.results}
    waves = tuple(
        SavedWave(
            name=wave.name,
            stop_on_failure=wave.stop_on_failure,
            units=tuple(_saved(results[unit.id], given) for unit in wave.units),
        )
        for wave in fleet.waves
    )
    manifest = Manifest(
        format_version=VERSION,
        fleet=report.fleet,
        planned_at=report.ended_at,
        by=report.by,
        max_parallel=fleet.max_parallel,
        max_failures=fleet.max_failures,
        waves=waves,
    )
    try:
        write_text(directory / MANIFEST, manifest.model_dump_json(indent=2) + "\n")
    except OSError as error:
        raise DiagnosticError(Diagnostic(f"cannot write {directory / MANIFEST}: {error.strerror}")) from None
    return manifest


def load(directory: Path, request: FleetRequest) -> Fleet:
    """Load the fleet that applies the saved plans in a directory.

    Stacks without changes, and those whose planning failed, already have a result. Raises DiagnosticError if the
    manifest is missing or damaged, or if none of the stacks is here.
    """
    file = directory / MANIFEST
    try:
        manifest = Manifest.model_validate_json(file.read_bytes())
    except OSError as error:
        hint = "saving these plans did not end; make new ones: reconciler fleet plan --out DIR"
        raise DiagnosticError(Diagnostic(f"cannot read {file}: {error.strerror}", hint=hint)) from None
    except ValidationError as error:
        at = ".".join(map(str, error.errors()[0]["loc"])) or "its beginning"
        hint = "make new plans: reconciler fleet plan --out DIR"
        raise DiagnosticError(Diagnostic(f"{file} is not a manifest of saved plans, at {at}", hint=hint)) from None
    waves = tuple(_wave(directory, wave, request) for wave in manifest.waves)
    due = [unit for wave in waves for unit in wave.due]
    if due and not any(Path(unit.path).exists() for unit in due):
        summary = f"the stacks of the plans in {directory} are not here: there is no {due[0].path}"
        hint = "run the command in the directory in which the plans were made, or in a checkout of the same files"
        raise DiagnosticError(Diagnostic(summary, hint=hint))
    return Fleet(
        manifest.fleet,
        UnitKind.APPLY,
        waves,
        request.max_parallel or manifest.max_parallel,
        request.max_failures or manifest.max_failures,
    )


def _wave(directory: Path, saved: SavedWave, request: FleetRequest) -> Wave:
    units = tuple(_due(directory, each, request) for each in saved.units)
    return Wave(
        saved.name,
        units,
        saved.stop_on_failure,
        {
            unit.id: _settled(unit, each)
            for unit, each in zip(units, saved.units, strict=True)
            if each.plan_id is None or not each.changes
        },
    )


def _due(directory: Path, saved: SavedUnit, request: FleetRequest) -> Unit:
    """The unit that applies a saved plan, relative to where the directory is now."""
    name = Path(saved.unit.plan_file or "").name
    return replace(
        saved.unit,
        kind=UnitKind.APPLY,
        plan_file=str(directory.absolute() / name),
        plan_id=saved.plan_id,
        variables={**saved.unit.variables, **(request.variables or {})},
        ledger=request.ledger or saved.unit.ledger,
        deadline=request.deadline or saved.unit.deadline,
        lock_timeout=request.lock_timeout,
        force=request.force,
        since=request.since,
    )


def _saved(result: UnitResult, given: Collection[str]) -> SavedUnit:
    unit = result.unit
    kept = {name: value for name, value in unit.variables.items() if name not in given}
    is_planned = result.state is UnitState.DONE
    changes = sum(number for action, number in result.counts.items() if action != Action.NO_OP)
    problem = next((found.summary for found in result.diagnostics), result.state.value)
    return SavedUnit(
        unit=replace(unit, variables=kept),
        plan_id=result.plan_id if is_planned else None,
        changes=changes if is_planned else 0,
        problem=None if is_planned else problem,
    )


def _settled(unit: Unit, saved: SavedUnit) -> UnitResult:
    if saved.plan_id is not None:
        return UnitResult(unit, UnitState.DONE, ExitCode.DONE, plan_id=saved.plan_id)
    told = Diagnostic(f"there is no plan to apply: {saved.problem}", hint="fix it, then make new plans")
    return UnitResult(unit, UnitState.NOT_RUN, ExitCode.ERROR, diagnostics=(told,))


def _names(fleet: Fleet) -> Iterator[str]:
    """A readable, unique file name for each unit."""
    for number, unit in enumerate(fleet.due, 1):
        readable = re.sub(r"[^A-Za-z0-9@]+", "-", unit.id).strip("-")[-_MAX_NAME:]
        yield f"{number:04}-{readable}.plan.json"
