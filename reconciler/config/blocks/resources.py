"""Resources: from the blocks under ``resources`` to desired values, one per address."""

from collections.abc import Collection, Mapping
from itertools import islice

from reconciler.config.blocks.common import COMMON_KEYS
from reconciler.config.blocks.defaults import read_defaults, with_defaults
from reconciler.config.blocks.dependencies import Dependencies
from reconciler.config.blocks.instances import Expander, WrittenResource
from reconciler.config.blocks.providers import Providers
from reconciler.config.blocks.sections import Sections
from reconciler.config.diagnostics import DiagnosticCollector
from reconciler.config.expressions.scope import Scope
from reconciler.config.stack import ProviderSchema
from reconciler.config.yaml.source_map import Node
from reconciler.core.address import Address
from reconciler.core.desired import Desired
from reconciler.core.diagnostic import Diagnostic, DiagnosticError, did_you_mean
from reconciler.core.resource_type import ResourceType
from reconciler.core.text import printable

MAX_INSTANCES = 2_000_000
LIMIT_VARIABLE = "RECONCILER_MAX_INSTANCES"
"""The environment variable that sets another limit, since the limit depends on the machine's memory."""


def expand_resources(
    sections: Sections,
    catalog: Collection[ProviderSchema],
    providers: Providers,
    scope: Scope,
    diagnostics: DiagnosticCollector,
    kept: set[Address],
) -> tuple[Desired, ...]:
    """Evaluate and validate every resource, in the order of the files; problems are reported.

    ``kept`` collects each resource that is left out because a query could not run and that has lifecycle.prevent_clear.
    """
    types = {name: resource_type for schema in catalog for name, resource_type in schema.resource_types.items()}
    dependencies = Dependencies(diagnostics)
    if sections.entries("defaults"):
        scope.defaults = read_defaults(sections, types, diagnostics)
    limit = _limit(scope.env)
    desired: list[Desired] = []
    for type_name, node in sections.entries("resources"):
        resource_type = types.get(type_name)
        if resource_type is None:
            hint = did_you_mean(type_name, types) or f"the resource types are {', '.join(sorted(types))}"
            diagnostics.add(node.key_offset, f'there is no resource type "{type_name}"', hint)
            continue
        fitting = _fitting(resource_type, node, catalog, providers, diagnostics)
        known = frozenset((*COMMON_KEYS, *resource_type.model.model_fields))
        defaults = scope.defaults.get(type_name)
        for name, written in node.entries():
            inner = written if defaults is None else with_defaults(written, defaults)
            address = Address(type_name, name)
            dependencies.declare(address, inner.key_offset)
            position = diagnostics.source_map.position(inner.key_offset)
            resource = WrittenResource(address, inner, resource_type, known, fitting, position)
            made = Expander(resource, providers, scope, diagnostics, dependencies, kept).expand()
            desired += islice(made, limit - len(desired) + 1)
            if len(desired) > limit:
                hint = f"split the stack, or raise the limit with {LIMIT_VARIABLE}"
                diagnostics.add(inner.key_offset, f"with this, the stack has more than {limit:,} instances", hint)
                return ()
    dependencies.check()
    return tuple(desired)


def _limit(environment: Mapping[str, str]) -> int:
    """The maximum number of instances of a stack. Raises DiagnosticError if the environment variable is invalid."""
    given = environment.get(LIMIT_VARIABLE, "").strip()
    if not given:
        return MAX_INSTANCES
    if not given.isdecimal() or int(given) < 1:
        hint = f"give it a number such as {MAX_INSTANCES}, or unset it"
        summary = f"{LIMIT_VARIABLE} is {printable(given)[:40]!r}, not a whole number"
        raise DiagnosticError(Diagnostic(summary, hint=hint))
    return int(given)


def _fitting(
    resource_type: ResourceType,
    node: Node,
    catalog: Collection[ProviderSchema],
    providers: Providers,
    diagnostics: DiagnosticCollector,
) -> tuple[str, ...]:
    """The keys of the configured providers that manage a type; having none is reported."""
    owners = {schema.name: schema for schema in catalog if resource_type.name in schema.resource_types}
    fitting = tuple(key for key, name in providers.types.items() if name in owners)
    if not fitting and node.value:
        owner = next(iter(owners.values()))
        fields = [name for name, info in owner.settings.model_fields.items() if info.is_required()]
        block = ", ".join(f"{name}: ..." for name in fields)
        diagnostics.add(
            node.key_offset,
            f"no provider for {resource_type.name} is configured",
            f"add to the configuration: providers: {{{owner.name}: {{{block}}}}}",
        )
    return fitting
