"""The fleet file: which stacks there are, in which environments, in which order; read and validated as stacks are."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import Field, JsonValue, ValidationError

from reconciler.config.blocks.common import LEDGER, NAME, STACK_NAME, STACK_NAME_LENGTH, WORD, Block
from reconciler.config.blocks.validation import report
from reconciler.config.diagnostics import DiagnosticCollector
from reconciler.config.schema import DIALECT
from reconciler.config.yaml.document import read_document
from reconciler.config.yaml.source_map import Map, Node, Source, SourceMap, kind
from reconciler.core.diagnostic import did_you_mean
from reconciler.core.duration import HOUR
from reconciler.core.fields import Duration
from reconciler.core.ledger_url import ENVIRONMENT_VARIABLE
from reconciler.core.target import Target, canonical_endpoint
from reconciler.core.text import printable
from reconciler.fleet.engine import MAX_PARALLEL
from reconciler.plan.shards import SHARD_SIZE
from reconciler.providers.registry import Registry

Glob = Annotated[str, Field(min_length=1)]
Name = Annotated[str, Field(pattern=NAME)]


class EnvironmentSpec(Block):
    """One environment: every stack is worked on once in each, with its variables."""

    variables: dict[Annotated[str, Field(pattern=WORD)], JsonValue] = Field(
        {},
        description="Variables of the stacks; texts are converted to the type of the variable.",
        json_schema_extra={"additionalProperties": False},
    )
    var_files: list[str] = Field(
        [], description="Files of variables, relative to this file; later ones win, `variables` win over all."
    )
    stacks: list[Glob] | None = Field(None, description="Only these stacks are in it; all by default.")


class WaveSpec(Block):
    """One wave: what it takes is applied, and ended, before the next wave begins."""

    name: Name = Field(description="Its name in reports.")
    stacks: list[Glob] | None = Field(None, description="The stacks in it; all by default.")
    environments: list[Name] | None = Field(None, description="The environments in which it applies; all by default.")
    stop_on: Literal["failure", "never"] = Field(
        "failure", description="Whether a failure in this wave prevents the later waves."
    )


class FleetSpec(Block):
    """Many stacks that are planned, applied and checked together."""

    fleet: Annotated[str, Field(pattern=STACK_NAME, max_length=STACK_NAME_LENGTH)] | None = Field(
        None, description="The name of the fleet in reports; that of its directory by default."
    )
    stacks: list[Glob] = Field(
        min_length=1,
        description="The stacks: directories or files, relative to this file, or globs such as `stacks/*`; `**` is any "
        "number of directories, and what follows a `!` is left out.",
    )
    environments: dict[Name, EnvironmentSpec | None] = Field(
        {},
        description="The environments by name; without any, each stack runs once.",
        json_schema_extra={"additionalProperties": False},
    )
    waves: list[WaveSpec] = Field(
        [], description="The order of an apply; stacks in no wave come last. One wave by default."
    )
    ledger: str | None = Field(
        None,
        description="Where the ledgers are, overriding the stacks' `ledger`: a URL or a directory, relative to this "
        "file; `${env.NAME}` is replaced where the stack is worked on.",
    )
    rate_limits: dict[str, Annotated[float, Field(gt=0, strict=False)]] = Field(
        {},
        description="The maximum number of requests a second to one target, from the whole fleet, instead of "
        "the `rate_limit` of its "
        "providers. A target is `TYPE PLACE PROJECT`, such as `aom cn-north-4 0a1b`; its place is a region or an URL.",
    )
    large: list[Glob] = Field(
        [],
        description="The stacks that are too large for one worker: each is planned once, and all workers apply shards "
        "of the plan. Their ledger must be PostgreSQL.",
    )
    shard_size: int = Field(SHARD_SIZE, ge=1, description="About how many operations one shard of a `large` stack has.")
    max_parallel: int = Field(MAX_PARALLEL, ge=1, le=256, description="How many stacks run at once.")
    max_failures: int | None = Field(
        None, ge=1, description="Start no further stacks after this many failures; no limit by default."
    )
    deadline: Annotated[Duration, Field(gt=0)] = Field(
        HOUR,
        description="How long one stack may take before it is stopped.",
        json_schema_extra={"default": "1h"},
    )


class FleetFile(NamedTuple):
    """A valid fleet file; ``node`` has the positions of its values."""

    path: Path
    spec: FleetSpec
    node: Node

    @property
    def root(self) -> Path:
        """The directory that its paths are relative to."""
        return self.path.parent

    @property
    def name(self) -> str:
        return self.spec.fleet or self.root.absolute().name

    @property
    def environments(self) -> Mapping[str, EnvironmentSpec]:
        """The environments by name; a single unnamed one if none is declared."""
        found = {name: spec or EnvironmentSpec() for name, spec in self.spec.environments.items()}
        return found or {"": EnvironmentSpec()}


def parse_fleet(source: Source) -> FleetFile:
    """Read a fleet file. Raises DiagnosticError with all its errors, by position."""
    source_map = SourceMap()
    diagnostics = DiagnosticCollector(source_map)
    node = read_document(source, source_map, diagnostics)
    spec = None
    if node is None or node.value is None:
        if not len(diagnostics):
            diagnostics.add(None, f"{source.name} is empty", "list the stacks: stacks: [stacks/*]")
    elif not isinstance(node.value, Map):
        diagnostics.add(node.offset, f"a fleet file is a mapping, not {kind(node.value)}", "begin with: stacks: [...]")
    else:
        spec = _validated(node, diagnostics)
        if spec is not None:
            _check_meaning(spec, node, diagnostics)
    secret = _secret_lines(node)
    diagnostics.raise_if_errors(lambda offset: source_map.position(offset).line not in secret)
    assert spec is not None and node is not None  # noqa: S101 - narrows types: there was no error
    return FleetFile(Path(source.name), spec, node)


def fleet_schema() -> dict[str, object]:
    """The JSON Schema (2020-12) of a fleet file, for editors and validators."""
    return {"$schema": DIALECT, **FleetSpec.model_json_schema(), "title": "A fleet of reconciler"}


def _validated(node: Node, diagnostics: DiagnosticCollector) -> FleetSpec | None:
    try:
        return FleetSpec.model_validate(node.value)
    except ValidationError as error:
        known = FleetSpec.model_fields
        report(error, node, known, diagnostics, model=FleetSpec, what="the fleet", hidden=_is_secret)
        return None


def _is_secret(location: tuple[int | str, ...]) -> bool:
    return "variables" in location[:-1] or location[:1] == ("ledger",)


def _secret_lines(node: Node | None) -> frozenset[int]:
    """The lines that may hold a password: values of variables, and the ledger."""
    found: set[int] = set()
    if node is not None:
        ledger = node.child("ledger")
        hidden = [] if ledger is None else [ledger]
        for _, environment in (node.child("environments") or node).entries():
            variables = environment.child("variables")
            hidden += [] if variables is None else list(variables.walk())
        found |= {each.position.line for each in hidden}
    return frozenset(found)


def _check_meaning(spec: FleetSpec, node: Node, diagnostics: DiagnosticCollector) -> None:
    """Report errors that span several fields: unknown environments, repeated wave names, an invalid ledger or
    target.
    """
    ledger = node.child("ledger")
    if ledger is not None and not re.fullmatch(LEDGER, spec.ledger or ""):
        hint = "write postgresql://HOST/DATABASE, a directory, or ${env.NAME}"
        diagnostics.add(ledger.offset, "ledger is neither the URL of a ledger nor a directory", hint)
    elif ledger is not None and "${" in ENVIRONMENT_VARIABLE.sub("", spec.ledger or ""):
        hint = "set an environment variable where the stacks run, and write ${env.NAME}"
        diagnostics.add(ledger.offset, "ledger can contain no expression but ${env.NAME}", hint)
    for text, place in (node.child("rate_limits") or node).entries() if spec.rate_limits else ():
        try:
            target = Target.parse(text)
        except ValueError as error:
            diagnostics.add(place.key_offset, f"rate_limits: {error}", "such as: aom cn-north-4 0a1b")
            continue
        registry = Registry()
        if registry.get(target.type) is None:
            types = [provider.name for provider in registry]
            hint = did_you_mean(target.type, types) or f"the provider types are {', '.join(types)}"
            summary = f'rate_limits: there is no provider type "{printable(target.type)}"'
            diagnostics.add(place.key_offset, summary, hint)
            continue
        spelled = ",".join(sorted(map(canonical_endpoint, target.place.split(","))))
        if "://" not in spelled and re.search(r"[.:]", spelled):
            summary = f'rate_limits: "{printable(target.place)}" is neither a region nor a URL'
            diagnostics.add(place.key_offset, summary, "write http:// or https:// before it, as the endpoint has it")
        elif spelled != target.place:
            hint = f"write: {printable(str(target._replace(place=spelled)))}"
            diagnostics.add(place.key_offset, f'rate_limits: no target is spelled "{printable(text)}"', hint)
    names: set[str] = set()
    for wave, place in zip(spec.waves, _items(node, "waves"), strict=True):
        if wave.name in names:
            diagnostics.add((place.child("name") or place).offset, f'there are two waves called "{wave.name}"')
        names.add(wave.name)
        for name, written in zip(wave.environments or (), _items(place, "environments"), strict=True):
            if name not in spec.environments:
                diagnostics.add(
                    written.offset, f'there is no environment "{name}"', known_environments(name, spec.environments)
                )


def known_environments(name: str, environments: Iterable[str]) -> str:
    """The hint for an environment that is not declared."""
    known = [*environments]
    if not known:
        return "the fleet file declares no environments"
    return did_you_mean(name, known) or f"the environments are: {', '.join(known)}"


def _items(node: Node, key: str) -> Iterator[Node]:
    child = node.child(key)
    return iter(()) if child is None else child.items()
