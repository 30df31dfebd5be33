"""Instances: expands one resource as written, with its ``for_each``, into desired values."""

from collections.abc import Collection, Iterator
from typing import NamedTuple

from pydantic import BaseModel, ValidationError

from reconciler.config.blocks.common import COMMON_KEYS, Common
from reconciler.config.blocks.dependencies import Dependencies
from reconciler.config.blocks.providers import Providers
from reconciler.config.blocks.validation import report, spelling
from reconciler.config.diagnostics import DiagnosticCollector
from reconciler.config.expressions.compiled import UnresolvedError, compile_value, evaluate_compiled, templated
from reconciler.config.expressions.scope import INSTANCES, RESOURCES, Context, Scope
from reconciler.config.expressions.values import as_text
from reconciler.config.yaml.parser import WrittenFloat, WrittenInt
from reconciler.config.yaml.source_map import Map, Node, Value, kind
from reconciler.core.address import Address
from reconciler.core.desired import DEFAULT_LIFECYCLE, FREE_KEYS, Declaration, Desired, Kind
from reconciler.core.diagnostic import Position, did_you_mean
from reconciler.core.resource_type import ResourceType, follows_provider

_MOST_FAILURES = 10
"""After this many instances of a resource that each had a new problem, the others are skipped."""
_NOTHING_SAID = Common.model_construct()
_USUAL: tuple[dict[str, Value], ...] = ({}, {"state": "firing"})
"""What most resources say beside their own fields: nothing, or the default. It needs no validation."""
_WRONG_KIND = {
    "state": ("is recorded, not raised: it has no state", "leave state out"),
    "occurrence": ("is raised and cleared, not recorded: it has no occurrence", "leave occurrence out"),
}


class WrittenResource(NamedTuple):
    """One resource as written in the configuration, before expansion."""

    address: Address
    node: Node
    type: ResourceType
    known: Collection[str]
    fitting: tuple[str, ...]
    position: Position


