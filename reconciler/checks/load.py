"""Loading of checks: each is evaluated, validated, and linked to the query or the provider that it needs."""

from collections.abc import Callable, Collection, Mapping

from pydantic import ValidationError

from reconciler.checks.expectation import Delivered
from reconciler.checks.spec import (
    CANARY_FIELDS,
    CANARY_TYPES,
    RECEIVER_TYPE,
    CanarySpec,
    Check,
    CheckSpec,
    UnresolvedCheck,
)
from reconciler.config.blocks.data import results
from reconciler.config.blocks.validation import report
from reconciler.config.diagnostics import DiagnosticCollector
from reconciler.config.expressions.compiled import evaluate
from reconciler.config.stack import StackConfig
from reconciler.config.yaml.source_map import Node, Value, kind
from reconciler.core.address import canary_address
from reconciler.core.data_source import DataConfig
from reconciler.core.desired import Declaration, Desired
from reconciler.core.diagnostic import Diagnostic, DiagnosticError, did_you_mean
from reconciler.core.resource_type import FollowsProvider, ResourceType

Find = Callable[[DataConfig], Value]


def read_checks(
    stack: StackConfig, types: Mapping[str, ResourceType], find: Find, names: Collection[str] = ()
) -> list[Check | UnresolvedCheck]:
    """The checks of a stack (all, or those named), in the order of the files.

    ``find`` runs a query that the expressions of a check need. Raises DiagnosticError with all errors.
    """
    section = stack.sections.get("checks")
    nodes = dict(section.entries()) if section is not None else {}
    _check_names(names, nodes)
    failed: list[DiagnosticError] = []

    def ask(config: DataConfig) -> Value:
        try:
            return find(config)
        except DiagnosticError as error:
            failed.append(error)
            raise

    found: list[Check | UnresolvedCheck] = []
    problems: list[Diagnostic] = []
    for name, node in nodes.items():
        if names and name not in names:
            continue
        failed.clear()
        try:
            value = evaluate(node, stack.scope, results(stack.data, ask))
        except DiagnosticError as error:
            if failed:
                found.append(UnresolvedCheck(name, error.diagnostics))
            else:
                problems += error.diagnostics
            continue
        noted = DiagnosticCollector(node.source_map)
        check = _read(name, node, value, stack, types, noted)
        problems += noted.sorted(lambda _: True)
        if check is not None:
            found.append(check)
    if problems:
        raise DiagnosticError(*problems)
    return found


def validate_checks(stack: StackConfig, types: Mapping[str, ResourceType]) -> None:
    """Raise DiagnosticError with all errors of a stack's checks, as far as they are known without running a query."""

    def find(config: DataConfig) -> Value:
        raise DiagnosticError(Diagnostic(f"data.{config.label} is not queried"))

    read_checks(stack, types, find)


def _check_names(names: Collection[str], nodes: Mapping[str, Node]) -> None:
    unknown = [name for name in names if name not in nodes]
    if unknown:
        listed = f"the checks are {', '.join(nodes)}" if nodes else "the stack has no checks"
        raise DiagnosticError(
            *(Diagnostic(f'there is no check "{name}"', hint=did_you_mean(name, nodes) or listed) for name in unknown)
        )


def _read(
    name: str,
    node: Node,
    value: Value,
    stack: StackConfig,
    types: Mapping[str, ResourceType],
    problems: DiagnosticCollector,
) -> Check | None:
    if not isinstance(value, dict):
        offset = node.key_offset if value is None else node.offset
        problems.add(offset, f"check {name} must be a mapping, not {kind(value)}")
        return None
    known = [info.alias or key for key, info in CheckSpec.model_fields.items()]
    try:
        spec = CheckSpec.model_validate(value)
    except ValidationError as error:
        report(error, node, known, problems, value=value, what=f"check {name}")
        return None
    position = node.key_position
    receiver = None
    if spec.expect is not None and spec.expect.delivered is not None:
        receiver = _receiver(spec.expect.delivered, node, stack, problems)
        if receiver is None:
            return None
    if spec.canary is not None:
        canary = _canary(name, spec.canary, node.child("canary") or node, stack, types, problems)
        return None if canary is None else Check(name, spec, canary=canary, position=position, receiver=receiver)
    assert spec.data is not None  # noqa: S101 - narrows a type
    assert spec.expect is not None  # noqa: S101 - narrows a type
    query = stack.data.get(spec.data)
    if query is None:
        hint = did_you_mean(spec.data, stack.data) or "it names a query under data as TYPE.NAME"
        problems.add((node.child("data") or node).offset, f'there is no query "{spec.data}"', hint)
        return None
    expected = node.child("expect") or node
    for where, summary, advice in spec.expect.validate_against(query.label, query.source.fields):
        problems.add(_place(expected, where), summary, advice)
    return None if len(problems) else Check(name, spec, query, position=position, receiver=receiver)


