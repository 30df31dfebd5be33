"""Loading: from the files of a stack to a valid stack, or to all of its problems at once."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from reconciler.config.blocks.head import ledger_place, stack_name
from reconciler.config.blocks.providers import AUTH, Catalog, configure_providers, required_providers
from reconciler.config.blocks.resources import expand_resources
from reconciler.config.blocks.sections import BUILT_IN, DEFERRED, read_sections
from reconciler.config.blocks.validation import report
from reconciler.config.config_digest import config_digest
from reconciler.config.diagnostics import DiagnosticCollector
from reconciler.config.expressions import scope as sites
from reconciler.config.expressions.budget import stack_budget
from reconciler.config.expressions.compiled import UnresolvedError, check_expressions, compile_value, evaluate_compiled
from reconciler.config.expressions.scope import DRILLS, GUARDS, Context, Reference, Scope
from reconciler.config.stack import Ask, Inputs, ProviderSchema, StackConfig
from reconciler.config.yaml.source_map import Node, Source, SourceMap, Value
from reconciler.core.address import Address
from reconciler.core.diagnostic import Diagnostic, did_you_mean
from reconciler.core.gc_tuning import gc_disabled
from reconciler.core.ledger_url import VARIABLE, secrets_of
from reconciler.core.moves import NO_MOVES

if TYPE_CHECKING:
    from reconciler.core.data_source import DataConfig
    from reconciler.core.guards import Guards
    from reconciler.core.imports import Import

_SHORTEST_SECRET = 4


def load_stack(
    sources: Sequence[Source],
    root: Path,
    catalog: Collection[ProviderSchema] | Catalog,
    inputs: Inputs,
    read: Callable[[str], Source] | None = None,
    sections: Collection[str] = (),
    ask: Ask | None = None,
    locate: Callable[[str | None], None] | None = None,
    resources: bool = True,
) -> StackConfig:
    """Read, evaluate, expand and validate a configuration. Raises DiagnosticError with all its problems, by position.

    ``read`` reads the files that an ``include`` names, relative to ``root``; it may raise OSError. ``sections`` are
    those of ``checks`` and ``drills`` that the caller reads itself, from ``StackConfig.sections``. ``ask`` runs a query
    of ``data`` when the expressions of a resource need it; without it those resources are left out
    (``StackConfig.unresolved``). Its exceptions propagate. ``locate`` gets the location of the ledger before ``ask`` is
    called. Without ``resources`` none is read, and the stack cannot be planned.
    """
    unknown = set(sections) - set(DEFERRED)
    if unknown:
        raise ValueError(f"sections that can be accepted are {', '.join(DEFERRED)}, not {', '.join(sorted(unknown))}")
    with gc_disabled(), stack_budget():
        accepted = tuple(name for name in DEFERRED if name in sections)
        return _load(sources, root, catalog, inputs, read, accepted, ask, locate, resources)


def _load(
    sources: Sequence[Source],
    root: Path,
    catalog: Collection[ProviderSchema] | Catalog,
    inputs: Inputs,
    read: Callable[[str], Source] | None,
    accepted: Sequence[str],
    ask: Ask | None,
    locate: Callable[[str | None], None] | None,
    resources: bool,
) -> StackConfig:
    source_map = SourceMap()
    diagnostics = DiagnosticCollector(source_map)
    found = read_sections(sources, accepted, read, source_map, diagnostics)
    schemas = required_providers(catalog, found)
    scope = Scope(env=inputs.environ)
    # Parts of the language that a configuration does not use are not imported either.
    if found.entries("variables") or inputs.variables or inputs.files:
        from reconciler.config.blocks.variables import declare_variables

        declare_variables(found, inputs, scope, diagnostics)
    name = stack_name(found, sources, scope, diagnostics)
    scope.values["stack"]["name"] = name
    if found.entries("locals"):
        from reconciler.config.blocks.locals import define_locals

        define_locals(found, scope, diagnostics)
    providers = configure_providers(found, schemas, scope, diagnostics)
    ledger = inputs.ledger or inputs.environ.get(VARIABLE) or ledger_place(found, scope, diagnostics)
    if locate is not None:
        locate(ledger)
    guards = None
    if "guards" in found.named:
        guards = _guards(found.named["guards"], _resource_types(schemas), scope, diagnostics)
    data: Mapping[str, DataConfig] = {}
    unresolved: set[str] = set()
    kept: set[Address] = set()

    def find(config: DataConfig) -> Value:
        if ask is None or len(diagnostics):  # with problems there will be no stack, so no query is needed
            unresolved.add(config.label)
            raise UnresolvedError
        return ask(config, providers.configs[config.provider])

    if found.entries("data"):
        from reconciler.config.blocks.data import declare_data, results

        data = declare_data(found, schemas, providers, scope, diagnostics)
        scope.values["data"] = results(data, find)
    if source_map.any(lambda text: "{{" in text or "$" in text):
        from reconciler.config.expressions.foreign_templates import warn_of_foreign_templates

        warn_of_foreign_templates(source_map, found.named, diagnostics)
    desired = expand_resources(found, schemas, providers, scope, diagnostics, kept) if resources else ()
    moves = NO_MOVES
    if "moved" in found.lists and resources:
        from reconciler.config.blocks.moved import read_moves

        moves = read_moves(found, _resource_types(schemas), desired, diagnostics)
    removed: tuple[Address, ...] = ()
    if "removed" in found.lists and resources:
        from reconciler.config.blocks.moved import read_removed

        removed = read_removed(found, _resource_types(schemas), desired, diagnostics)
    imports: tuple[Import, ...] = ()
    if "import" in found.lists:
        from reconciler.config.blocks.imports import read_imports

        kinds = {name: kind.kind for schema in schemas for name, kind in schema.resource_types.items()}
        imports = read_imports(found, kinds, desired, scope, diagnostics, is_whole=not unresolved)
    later = {section: found.named[section] for section in accepted if section in found.named}
    used: set[Reference] = set()
    for section, node in later.items():
        used |= check_expressions(node, scope, diagnostics, DRILLS if section == "drills" else sites.DEFERRED)
    warnings: tuple[Diagnostic, ...] = ()
    if diagnostics.found:
        from reconciler.config.yaml.secret_lines import safe_lines

        settings = {name for schema in schemas for name in schema.settings.model_fields if name != AUTH}
        shown = safe_lines(source_map, found.files, (*BUILT_IN, *accepted), settings | {"type"})
        diagnostics.raise_if_errors(shown)
        warnings = diagnostics.sorted(shown)
    return StackConfig(
        name=name,
        root=root,
        providers=providers.configs,
        desired=desired,
        guards=guards,
        digest=config_digest(name, desired, providers, guards, later, used, scope, moves, removed, imports),
        scope=scope,
        ledger=ledger,
        secrets=frozenset(
            providers.secrets | set(_sensitive_texts(scope)) | (secrets_of(ledger) if ledger else frozenset())
        ),
        warnings=warnings,
        sections=later,
        data=data,
        unresolved=frozenset(unresolved),
        kept=frozenset(kept),
        moves=moves,
        removed=removed,
        imports=imports,
    )


def _resource_types(schemas: Collection[ProviderSchema]) -> frozenset[str]:
    return frozenset(name for schema in schemas for name in schema.resource_types)


def _guards(node: Node, types: frozenset[str], scope: Scope, diagnostics: DiagnosticCollector) -> Guards | None:
    from reconciler.core.guards import Guards

    try:
        value = evaluate_compiled(compile_value(node, GUARDS, scope, diagnostics), Context(scope.values), diagnostics)
        guards = Guards.model_validate(value)
    except ValidationError as error:
        report(error, node, Guards.model_fields, diagnostics, value=value, what="guards")
        return None
    except UnresolvedError:
        return None
    for name in guards.types.keys() - types:
        place = (node.child("types") or node).child(name) or node
        hint = did_you_mean(name, types) or f"the resource types are {', '.join(sorted(types))}"
        diagnostics.add(place.key_offset, f'there is no resource type "{name}"', hint)
    return guards


def _sensitive_texts(scope: Scope) -> Iterator[str]:
    """The texts in sensitive variables and locals that are long enough to be redacted."""
    pending: list[Value] = [scope.values[root][name] for root, name in scope.sensitive]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            pending += value.values()
        elif isinstance(value, list):
            pending += value
        elif isinstance(value, int | float) and not isinstance(value, bool):
            pending.append(str(value))
        elif isinstance(value, str) and len(value) >= _SHORTEST_SECRET:
            yield value


_log = logging.getLogger(__name__)
_KEY = rb"""(?m)^["']?([A-Za-z_][A-Za-z0-9_.-]*)["']?[ \t]*:(?=[ \t\r\n]|$)"""
_CONTENT = rb"(?m)^(?!#|%|---|\.\.\.)[ \t]*([^\s#])"
_KNOWN = frozenset((*BUILT_IN, *DEFERRED))
_NEAR = 0.85
"""The similarity from which on an unknown key counts as misspelled."""
_FLEET = rb"(?m)^stacks[ \t]*:[ \t]*(\[|#|\r?$)"
_OBJECT = frozenset(["apiVersion", "kind"])
"""The keys of a Kubernetes object, which may also have ``data``."""


def select_stack_files(sources: Sequence[Source]) -> list[Source]:
    """The files that are part of a stack; all of them if none is, so that the diagnostics show what is wrong.

    A file without any known key at its top level belongs to another tool. A file that does not start with a key in the
    first column (``{stack: ...}``), or has a key that looks misspelled, is passed to the loader.
    """
    if len(sources) == 1:
        return list(sources)
    selected = [source for source in sources if _may_be_stack(source.text)]
    if not any(_is_stack(source.text) for source in selected):
        return list(sources)
    for source in sources:
        if source not in selected:
            _log.debug("%s is not part of the stack: it has none of the stack's keys", source.name)
    return selected


def is_fleet_text(text: bytes) -> bool:
    """Whether a file is a fleet file, which is not part of a stack."""
    return b"stacks" in text and re.search(_FLEET, text) is not None


def _keys(text: bytes) -> set[str]:
    return {found.decode() for found in re.findall(_KEY, text)}


def _is_stack(text: bytes) -> bool:
    keys = _keys(text)
    return (bool(keys & _KNOWN) and not keys >= _OBJECT) or text.lstrip()[:1] == b"{"


def _may_be_stack(text: bytes) -> bool:
    if _is_stack(text):
        return True
    keys = _keys(text)
    if is_fleet_text(text):
        return False
    if not keys:
        first = re.search(_CONTENT, text.removeprefix(b"\xef\xbb\xbf"))
        return first is not None and first[1] != b"-"
    return not keys >= _OBJECT and any(get_close_matches(key, _KNOWN, 1, _NEAR) for key in keys)