class Expander(NamedTuple):
    """Expands one resource into desired values."""

    resource: WrittenResource
    providers: Providers
    scope: Scope
    diagnostics: DiagnosticCollector
    dependencies: Dependencies
    kept: set[Address]

    def expand(self) -> Iterator[Desired]:
        """Every enabled instance without problems, in the order of ``for_each``."""
        node = self.resource.node
        value = node.value
        if not isinstance(value, Map):
            offset = node.key_offset if value is None else node.offset
            self.diagnostics.add(offset, f"{self.resource.address} must be a mapping of fields, not {kind(value)}")
            return
        each = node.child("for_each")
        if each is None and not templated(value):
            made = self._instance(self.resource.address, value)
            if made is not None:
                yield made
            return
        yield from self._evaluated(each)

    def _evaluated(self, each: Node | None) -> Iterator[Desired]:
        node = self.resource.node if each is None else self.resource.node.without("for_each")
        address = self.resource.address
        given: list[tuple[str | None, Value, Value]] = [(None, None, None)]
        try:
            if each is not None:
                given = list(self._items(each))
            body = compile_value(node, RESOURCES if each is None else INSTANCES, self.scope, self.diagnostics)
        except UnresolvedError:
            self.dependencies.failed(address)
            self._leave_out()
            if each is not None:
                self._check_only(node)
            self._check_written(node)
            return
        evaluated = Context(self.scope.values)
        failures = 0
        for key, each_key, each_value in given:
            if each is not None:
                evaluated.values["each"] = {"key": each_key, "value": each_value}
                address = self.resource.address._replace(key=key)
                self.dependencies.instance(address)
            before = len(self.diagnostics)
            try:
                if (
                    isinstance(body, dict)
                    and evaluate_compiled(body.get("enabled"), evaluated, self.diagnostics) is False
                ):
                    continue
                value = evaluate_compiled(body, evaluated, self.diagnostics, address if each is not None else None)
                assert isinstance(value, dict)  # noqa: S101 - narrows a type
                made = self._instance(address, value)
            except UnresolvedError:
                made = None
                self._leave_out()
            if made is not None:
                yield made
            elif len(self.diagnostics) > before:
                failures += 1
                if failures >= _MOST_FAILURES:
                    return

    def _items(self, each: Node) -> Iterator[tuple[str, Value, Value]]:
        value = evaluate_compiled(
            compile_value(each, RESOURCES, self.scope, self.diagnostics), Context(self.scope.values), self.diagnostics
        )
        try:
            yield from for_each_items(value)
        except ValueError as error:
            flags = (item for item in each.items() if isinstance(item.value, bool))
            hint = next((f'quote it if text is meant: "{spelling(item)}"' for item in flags), None)
            self.diagnostics.add(each.offset, str(error), hint)
            raise UnresolvedError from None

    def _leave_out(self) -> None:
        """Record a resource that must not be cleared although its instances are unknown."""
        lifecycle = self.resource.node.child("lifecycle")
        given = lifecycle.value if lifecycle is not None else None
        if isinstance(given, str) or (isinstance(given, dict) and given.get("prevent_clear", False) is not False):
            self.kept.add(self.resource.address)

    def _check_only(self, node: Node) -> None:
        """Check the expressions of a body that cannot be evaluated."""
        try:
            compile_value(node, INSTANCES, self.scope, self.diagnostics)
        except UnresolvedError:
            return

    def _check_written(self, node: Node) -> None:
        """Check the literal fields of a body whose expressions have no value."""
        written = node.value
        assert isinstance(written, Map)  # noqa: S101 - narrows a type
        unknown = {key for key, item in written.items() if "${" in key or templated(item)}
        fields = {key: item for key, item in written.items() if key not in COMMON_KEYS and key not in unknown}
        model = self.resource.type.model
        try:
            model.model_validate(fields)
        except ValidationError as error:
            what = str(self.resource.address)
            known = self.resource.known
            report(error, node, known, self.diagnostics, model=model, value=fields, what=what, silent=unknown)

    def _instance(self, address: Address, value: dict[str, Value]) -> Desired | None:
        """Build one instance from its fields; None if it is disabled or has problems."""
        resource = self.resource
        shown = None if address.key is None else address
        given = {key: value[key] for key in value if key in COMMON_KEYS}
        if isinstance(given.get("occurrence"), WrittenInt | WrittenFloat):
            given["occurrence"] = str(given["occurrence"])
        fields = {key: item for key, item in value.items() if key not in COMMON_KEYS} if given else value
        common: Common | None = _NOTHING_SAID
        model: BaseModel | None = None
        if given not in _USUAL:
            try:
                common = Common.model_validate(given)
            except ValidationError as error:
                report(error, resource.node, resource.known, self.diagnostics, model=Common, value=given, address=shown)
                common = None
        if common is not None and not common.enabled:
            return None
        try:
            model = resource.type.model.model_validate(fields)
        except ValidationError as error:
            report(
                error,
                resource.node,
                resource.known,
                self.diagnostics,
                model=resource.type.model,
                value=fields,
                address=shown,
                what=str(resource.address),
            )
        if common is None or not self._fits_kind(given) or model is None or not self._fits_lifecycle(common):
            return None
        provider = self._provider(common)
        depends_on = self._depends_on(address, common)
        if provider is None or depends_on is None:
            return None
        try:
            made = resource.type.desired(
                Declaration(
                    address,
                    model,
                    provider,
                    occurrence=None if common.occurrence is None else as_text(common.occurrence),
                    lifecycle=common.lifecycle or DEFAULT_LIFECYCLE,
                    position=resource.position,
                )
            )
        except ValueError as error:
            self.diagnostics.add(resource.node.key_offset, f"{address}: {error}", address=shown, rule="desired")
            return None
        config = self.providers.configs.get(provider)
        following = follows_provider(resource.type)
        if config is not None and following is not None:
            made = following.under(made, config.settings)
        if common.state == "cleared":
            made = made._replace(firing=False)
        return made._replace(depends_on=depends_on) if depends_on else made

    def _fits_kind(self, given: dict[str, Value]) -> bool:
        kind_of = self.resource.type.kind
        wrong = "state" if kind_of is Kind.EVENT else "occurrence"
        if wrong not in given:
            return True
        node = self.resource.node.child(wrong)
        summary, hint = _WRONG_KIND[wrong]
        self.diagnostics.add((node or self.resource.node).key_offset, f"{self.resource.type.name} {summary}", hint)
        return False

    def _fits_lifecycle(self, common: Common) -> bool:
        """Whether lifecycle.ignore_changes names only existing attributes; any other is reported."""
        ignored = common.lifecycle.ignore_changes if common.lifecycle is not None else ()
        if not ignored:
            return True
        block = self.resource.node.child("lifecycle") or self.resource.node
        offset = (block.child("ignore_changes") or block).offset
        fields = self.resource.type.model.model_fields
        for path in ignored:
            head, dot, _ = path.partition(".")
            if head not in fields:
                hint = did_you_mean(head, fields) or "a key of the metadata is written metadata.KEY"
                self.diagnostics.add(offset, f'lifecycle.ignore_changes: there is no attribute "{head}"', hint)
                return False
            if head in FREE_KEYS and not dot:
                hint = f"name one of its keys: {head}.KEY"
                self.diagnostics.add(offset, f"lifecycle.ignore_changes: {head} cannot be ignored as a whole", hint)
                return False
        return True

    def _provider(self, common: Common) -> str | None:
        """The key of the resource's provider; None, with a problem reported, if it is unknown."""
        fitting = self.resource.fitting
        node = self.resource.node
        chosen = common.provider
        if chosen is not None:
            if chosen in fitting:
                return chosen
            if fitting:
                offset = (node.child("provider") or node).offset
                what = "manages no" if chosen in self.providers.types else "is not configured: no provider for"
                hint = did_you_mean(chosen, fitting) or f"those that do are {', '.join(fitting)}"
                self.diagnostics.add(offset, f"provider {chosen} {what} {self.resource.type.name}", hint)
            return None
        if len(fitting) > 1:
            self.diagnostics.add(
                node.key_offset,
                f"{self.resource.address} matches several providers: {', '.join(fitting)}",
                f"add to it: provider: {fitting[0]}",
            )
        return fitting[0] if len(fitting) == 1 else None

    def _depends_on(self, address: Address, common: Common) -> tuple[Address, ...] | None:
        if not common.depends_on:
            return ()
        node = self.resource.node.child("depends_on") or self.resource.node
        needed = []
        for index, text in enumerate(common.depends_on):
            item = node.child(index) or node
            needed.append(self.dependencies.need(address, text, item.offset))
        found = tuple(item for item in needed if item is not None)
        return found if len(found) == len(needed) else None


