"""Evaluation of what is read later: expressions in ``checks`` and ``drills``."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.config.diagnostics import DiagnosticCollector
from reconciler.config.expressions.compiled import UnresolvedError, compile_value, evaluate_compiled, references
from reconciler.config.expressions.context import Context, Reference
from reconciler.config.expressions.scope import DEFERRED, ExpressionSite, Scope
from reconciler.config.yaml.node import Node, Value
from reconciler.core.diagnostic import DiagnosticError


def evaluate(node: Node, scope: Scope, data: Mapping[str, Value] | None = None) -> Value:
    """The value of a node with its expressions evaluated; raises DiagnosticError.

    ``data`` is what ``data.TYPE.NAME`` means, as ``{TYPE: {NAME: value}}`` (``reconciler.config.blocks.data.results``).
    """
    diagnostics = DiagnosticCollector(node.source_map)
    value: Value = None
    try:
        made = compile_value(node, DEFERRED, scope, diagnostics)
        value = evaluate_compiled(made, Context({**scope.values, "data": dict(data or {})}), diagnostics)
    except UnresolvedError:
        raise DiagnosticError(*diagnostics.sorted(lambda _: True)) from None
    return value


def check_expressions(
    node: Node, scope: Scope, diagnostics: DiagnosticCollector, use: ExpressionSite = DEFERRED
) -> frozenset[Reference]:
    """Note what is wrong with the expressions of a node before anything is evaluated; the names they use."""
    try:
        return references(compile_value(node, use, scope, diagnostics))
    except UnresolvedError:
        return frozenset()
