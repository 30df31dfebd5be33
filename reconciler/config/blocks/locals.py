"""Locals: named values computed from variables and from each other."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter

from reconciler.config.blocks.sections import Sections
from reconciler.config.diagnostics import DiagnosticCollector
from reconciler.config.expressions.compiled import (
    Compiled,
    UnresolvedError,
    compile_value,
    evaluate_compiled,
    references,
)
from reconciler.config.expressions.scope import LOCALS, Context, Reference, Scope


def define_locals(sections: Sections, scope: Scope, diagnostics: DiagnosticCollector) -> None:
    """Add the value of each local to the scope; one that uses a sensitive value is sensitive too."""
    nodes = dict(sections.entries("locals"))
    values = scope.values["local"]
    values.update(dict.fromkeys(nodes))
    shapes: dict[str, Compiled] = {}
    for name, node in nodes.items():
        try:
            shapes[name] = compile_value(node, LOCALS, scope, diagnostics)
        except UnresolvedError:
            scope.failed.add(Reference(("local", name)))
    used = {name: references(made) for name, made in shapes.items()}
    needs = {name: {inner for root, inner in used[name] if root == "local"} & shapes.keys() for name in shapes}
    circular = _circular(needs)
    _note_cycles(
        {name: needs[name] & circular for name in circular}, {n: node.offset for n, node in nodes.items()}, diagnostics
    )
    scope.failed |= {Reference(("local", name)) for name in circular}
    for name in TopologicalSorter({name: needs[name] for name in needs if name not in circular}).static_order():
        reference = Reference(("local", name))
        if used[name] & scope.sensitive:
            scope.sensitive.add(reference)
        if used[name] & scope.failed:
            scope.failed.add(reference)
            continue
        try:
            values[name] = evaluate_compiled(shapes[name], Context(scope.values), diagnostics)
        except UnresolvedError:
            scope.failed.add(reference)


def _circular(needs: dict[str, set[str]]) -> set[str]:
    """The locals that depend on themselves, and those that depend on such a local."""
    users: dict[str, list[str]] = {name: [] for name in needs}
    for name, inner in needs.items():
        for other in inner:
            users[other].append(name)
    waiting = {name: len(inner) for name, inner in needs.items()}
    free = [name for name, count in waiting.items() if not count]
    for name in free:
        for user in users[name]:
            waiting[user] -= 1
            if not waiting[user]:
                free.append(user)
    return set(needs) - set(free)


def _note_cycles(needs: dict[str, set[str]], offsets: dict[str, int], diagnostics: DiagnosticCollector) -> None:
    """Report each cycle once, at its first member."""
    while True:
        try:
            TopologicalSorter(needs).prepare()
            return
        except CycleError as error:
            ring: list[str] = error.args[1][:0:-1]
            start = ring.index(min(ring, key=lambda name: offsets[name]))
            ring = ring[start:] + ring[:start]
            shown = " -> ".join(f"local.{name}" for name in (*ring, ring[0]))
            diagnostics.add(offsets[ring[0]], f"these locals depend on each other: {shown}")
            needs = {name: inner - set(ring) for name, inner in needs.items() if name not in ring}
