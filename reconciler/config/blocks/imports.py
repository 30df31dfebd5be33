"""Import: existing objects at a service, and the declared addresses that adopt them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from pydantic import Field, ValidationError

from reconciler.config.blocks.common import Block
from reconciler.config.blocks.moved import read_address, written_resources
from reconciler.config.blocks.sections import Sections
from reconciler.config.blocks.validation import report
from reconciler.config.diagnostics import DiagnosticCollector
from reconciler.config.expressions.compiled import UnresolvedError, compile_value, evaluate_compiled
from reconciler.config.expressions.scope import IMPORTS, Context, Scope
from reconciler.config.yaml.source_map import Node, Value
from reconciler.core.address import Address
from reconciler.core.desired import Desired, Kind
from reconciler.core.diagnostic import did_you_mean
from reconciler.core.imports import Import

_NAMED = 3
"""The maximum number of instances named in a hint."""


class ImportBlock(Block):
    """An unmanaged alarm or silence, taken over under a declared address."""

    destination: str = Field(
        alias="to", description="The declared address for it; with `for_each`, that of one instance."
    )
    id: str = Field(min_length=1, description="The id that it has at the service.")


def read_imports(
    sections: Sections,
    types: Mapping[str, Kind],
    desired: Sequence[Desired],
    scope: Scope,
    diagnostics: DiagnosticCollector,
    *,
    is_whole: bool,
) -> tuple[Import, ...]:
    """Read the entries under ``import``; problems are reported.

    ``desired`` is what the stack declares; unless ``is_whole``, resources that need a query are missing from it.
    """
    found: list[tuple[Import, Node]] = []
    for node in sections.lists.get("import", ()):
        block = _read(node, types, scope, diagnostics)
        if block is not None:
            found.append((block, node))
    declared = {item.address: item for item in desired} if found else {}
    _note_repeated(found, declared, diagnostics)
    written = written_resources(sections)
    for block, node in found:
        address = block.destination
        item = declared.get(address)
        offset = (node.child("to") or node).offset
        if item is None and (is_whole or address[:2] not in written):
            diagnostics.add(offset, *_undeclared(address, declared))
        elif item is not None and not item.firing:
            hint = "declare it firing, or omit this block"
            diagnostics.add(offset, f"{address} is imported, and is declared cleared", hint)
    return tuple(block for block, _ in found)


def _read(node: Node, types: Mapping[str, Kind], scope: Scope, diagnostics: DiagnosticCollector) -> Import | None:
    value: Value = None
    try:
        value = evaluate_compiled(compile_value(node, IMPORTS, scope, diagnostics), Context(scope.values), diagnostics)
        block = ImportBlock.model_validate(value)
    except UnresolvedError:
        return None
    except ValidationError as error:
        report(error, node, ("to", "id"), diagnostics, model=ImportBlock, value=value, what="import")
        return None
    address = read_address(node, "to", block.destination, types, diagnostics)
    if address is None:
        return None
    if types[address.type] is Kind.EVENT:
        hint = "omit this block: a recorded event cannot be taken over"
        diagnostics.add((node.child("to") or node).offset, f"{address} is an event, which cannot be imported", hint)
        return None
    return Import(address, block.id, node.position)


def _note_repeated(
    found: Sequence[tuple[Import, Node]], declared: Mapping[Address, Desired], diagnostics: DiagnosticCollector
) -> None:
    """Report two blocks for one address, and an object that is imported twice."""
    destinations: dict[Address, Import] = {}
    ids: dict[tuple[str, str], Import] = {}
    for block, node in found:
        first = destinations.setdefault(block.destination, block)
        if first is not block:
            hint = f"the other block is at {first.position}; an address has one object"
            diagnostics.add(node.offset, f"two objects are imported to {block.destination}", hint)
            continue
        item = declared.get(block.destination)
        first = ids.setdefault((item.provider if item is not None else "", block.id), block)
        if first is not block:
            hint = f"{first.position} imports it to {first.destination}; omit one of them"
            diagnostics.add((node.child("id") or node).offset, f"the object {block.id} is imported twice", hint)


def _undeclared(address: Address, declared: Collection[Address]) -> tuple[str, str]:
    """Report that an address is not declared, with a hint."""
    instances = [str(other) for other in declared if other[:2] == address[:2]]
    if not instances:
        names = {str(other) for other in declared} | {str(other._replace(key=None)) for other in declared}
        hint = did_you_mean(str(address), names) or "declare it under resources; `reconciler import` writes the YAML"
        return f"{address} is imported, and is not declared", hint
    if address.key is None:
        more = ", ..." if len(instances) > _NAMED else ""
        return f"{address} has for_each: an import names one instance", f"{', '.join(instances[:_NAMED])}{more}"
    if instances == [str(address._replace(key=None))]:
        hint = f"it has no for_each: write {instances[0]}"
    else:
        hint = f"its instances are {', '.join(instances[:_NAMED])}{', ...' if len(instances) > _NAMED else ''}"
    return f"{address} is imported, and is not declared", hint
