"""Evaluation of what is read later: expressions in ``checks`` and ``drills``."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.config.diagnostics import DiagnosticCollector
from reconciler.config.expressions.compiled import UnresolvedError, compile_value, evaluate_compiled, references
from reconciler.config.expressions.context import Context, Reference
from reconciler.config.expressions.scope import LATER, Scope, Use
from reconciler.config.yaml.node import Node, Value
from reconciler.core.diagnostic import DiagnosticError


def evaluate(node: Node, scope: Scope, data: Mapping[str, Value] | None = None) -> Value:
    """The value of a node with its expressions evaluated; raises DiagnosticError.

    ``data`` is what ``data.TYPE.NAME`` means, as ``{TYPE: {NAME: value}}`` (``reconciler.config.data.results``).
    """
    problems = DiagnosticCollector(node.texts)
    value: Value = None
    try:
        made = compile_value(node, LATER, scope, problems)
        value = evaluate_compiled(made, Context({**scope.values, "data": dict(data or {})}), problems)
    except UnresolvedError:
        raise DiagnosticError(*problems.listed(lambda _: True)) from None
    return value


def check_expressions(
    node: Node, scope: Scope, problems: DiagnosticCollector, use: Use = LATER
) -> frozenset[Reference]:
    """Note what is wrong with the expressions of a node before anything is evaluated; the names they use."""
    try:
        return references(compile_value(node, use, scope, problems))
    except UnresolvedError:
        return frozenset()
