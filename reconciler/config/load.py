"""Loading: from the texts of a configuration to a stack without errors, or to all of its problems at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path

from pydantic import ValidationError

from reconciler.config.blocks import STACK_NAME, STACK_NAME_LENGTH
from reconciler.config.catalog import Catalog, needed
from reconciler.config.context import Context, Reference
from reconciler.config.inputs import Inputs
from reconciler.config.meaning import meaning
from reconciler.config.node import Plain, kind
from reconciler.config.place import Texts
from reconciler.config.problems import Problems
from reconciler.config.providers import AUTH, configure_providers
from reconciler.config.resources import expand_resources
from reconciler.config.scope import DRILLS, GUARDS, Scope
from reconciler.config.scope import LATER as LATER_USE
from reconciler.config.secrecy import shown_lines
from reconciler.config.sections import BUILT_IN, LATER, Sections, read_sections
from reconciler.config.shape import UnusableError, fill, shape
from reconciler.config.source import Source
from reconciler.config.stack import Ask, DataConfig, ProviderSchema, Stack
from reconciler.config.validation import report
from reconciler.core.address import Address
from reconciler.core.collector import without_collector
from reconciler.core.guards import Guards

_SHORTEST_SECRET = 4


def load_stack(
    sources: Sequence[Source],
    root: Path,
    catalog: Collection[ProviderSchema] | Catalog,
    inputs: Inputs,
    read: Callable[[str], Source] | None = None,
    sections: Collection[str] = (),
    ask: Ask | None = None,
) -> Stack:
    """Read, evaluate, expand and validate a configuration; raises DiagnosticError with all its problems, by place.

    ``read`` serves the files an ``include`` names, relative to ``root``; it may raise OSError. ``sections`` are those
    of ``checks`` and ``drills`` that the caller will read itself, from ``Stack.sections``. ``ask`` makes a query of
    ``data`` when the expressions of a resource need it; without it those resources are left out
    (``Stack.unresolved``). What it raises rises from here.
    """
    unknown = set(sections) - set(LATER)
    if unknown:
        raise ValueError(f"sections that can be accepted are {', '.join(LATER)}, not {', '.join(sorted(unknown))}")
    with without_collector():
        return _load(sources, root, catalog, inputs, read, tuple(name for name in LATER if name in sections), ask)


def _load(
    sources: Sequence[Source],
    root: Path,
    catalog: Collection[ProviderSchema] | Catalog,
    inputs: Inputs,
    read: Callable[[str], Source] | None,
    accepted: Sequence[str],
    ask: Ask | None,
) -> Stack:
    texts = Texts()
    problems = Problems(texts)
    found = read_sections(sources, accepted, read, texts, problems)
    schemas = needed(catalog, found)
    settings = {name for schema in schemas for name in schema.settings.model_fields if name != AUTH}
    shown = shown_lines(texts, found.files, (*BUILT_IN, *accepted), settings | {"type"})
    name = _stack_name(found, sources, problems)
    scope = Scope(env=inputs.environ)
    scope.values["stack"]["name"] = name
    # What a configuration does not use is not loaded either.
    if found.entries("variables") or inputs.variables or inputs.files:
        from reconciler.config.variables import declare_variables

        declare_variables(found, inputs, scope, problems)
    if found.entries("locals"):
        from reconciler.config.locals import define_locals

        define_locals(found, scope, problems)
    providers = configure_providers(found, schemas, scope, problems)
    guards = _guards(found, scope, problems)
    data: Mapping[str, DataConfig] = {}
    unresolved: set[str] = set()
    protected: set[Address] = set()

    def find(config: DataConfig) -> Plain:
        if ask is None or len(problems):  # with problems there will be no stack: no need to ask anybody
            unresolved.add(config.label)
            raise UnusableError
        return ask(config, providers.configs[config.provider])

    if found.entries("data"):
        from reconciler.config.data import declare_data, results

        data = declare_data(found, schemas, providers, scope, problems)
        scope.values["data"] = results(data, find)
    desired = expand_resources(found, schemas, providers, scope, problems, protected)
    later = {section: found.named[section] for section in accepted if section in found.named}
    used: set[Reference] = set()
    for section, node in later.items():
        from reconciler.config.evaluate import check_expressions

        used |= check_expressions(node, scope, problems, DRILLS if section == "drills" else LATER_USE)
    problems.stop(shown)
    return Stack(
        name=name,
        root=root,
        providers=providers.configs,
        desired=desired,
        guards=guards,
        digest=meaning(name, desired, providers, guards, later, used, scope),
        scope=scope,
        secrets=frozenset(providers.secrets | set(_sensitive_texts(scope))),
        warnings=problems.listed(shown),
        sections=later,
        data=data,
        unresolved=frozenset(unresolved),
        protected=frozenset(protected),
    )


def _stack_name(sections: Sections, sources: Sequence[Source], problems: Problems) -> str:
    node = sections.stack
    if node is None:
        if not len(problems):
            where = sources[0].name if len(sources) == 1 else "the configuration"
            problems.add(None, f"{where} does not name its stack", "add a line: stack: NAME")
        return ""
    if not isinstance(node.value, str):
        problems.add(node.place, f"stack must be text, not {kind(node.value)}", "add a name: stack: NAME")
        return ""
    if not re.fullmatch(STACK_NAME, node.value) or len(node.value) > STACK_NAME_LENGTH:
        problems.add(
            node.place,
            "this is not a name for a stack",
            f"it has lower-case letters, digits and dashes between them, at most {STACK_NAME_LENGTH} in all",
        )
    return node.value


def _guards(sections: Sections, scope: Scope, problems: Problems) -> Guards:
    node = sections.named.get("guards")
    if node is not None:
        try:
            value = fill(shape(node, GUARDS, scope, problems), Context(scope.values), problems)
            return Guards.model_validate(value)
        except ValidationError as error:
            report(error, node, Guards.model_fields, problems, value=value, what="guards")
        except UnusableError:
            pass
    return Guards.model_construct()


def _sensitive_texts(scope: Scope) -> Iterator[str]:
    """The texts in sensitive variables and locals that are long enough to be told from other text."""
    pending: list[Plain] = [scope.values[root][name] for root, name in scope.sensitive]
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
