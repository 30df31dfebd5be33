"""Moved and removed: resources and instances that were renamed, or that are no longer declared but not cleared."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from pydantic import Field, ValidationError

from reconciler.config.blocks.common import Block
from reconciler.config.blocks.sections import Sections
from reconciler.config.blocks.validation import report
from reconciler.config.diagnostics import DiagnosticCollector
from reconciler.config.yaml.source_map import Node
from reconciler.core.address import Address
from reconciler.core.desired import Desired
from reconciler.core.diagnostic import did_you_mean
from reconciler.core.moves import Move, Moves


class Moved(Block):
    """A renaming: what fires under the address `from` keeps firing under the address `to`.

    Without a key both mean a whole resource, with every instance of its `for_each`.
    """

    source: str = Field(alias="from", description="The address it had, such as `aom_alarm.latency`.")
    destination: str = Field(alias="to", description="The address it has now.")


class Removed(Block):
    """A resource that is no longer declared, but keeps firing: it is forgotten, not cleared."""

    source: str = Field(alias="from", description="The address it had; without a key, of every instance.")


def read_removed(
    sections: Sections, types: Collection[str], desired: Sequence[Desired], diagnostics: DiagnosticCollector
) -> tuple[Address, ...]:
    """Read the addresses under ``removed``; problems are reported."""
    found: dict[Address, Node] = {}
    for node in sections.lists.get("removed", ()):
        try:
            block = Removed.model_validate(node.value)
        except ValidationError as error:
            report(error, node, ("from",), diagnostics, model=Removed, value=node.value, what="removed")
            continue
        address = read_address(node, "from", block.source, types, diagnostics)
        if address is None:
            continue
        if found.setdefault(address, node) is not node:
            diagnostics.add(node.offset, f"{address} is removed twice", f"it is first at {found[address].position}")
    written = written_resources(sections)
    declared = {item.address for item in desired} if found else set()
    for address, node in found.items():
        if address in declared or (address.key is None and address[:2] in written):
            hint = "remove the resource, or omit this block"
            diagnostics.add(node.offset, f"{address} is removed, and is still declared", hint)
    return tuple(found)


def written_resources(sections: Sections) -> set[tuple[str, str]]:
    """The types and names of all resources, including those without instances."""
    return {(kind, name) for kind, node in sections.entries("resources") for name, _ in node.entries()}


def read_moves(
    sections: Sections, types: Collection[str], desired: Sequence[Desired], diagnostics: DiagnosticCollector
) -> Moves:
    """Read the moves of a stack; problems are reported.

    ``desired`` is what the stack declares: an object that is still declared cannot have been renamed.
    """
    found: list[tuple[Move, Node]] = []
    for node in sections.lists.get("moved", ()):
        move = _move(node, types, diagnostics)
        if move is not None:
            found.append((move, node))
    found = _distinct(found, diagnostics)
    moves = Moves(tuple(move for move, _ in found))
    _note_cycles(found, diagnostics)
    _note_declared(found, sections, desired, diagnostics)
    return moves


def read_address(
    node: Node, name: str, text: str, types: Collection[str], diagnostics: DiagnosticCollector
) -> Address | None:
    """The address in a field of a block; None, with a problem reported, if it is invalid or of an unknown type."""
    offset = (node.child(name) or node).offset
    try:
        address = Address.parse(text)
    except ValueError as error:
        diagnostics.add(offset, f"{name}: {error}")
        return None
    if address.type not in types:
        hint = did_you_mean(address.type, types) or f"the resource types are {', '.join(sorted(types))}"
        diagnostics.add(offset, f'there is no resource type "{address.type}"', hint)
        return None
    return address


def _move(node: Node, types: Collection[str], diagnostics: DiagnosticCollector) -> Move | None:
    try:
        block = Moved.model_validate(node.value)
    except ValidationError as error:
        report(error, node, ("from", "to"), diagnostics, model=Moved, value=node.value, what="moved")
        return None
    source = read_address(node, "from", block.source, types, diagnostics)
    destination = read_address(node, "to", block.destination, types, diagnostics)
    if source is None or destination is None:
        return None
    if source.type != destination.type:
        summary = f"{source} cannot become {destination}: a {source.type} is no {destination.type}"
        diagnostics.add(node.offset, summary, "omit this move: the one is then cleared, and the other raised")
        return None
    if source == destination:
        diagnostics.add(node.offset, f"{source} is moved to itself", "remove this move")
        return None
    return Move(source, destination, node.position)


def _distinct(found: Sequence[tuple[Move, Node]], diagnostics: DiagnosticCollector) -> list[tuple[Move, Node]]:
    """The moves, without those that share their source or destination with an earlier one."""
    sources: dict[Address, Move] = {}
    destinations: dict[Address, Move] = {}
    kept = []
    for move, node in found:
        first = sources.setdefault(move.source, move)
        if first is not move:
            again = f"to {first.destination}" if first.destination != move.destination else "in the same way"
            diagnostics.add(node.offset, f"{move.source} is moved twice", f"{first.position} moves it {again}")
            continue
        first = destinations.setdefault(move.destination, move)
        if first is not move:
            diagnostics.add(
                node.offset,
                f"two objects are moved to {move.destination}: {first.source} and {move.source}",
                f"the other move is at {first.position}; an address holds one object",
            )
            continue
        kept.append((move, node))
    return kept


def _note_cycles(found: Sequence[tuple[Move, Node]], diagnostics: DiagnosticCollector) -> None:
    exact = {move.source: move for move, _ in found}
    whole = {move.source[:2]: move for move, _ in found if move.is_whole}
    noted: set[Address] = set()
    for move, node in found:
        ring = [move.source]
        address: Address | None = move.source
        while address is not None:
            following = exact.get(address) or whole.get(address[:2])
            address = following.apply(address) if following is not None else None
            if address is not None:
                ring.append(address)
                if address in ring[:-1]:
                    break
        if address is not None and address == ring[0] and not noted & set(ring):
            noted.update(ring)
            shown = " -> ".join(map(str, ring))
            diagnostics.add(node.offset, f"these moves form a cycle: {shown}", "remove one of them")


def _note_declared(
    found: Sequence[tuple[Move, Node]],
    sections: Sections,
    desired: Sequence[Desired],
    diagnostics: DiagnosticCollector,
) -> None:
    if not found:
        return
    declared = {item.address for item in desired}
    written = written_resources(sections)
    for move, node in found:
        if move.source in declared or (move.is_whole and move.source[:2] in written):
            diagnostics.add(
                (node.child("from") or node).offset,
                f"{move.source} is moved to {move.destination}, and is still declared",
                f"rename it to {move.destination}, or remove this move",
            )
