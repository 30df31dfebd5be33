"""Data: validates the queries under ``data``, and runs them when an expression first needs their results."""

from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple

from pydantic import BaseModel, Field, ValidationError

from reconciler.config.blocks.common import Block
from reconciler.config.blocks.providers import Providers
from reconciler.config.blocks.sections import Sections
from reconciler.config.blocks.validation import report
from reconciler.config.diagnostics import DiagnosticCollector
from reconciler.config.expressions.compiled import UnresolvedError, compile_value, evaluate_compiled
from reconciler.config.expressions.scope import DATA, Context, Reference, Scope
from reconciler.config.stack import ProviderSchema
from reconciler.config.yaml.source_map import Map, Node, Value, kind
from reconciler.core.data_source import DataConfig, DataSource, sources_of
from reconciler.core.diagnostic import did_you_mean


class DataCommon(Block):
    """What every query under `data` can have, whatever its type."""

    provider: str | None = Field(
        None, description="The key of the provider to query, if there are several of its type."
    )


class Declared(NamedTuple):
    """One query as written under ``data``, by type and name."""

    source: DataSource
    name: str
    node: Node

    @property
    def label(self) -> str:
        return f"{self.source.name}.{self.name}"


def declare_data(
    sections: Sections,
    catalog: Collection[ProviderSchema],
    providers: Providers,
    scope: Scope,
    diagnostics: DiagnosticCollector,
) -> dict[str, DataConfig]:
    """Evaluate and validate every query, by ``TYPE.NAME``, and make the names known to expressions."""
    sources = {name: source for schema in catalog for name, source in sources_of(schema).items()}
    found: dict[str, DataConfig] = {}
    for type_name, node in sections.entries("data"):
        source = sources.get(type_name)
        if source is None:
            hint = did_you_mean(type_name, sources) or f"the data sources are {', '.join(sorted(sources))}"
            diagnostics.add(node.key_offset, f'there is no data source "{type_name}"', hint)
            scope.failed.update(Reference(("data", f"{type_name}.{name}")) for name, _ in node.entries())
            continue
        owners = {schema.name for schema in catalog if type_name in sources_of(schema)}
        fitting = [key for key, name in providers.types.items() if name in owners]
        for name, inner in node.entries():
            declared = Declared(source, name, inner)
            config = _declare(declared, fitting, min(owners), scope, diagnostics)
            if config is None:
                scope.failed.add(Reference(("data", declared.label)))
            else:
                found[declared.label] = config
    return found


def results(configs: Mapping[str, DataConfig], find: Callable[[DataConfig], Value]) -> dict[str, Value]:
    """The value of ``data`` in expressions: ``{TYPE: {NAME: items}}``; each query runs when it is first looked up."""
    by_type: dict[str, dict[str, DataConfig]] = {}
    for config in configs.values():
        by_type.setdefault(config.type, {})[config.name] = config
    return {type_name: _Results(named, find) for type_name, named in by_type.items()}


class _Results(dict[str, Value]):
    """The results of one type by name; looking one up runs its query, once."""

    def __init__(self, configs: Mapping[str, DataConfig], find: Callable[[DataConfig], Value]) -> None:
        super().__init__(dict.fromkeys(configs))
        self._configs = configs
        self._find = find
        self._found: dict[str, Value] = {}

    def __getitem__(self, name: str) -> Value:
        if name not in self._found:
            self._found[name] = self._find(self._configs[name])
        return self._found[name]


def _declare(
    declared: Declared, fitting: list[str], owner: str, scope: Scope, diagnostics: DiagnosticCollector
) -> DataConfig | None:
    source, name, node = declared
    if not isinstance(node.value, Map):
        offset = node.key_offset if node.value is None else node.offset
        diagnostics.add(offset, f"{declared.label} must be a mapping of filters, not {kind(node.value)}")
        return None
    try:
        value = evaluate_compiled(compile_value(node, DATA, scope, diagnostics), Context(scope.values), diagnostics)
    except UnresolvedError:
        return None
    assert isinstance(value, dict)  # noqa: S101 - narrows a type
    known = (*DataCommon.model_fields, *source.model.model_fields)
    filters = {key: item for key, item in value.items() if key not in DataCommon.model_fields}
    common: DataCommon | None = None
    query: BaseModel | None = None
    try:
        common = DataCommon.model_validate({key: value[key] for key in value if key not in filters})
    except ValidationError as error:
        report(error, node, known, diagnostics, value=value)
    try:
        query = source.model.model_validate(filters)
    except ValidationError as error:
        report(error, node, known, diagnostics, value=filters, what=declared.label)
    provider = _provider(declared, common, fitting, owner, diagnostics)
    if query is None or provider is None:
        return None
    return DataConfig(source, name, provider, query, node.key_position)


def _provider(
    declared: Declared, common: DataCommon | None, fitting: list[str], owner: str, diagnostics: DiagnosticCollector
) -> str | None:
    """The key of the query's provider; None, with a problem reported, if it is unknown."""
    node = declared.node
    chosen = common.provider if common is not None else None
    if not fitting:
        hint = f"add to the configuration: providers: {{{owner}: {{...}}}}"
        diagnostics.add(node.key_offset, f"no provider for {declared.label} is configured", hint)
        return None
    if chosen is not None and chosen not in fitting:
        hint = did_you_mean(chosen, fitting) or f"those that can be are {', '.join(fitting)}"
        diagnostics.add(
            (node.child("provider") or node).offset, f"{chosen} cannot be queried for {declared.label}", hint
        )
        return None
    if chosen is None and len(fitting) > 1:
        summary = f"{declared.label} matches several providers: {', '.join(fitting)}"
        diagnostics.add(node.key_offset, summary, f"add to it: provider: {fitting[0]}")
        return None
    return chosen or fitting[0]