def _place(node: Node, path: tuple[str, ...]) -> int:
    for step in path:
        child = node.child(step)
        if child is None:
            break
        node = child
    return node.key_offset


def _receiver(expected: Delivered, node: Node, stack: StackConfig, problems: DiagnosticCollector) -> str | None:
    """The key of the receiver to query; None, with a problem reported, if there is none or several."""
    keys = [key for key, config in stack.providers.items() if config.type == RECEIVER_TYPE]
    place = _place(node, ("expect", "delivered", *(["provider"] if expected.provider is not None else [])))
    if expected.provider is not None:
        if expected.provider in keys:
            return expected.provider
        hint = did_you_mean(expected.provider, keys) or (f"those are {', '.join(keys)}" if keys else None)
        problems.add(place, f"{expected.provider} is not a receiver of notifications", hint)
    elif not keys:
        problems.add(place, "no receiver of notifications is configured", "add one under providers: receiver")
    elif len(keys) > 1:
        problems.add(
            place, f"it is ambiguous which of {', '.join(keys)} to query", f"add to delivered: provider: {keys[0]}"
        )
    else:
        return keys[0]
    return None


def _canary(
    name: str,
    spec: CanarySpec,
    node: Node,
    stack: StackConfig,
    types: Mapping[str, ResourceType],
    problems: DiagnosticCollector,
) -> Desired | None:
    """The alarm that a check raises; None, with a problem reported, if its fields are invalid."""
    provider = _canary_provider(spec, node, stack, types, problems)
    if provider is None:
        return None
    type_name = next(name for name, owner in CANARY_TYPES.items() if owner == stack.providers[provider].type)
    unknown = sorted(spec.model_fields_set - CANARY_FIELDS[type_name])
    if unknown:
        offset = (node.child(unknown[0]) or node).key_offset
        hint = f"its own fields are {', '.join(sorted(CANARY_FIELDS[type_name]))}"
        problems.add(offset, f"a canary of type {type_name} has no {unknown[0]}", hint)
        return None
    kind = types[type_name]
    address = canary_address(name, type_name)
    clash = next((item for item in stack.desired if address._replace(key=None).covers(item.address)), None)
    if clash is not None:
        problems.add(node.key_offset, f"{clash.address} has the address that canaries use", "give it another name")
        return None
    fields = spec.fields(name, type_name)
    try:
        model = kind.model.model_validate(fields)
        made = kind.desired(Declaration(address, model, provider, position=node.key_position))
        return kind.under(made, stack.providers[provider].settings) if isinstance(kind, FollowsProvider) else made
    except ValidationError as error:
        report(error, node, CanarySpec.model_fields, problems, value=fields, what="the canary")
    except ValueError as error:
        problems.add(node.key_offset, str(error))
    return None


def _canary_provider(
    spec: CanarySpec, node: Node, stack: StackConfig, types: Mapping[str, ResourceType], problems: DiagnosticCollector
) -> str | None:
    """The key of the canary's provider; None, with a problem reported, if it is unknown."""
    owners = [owner for name, owner in CANARY_TYPES.items() if name in types and spec.type in (None, name)]
    fitting = [key for key, config in stack.providers.items() if config.type in owners]
    if spec.provider is not None:
        if spec.provider in fitting:
            return spec.provider
        hint = did_you_mean(spec.provider, fitting) or (f"those are {', '.join(fitting)}" if fitting else None)
        offset = (node.child("provider") or node).offset
        problems.add(offset, f"{spec.provider} is no provider that a canary can go through", hint)
        return None
    # The only canary type of versions without alerts comes first.
    first = next((owner for owner in owners if any(stack.providers[key].type == owner for key in fitting)), None)
    fitting = [key for key in fitting if stack.providers[key].type == first]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        summary = f"the canary could go through any of the providers {', '.join(fitting)}"
        problems.add(node.key_offset, summary, f"add to it: provider: {fitting[0]}")
    else:
        hint = f"configure one: {' or '.join(owners or CANARY_TYPES.values())}"
        problems.add(node.key_offset, "no provider that a canary can go through is configured", hint)
    return None
