"""Importing: which unmanaged alarms a stack can declare, under which names, and which it cannot."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from pydantic import ValidationError

from reconciler.config.stack import StackConfig
from reconciler.core.address import Address
from reconciler.core.desired import Declaration, Kind
from reconciler.core.diagnostic import Diagnostic, DiagnosticError, Severity, did_you_mean
from reconciler.core.observed import UnmanagedAlarm
from reconciler.core.resource_type import ResourceType
from reconciler.providers.registry import Registry

Resources = dict[str, dict[str, dict[str, object]]]


class Imports(NamedTuple):
    """The result of an import: what to declare, by type and name, and counts of each kind.

    Also how many alarms are declared already, and what is left out and why. ``ids`` are the services' ids of what can
    be adopted, by address.
    """

    resources: Resources
    kinds: Mapping[Kind, int]
    declared: int
    warnings: tuple[Diagnostic, ...]
    ids: Mapping[Address, str]


def filters(texts: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
    """Parse texts ``KEY=VALUE`` into the wanted values by key. Raises DiagnosticError for an invalid one."""
    found: dict[str, tuple[str, ...]] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key or not value:
            hint = "write it like --filter event_severity=Critical; a repeated key matches any of its values"
            raise DiagnosticError(Diagnostic(f"--filter {text} is not of the form KEY=VALUE", hint=hint))
        found[key] = (*found.get(key, ()), value)
    return found


def known_filters(
    wanted: Mapping[str, tuple[str, ...]], types: Mapping[str, ResourceType]
) -> Mapping[str, tuple[str, ...]]:
    """The filters as providers take them: fields of a resource type, and other keys written ``metadata.KEY``.

    Raises DiagnosticError for a name that no alarm has.
    """
    fields = sorted({name for kind in types.values() for name in kind.model.model_fields})
    problems = []
    found: dict[str, tuple[str, ...]] = {}
    for key, values in wanted.items():
        prefix, _, rest = key.partition(".")
        if prefix in ("metadata", "labels") and rest:
            found[rest] = values
        elif key in fields:
            found[key] = values
        else:
            free = f"a key of its metadata is written --filter metadata.{key}=..."
            problems.append(Diagnostic(f"--filter: no alarm has a field {key}", hint=did_you_mean(key, fields) or free))
    if problems:
        raise DiagnosticError(*problems)
    return found


def imports(stack: StackConfig, found: Iterable[UnmanagedAlarm], registry: Registry) -> Imports:
    """Sort what was found: what the stack declares already is only counted, what exceeds a limit is left out."""
    known = {(item.provider, frozenset(item.identity.items())) for item in stack.desired}
    taken = {(item.address.type, item.address.name) for item in stack.desired}
    types = registry.resource_types()
    resources: Resources = {}
    warnings: list[Diagnostic] = []
    declared = 0
    written: list[UnmanagedAlarm] = []
    ids: dict[Address, str] = {}
    for item in found:
        observed = item.observed
        identity = (observed.provider, frozenset(observed.identity.items()))
        if identity in known:
            declared += 1
            continue
        problem = _unfit(item, types[observed.marks.address.type])
        if problem is not None:
            warnings.append(problem)
            continue
        known.add(identity)
        written.append(item)
        kind, name = _free(observed.marks.address, taken)
        taken.add((kind, name))
        if item.unadoptable is None:
            ids[Address(kind, name)] = item.id
        fields = dict(item.fields)
        if fields.get("event_name") == name:
            del fields["event_name"]  # the default value
        if _needs_naming(kind, stack, registry):
            fields = {"provider": observed.provider, **fields}
        resources.setdefault(kind, {})[name] = fields
    kinds = Counter(types[item.observed.marks.address.type].kind for item in written)
    return Imports(resources, kinds, declared, (*warnings, *unadoptable_warnings(written)), ids)


def unadoptable_warnings(found: Iterable[UnmanagedAlarm]) -> Iterator[Diagnostic]:
    """A warning for each alarm that no stack can adopt, with the reason."""
    reasons = Counter(item.unadoptable for item in found if item.unadoptable is not None)
    for reason, number in reasons.items():
        them = "1 alarm cannot be adopted" if number == 1 else f"{number:,} alarms cannot be adopted"
        hint = "declare it only to raise it without that rule, under labels of its own"
        yield Diagnostic(f"{them}: {reason}", hint=hint, severity=Severity.WARNING)


def _needs_naming(kind: str, stack: StackConfig, registry: Registry) -> bool:
    """Whether several providers of the stack manage a resource of this type, so that it must name one."""
    owner = registry.owner(kind)
    return owner is None or sum(config.type == owner.name for config in stack.providers.values()) != 1


def _unfit(item: UnmanagedAlarm, kind: ResourceType) -> Diagnostic | None:
    observed = item.observed
    try:
        _check_keys(item.fields)
        spec = kind.model.model_validate(item.fields)
        kind.desired(Declaration(observed.marks.address, spec, observed.provider))
    except ValidationError as error:
        first = error.errors()[0]
        why = ".".join(map(str, first["loc"])) + ": " + first["msg"].removeprefix("Value error, ")
    except ValueError as error:
        why = str(error)
    else:
        return None
    name = observed.identity.get("event_name") or "without a name"
    summary = f"alarm {observed.id} ({name}) cannot be declared and is skipped: {why}"
    return Diagnostic(summary, severity=Severity.WARNING)


def _check_keys(value: object) -> None:
    """Raise ValueError if a key cannot be written in the configuration."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if "${" in key:
                raise ValueError(f"the key {key} reads like an expression")
            _check_keys(inner)
    elif isinstance(value, list):
        for inner in value:
            _check_keys(inner)


def _free(wanted: Address, taken: set[tuple[str, str]]) -> tuple[str, str]:
    """The address's type and name; the name gets a number if it is taken."""
    name, number = wanted.name, 1
    while (wanted.type, name) in taken:
        number += 1
        name = f"{wanted.name}_{number}"
    return wanted.type, name