def for_each_items(value: Value) -> Iterator[tuple[str, Value, Value]]:
    """The key in the address, ``each.key`` and ``each.value`` of each instance.

    A list gives one instance per item; items must be unique. They are texts, numbers, lists of these (as from
    ``product``; the key is their items joined by ``/``), or mappings with an ``id`` (as from queries; the key is the
    id). A mapping gives one instance per entry. Raises ValueError for anything else.
    """
    if isinstance(value, dict):
        for key, item in value.items():
            yield key, key, item
        return
    if not isinstance(value, list):
        raise ValueError(f"for_each takes a list or a mapping, not {kind(value)}")
    seen: set[str] = set()
    for item in value:
        named = item.get("id") if isinstance(item, dict) else _joined(item) if isinstance(item, list) else item
        if isinstance(named, bool) or not isinstance(named, str | int | float) or named == "":
            what = "an empty text" if item == "" else kind(item)
            raise ValueError(
                f"the items of for_each must be texts, numbers, or mappings with an id, not {what}"
                f"{' without one' if isinstance(item, dict) else ''}; use a mapping to give each a name"
            )
        key = as_text(named)
        if key in seen:
            raise ValueError(f'for_each names "{key}" twice; each instance needs an address of its own')
        seen.add(key)
        yield key, named, item


def _joined(items: list[Value]) -> Value:
    """The key of a list of texts and numbers; for any other list, the list itself."""
    for item in items:
        if isinstance(item, bool) or not isinstance(item, str | int | float) or item == "":
            return items
    return "/".join(map(as_text, items)) if items else items
