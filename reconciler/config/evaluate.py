"""Evaluation of what is read later: expressions in ``checks`` and ``drills``."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.config.context import Context, Reference
from reconciler.config.node import Node, Plain
from reconciler.config.problems import Problems
from reconciler.config.scope import LATER, Scope, Use
from reconciler.config.shape import UnusableError, fill, references, shape
from reconciler.core.diagnostic import DiagnosticError


def evaluate(node: Node, scope: Scope, data: Mapping[str, Plain] | None = None) -> Plain:
    """The value of a node with its expressions evaluated; raises DiagnosticError.

    ``data`` is what ``data.TYPE.NAME`` means, as ``{TYPE: {NAME: value}}`` (``reconciler.config.data.results``).
    """
    problems = Problems(node.texts)
    value: Plain = None
    try:
        made = shape(node, LATER, scope, problems)
        value = fill(made, Context({**scope.values, "data": dict(data or {})}), problems)
    except UnusableError:
        raise DiagnosticError(*problems.listed(lambda _: True)) from None
    return value


def check_expressions(node: Node, scope: Scope, problems: Problems, use: Use = LATER) -> frozenset[Reference]:
    """Note what is wrong with the expressions of a node before anything is evaluated; the names they use."""
    try:
        return references(shape(node, use, scope, problems))
    except UnusableError:
        return frozenset()
