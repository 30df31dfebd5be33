"""The fleet: its units of work in waves, from a fleet file or from directories of stacks."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from os.path import relpath
from pathlib import Path

from pydantic import JsonValue

from reconciler.app.unit import Unit, UnitKind, UnitResult
from reconciler.config.load import is_fleet_text
from reconciler.config.yaml.source_map import Node
from reconciler.core.diagnostic import Diagnostic, DiagnosticError, Position, Severity
from reconciler.core.duration import HOUR
from reconciler.core.ledger_url import scheme
from reconciler.fleet.changes import changed_files, has_changed, is_changed
from reconciler.fleet.engine import MAX_PARALLEL
from reconciler.fleet.spec import EnvironmentSpec, FleetFile, WaveSpec, known_environments, parse_fleet
from reconciler.fleet.stacks import is_match, matching_stacks, stacks_below, yaml_files
from reconciler.session.stack_source import FLEET_FILES, read_source

_LITERAL_NAME = re.compile(r"""^stack[ \t]*:[ \t]*["']?([a-z0-9-]+)["']?[ \t]*(?:#.*)?$""", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class FleetRequest:
    """The options of a fleet command.

    None means: as the fleet file says. ``environments`` selects environments, all if empty. ``variables`` and
    ``var_files`` apply to every stack, and override those of the file. ``since`` is the current time in epoch
    milliseconds; durations are milliseconds.
    """

    kind: UnitKind
    since: int
    environments: Sequence[str] = ()
    changed_since: str | None = None
    variables: Mapping[str, JsonValue] | None = None
    var_files: Sequence[Path] = ()
    ledger: str | None = None
    max_parallel: int | None = None
    max_failures: int | None = None
    deadline: int | None = None
    lock_timeout: int = 0
    force: bool = False


@dataclass(frozen=True, slots=True)
class Wave:
    """Units that run in parallel; with ``stop_on_failure`` no later wave starts if one of them fails.

    ``settled`` has the results, by unit id, of units that need not or cannot be run.
    """

    name: str
    units: tuple[Unit, ...]
    stop_on_failure: bool = True
    settled: Mapping[str, UnitResult] = field(default_factory=dict)

    @property
    def due(self) -> tuple[Unit, ...]:
        """The units to run."""
        return tuple(unit for unit in self.units if unit.id not in self.settled)


@dataclass(frozen=True, slots=True)
class Fleet:
    """Many stacks, and how to run them. ``unchanged`` counts those that ``--changed-since`` left out."""

    name: str
    kind: UnitKind
    waves: tuple[Wave, ...]
    max_parallel: int = MAX_PARALLEL
    max_failures: int | None = None
    unchanged: int = 0
    warnings: tuple[Diagnostic, ...] = ()

    @property
    def due(self) -> tuple[Unit, ...]:
        """The units to run, in wave order."""
        return tuple(unit for wave in self.waves for unit in wave.due)


def open_fleet(paths: Sequence[Path], request: FleetRequest) -> Fleet:
    """The fleet of a fleet file (or of its directory), or of all stacks in and below directories.

    Raises DiagnosticError with every error of the file; the errors of a stack are reported by its unit.
    """
    places = list(paths) or [Path()]
    files = [file for path in places if (file := fleet_file(path)) is not None]
    if not files:
        return _of_directories(places, request)
    if len(places) > 1:
        hint = "run the command once for each, or list all stacks in one file"
        raise DiagnosticError(
            Diagnostic(f"{files[0]} is a fleet file, and cannot be combined with other paths", hint=hint)
        )
    return _of_file(parse_fleet(read_source(files[0])), request)


def fleet_file(path: Path) -> Path | None:
    """The fleet file at a path: the file itself, or the one in a directory; None for a stack, or a directory with
    stacks below it.
    """
    if path.is_dir():
        return next((path / name for name in FLEET_FILES if (path / name).is_file()), None)
    return path if path.name in FLEET_FILES or is_fleet_text(read_source(path).text) else None


def select_stacks(file: FleetFile) -> list[Path]:
    """The stacks of a fleet file. Raises DiagnosticError for globs that match none, and lists that select none."""
    stacks, unmatched = matching_stacks(file.root, file.spec.stacks)
    problems = [_unmatched(file.node.child("stacks"), file.spec.stacks.index(glob), glob) for glob in unmatched]
    if not stacks and not problems:
        problems.append(_selects_none(file.node.child("stacks"), "stacks"))
    environments = file.node.child("environments") or file.node
    for name, spec in file.environments.items():
        problems += _check_globs(file, stacks, spec.stacks, environments.child(name))
    for index, wave in enumerate(file.spec.waves):
        waves = file.node.child("waves") or file.node
        problems += _check_globs(file, stacks, wave.stacks, waves.child(index))
    problems += _check_globs(file, stacks, file.spec.large or None, file.node, "large")
    if problems:
        raise DiagnosticError(*problems)
    return stacks


def _check_globs(
    file: FleetFile, stacks: Sequence[Path], globs: Sequence[str] | None, block: Node | None, key: str = "stacks"
) -> Iterator[Diagnostic]:
    written = None if block is None else block.child(key)
    unmatched = [
        _unmatched(written, index, glob)
        for index, glob in enumerate(globs or ())
        if not any(is_match(file.root, stack, [glob.removeprefix("!")]) for stack in stacks)
    ]
    yield from unmatched
    if globs is not None and not unmatched and not any(is_match(file.root, stack, globs) for stack in stacks):
        yield _selects_none(written, key)


def _selects_none(globs: Node | None, key: str) -> Diagnostic:
    hint = 'list stacks beside the exclusions, such as [stacks/*, "!stacks/old"]'
    return _at(globs, f"{key} selects no stack", hint)


def _unmatched(globs: Node | None, index: int, glob: str) -> Diagnostic:
    hint = "paths are relative to the fleet file; a stack is a directory with *.yaml files, or one such file"
    return _at(None if globs is None else globs.child(index), f'"{glob}" matches no stack', hint)


def _at(node: Node | None, summary: str, hint: str) -> Diagnostic:
    position = None if node is None else node.position
    source = None if node is None else node.source_map.line(node.offset)
    return Diagnostic(summary, position, hint, source)


def _of_file(file: FleetFile, request: FleetRequest) -> Fleet:
    spec, stacks = file.spec, select_stacks(file)
    chosen = _chosen(file.environments, request.environments)
    changed = None if request.changed_since is None else changed_files(file.root, request.changed_since)
    if changed is not None and has_changed(file.path, changed):
        changed = None  # a change of the fleet file may affect any stack
    units: list[Unit] = []
    unchanged = 0
    for name, environment in chosen.items():
        var_files = [file.root / written for written in environment.var_files]
        for stack in stacks:
            if environment.stacks is not None and not is_match(file.root, stack, environment.stacks):
                continue
            if changed is not None and not is_changed(stack, (*var_files, *request.var_files), changed):
                unchanged += 1
                continue
            units.append(_unit(file, stack, name, environment, var_files, request))
    return Fleet(
        file.name,
        request.kind,
        tuple(_waves(file, units)),
        request.max_parallel or spec.max_parallel,
        request.max_failures or spec.max_failures,
        unchanged,
        tuple(_same_names(units)),
    )


def _of_directories(paths: Sequence[Path], request: FleetRequest) -> Fleet:
    if request.environments:
        hint = f"declare environments in {FLEET_FILES[0]}, or set a variable: --var NAME=VALUE"
        raise DiagnosticError(Diagnostic("--env names an environment, and there is no fleet file", hint=hint))
    found: dict[Path, None] = {}
    for path in paths:
        found.update(dict.fromkeys(stacks_below(path) if path.is_dir() else [path]))
    stacks = list(found)
    if request.changed_since is not None:
        changed = changed_files(paths[0] if paths[0].is_dir() else paths[0].parent, request.changed_since)
        stacks = [stack for stack in stacks if is_changed(stack, request.var_files, changed)]
    units = tuple(_plain_unit(stack, request) for stack in stacks)
    name = (paths[0] if paths[0].is_dir() else paths[0].parent).absolute().name
    return Fleet(
        name,
        request.kind,
        (Wave("", units),),
        request.max_parallel or MAX_PARALLEL,
        request.max_failures,
        len(found) - len(stacks),
    )


def _chosen(environments: Mapping[str, EnvironmentSpec], names: Sequence[str]) -> Mapping[str, EnvironmentSpec]:
    """The environments selected by ``--env``, in the order of the file. Raises DiagnosticError for unknown ones."""
    known = [name for name in environments if name]
    problems = [
        Diagnostic(
            f'--env {name}: there is no environment "{name}"',
            hint=known_environments(name, known),
        )
        for name in names
        if name not in known
    ]
    if problems:
        raise DiagnosticError(*problems)
    return {name: spec for name, spec in environments.items() if not names or name in names}


def _unit(
    file: FleetFile,
    stack: Path,
    name: str,
    environment: EnvironmentSpec,
    var_files: Sequence[Path],
    request: FleetRequest,
) -> Unit:
    unit = _plain_unit(stack, request)
    return replace(
        unit,
        environment=name,
        variables={**environment.variables, **unit.variables},
        places=_places(file, name, unit),
        file_places=_file_places(file, name, var_files),
        var_files=(*map(str, var_files), *unit.var_files),
        ledger=request.ledger or _ledger(file),
        deadline=request.deadline or file.spec.deadline,
        rate_limits=file.spec.rate_limits,
        shard_size=file.spec.shard_size if is_match(file.root, stack, file.spec.large) else None,
    )


def _places(file: FleetFile, environment: str, unit: Unit) -> dict[str, Position]:
    """Where the file sets the variables of an environment, except those overridden by an option."""
    block = (file.node.child("environments") or file.node).child(environment)
    variables = None if block is None else block.child("variables")
    found = () if variables is None else variables.entries()
    return {name: node.key_position for name, node in found if name not in unit.variables}


def _file_places(file: FleetFile, environment: str, var_files: Sequence[Path]) -> dict[str, Position]:
    """Where the file names the var-files of an environment."""
    block = (file.node.child("environments") or file.node).child(environment)
    written = None if block is None else block.child("var_files")
    nodes = () if written is None else written.items()
    return {str(path): node.position for path, node in zip(var_files, nodes, strict=False)}


def _plain_unit(stack: Path, request: FleetRequest) -> Unit:
    return Unit(
        request.kind,
        str(stack),
        variables=dict(request.variables or {}),
        var_files=tuple(map(str, request.var_files)),
        ledger=request.ledger,
        deadline=request.deadline or HOUR,
        lock_timeout=request.lock_timeout,
        force=request.force,
        since=request.since,
    )


def _ledger(file: FleetFile) -> str | None:
    """The location of the ledgers for units: a directory is relative to the fleet file."""
    place = file.spec.ledger
    if place is None or scheme(place) or "${" in place:
        return place
    return str((file.root / place).absolute())


def _waves(file: FleetFile, units: Sequence[Unit]) -> Iterator[Wave]:
    """The units by the first wave that selects each; those that no wave selects come last."""
    left = list(units)
    for wave in file.spec.waves:
        taken = [unit for unit in left if _takes(file.root, wave, unit)]
        left = [unit for unit in left if not _takes(file.root, wave, unit)]
        yield Wave(wave.name, tuple(taken), wave.stop_on == "failure")
    if left:
        yield Wave("rest" if file.spec.waves else "", tuple(left))


def _takes(root: Path, wave: WaveSpec, unit: Unit) -> bool:
    if wave.environments is not None and unit.environment not in wave.environments:
        return False
    return wave.stacks is None or is_match(root, Path(unit.path), wave.stacks)


def _same_names(units: Sequence[Unit]) -> Iterator[Diagnostic]:
    """A warning for each stack that has the same name in several environments."""
    environments: dict[str, list[str]] = defaultdict(list)
    for unit in units:
        environments[unit.path].append(unit.environment)
    for path, names in environments.items():
        name = _literal_name(Path(path)) if len(names) > 1 else None
        if name is not None:
            yield Diagnostic(
                f"the stack {name} in {relpath(path)} has the same name in {', '.join(names)}: unless these point at "
                "different targets, each clears what the other raised",
                hint=f"put a variable into its name: stack: {name}-${{var.environment}}",
                severity=Severity.WARNING,
            )


def _literal_name(stack: Path) -> str | None:
    """The name of a stack, if it contains no expression."""
    with suppress(OSError):  # its unit reports what cannot be read
        for file in yaml_files(stack):
            found = _LITERAL_NAME.search(file.read_text(encoding="utf-8", errors="replace"))
            if found:
                return found[1]
    return None
