"""Compiled values: expressions compiled once, to be evaluated many times, now or when a check or a drill runs."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple, Union, cast

from reconciler.config.diagnostics import DiagnosticCollector
from reconciler.config.expressions.scope import DEFERRED, Context, ExpressionSite, PieceError, Reference, Scope
from reconciler.config.yaml.source_map import Map, Node, Seq, Value
from reconciler.core.address import Address
from reconciler.core.diagnostic import DiagnosticError

if TYPE_CHECKING:
    from reconciler.config.expressions.template import Template


class CompiledText(NamedTuple):
    """A text with expressions, and its position."""

    template: "Template"
    offset: int


Compiled = Union[CompiledText, Value, "dict[str, Compiled]", "list[Compiled]"]
"""A value whose leaves may be texts with expressions. A part without any is left as a Map or a Seq."""


class UnresolvedError(Exception):
    """A value is not available; the problem is reported already."""


def templated(value: Value) -> bool:
    """Whether a value or a key contains an expression (or a ``$${``)."""
    if type(value) is str:
        return "${" in value
    if type(value) is Map:
        for key, item in value.items():
            if type(item) is str:
                if "${" in item:
                    return True
            elif (type(item) is Map or type(item) is Seq) and templated(item):
                return True
            if "${" in key:
                return True
        return False
    return isinstance(value, list) and any(templated(item) for item in value)


def compile_value(node: Node, use: ExpressionSite, scope: Scope, diagnostics: DiagnosticCollector) -> Compiled:
    """Compile a node's value, checking each name it uses. Raises UnresolvedError after reporting all problems."""
    made, usable = _shape(node, use, scope, diagnostics)
    if not usable:
        raise UnresolvedError
    return made


def evaluate_compiled(
    made: Compiled, context: Context, diagnostics: DiagnosticCollector, address: Address | None = None
) -> Value:
    """Evaluate a compiled value. Raises UnresolvedError at the first expression without a value."""
    if isinstance(made, CompiledText):
        try:
            return made.template.evaluate(context)
        except PieceError as error:
            report_expression_error(diagnostics, made.offset, error, address)
            raise UnresolvedError from None
    if type(made) is dict:
        return {
            key: item if type(item) is str else evaluate_compiled(item, context, diagnostics, address)
            for key, item in made.items()
        }
    if type(made) is list:
        return [evaluate_compiled(item, context, diagnostics, address) for item in made]
    return cast(Value, made)


def references(made: Compiled) -> frozenset[Reference]:
    """Every name that the expressions of a compiled value use."""
    if isinstance(made, CompiledText):
        return made.template.references
    inner = made.values() if type(made) is dict else made if type(made) is list else ()
    return frozenset().union(*(references(item) for item in inner))


def report_expression_error(
    diagnostics: DiagnosticCollector, offset: int, error: PieceError, address: Address | None = None
) -> None:
    """Report an error at the expression if it can be found in the text."""
    if error.written:
        offset = diagnostics.source_map.find(error.written.split("\n", 1)[0], offset, 2 * len(error.written) + 200)
    diagnostics.add(offset, error.cause.message, error.cause.hint, address=address, rule="expression")


def _shape(node: Node, use: ExpressionSite, scope: Scope, diagnostics: DiagnosticCollector) -> tuple[Compiled, bool]:
    value = node.value
    if not templated(value):
        return value, True
    if isinstance(value, str):
        return _leaf(value, node.offset, use, scope, diagnostics)
    usable = True
    if isinstance(value, Map):
        entries: dict[str, Compiled] = {}
        for key, item in node.entries():
            if "${" in key:
                diagnostics.add(
                    item.key_offset, "an expression cannot stand in a key", "make the whole mapping one, in locals"
                )
                usable = False
            entries[key], fine = _shape(item, use, scope, diagnostics)
            usable &= fine
        return entries, usable
    items: list[Compiled] = []
    for item in node.items():
        made, fine = _shape(item, use, scope, diagnostics)
        items.append(made)
        usable &= fine
    return items, usable


def _leaf(
    text: str, offset: int, use: ExpressionSite, scope: Scope, diagnostics: DiagnosticCollector
) -> tuple[Compiled, bool]:
    from reconciler.config.expressions.template import parse_template

    try:
        template = parse_template(text)
    except PieceError as error:
        report_expression_error(diagnostics, offset, error)
        return None, False
    usable = True
    for piece in template.expressions:
        for reference in sorted(piece.expression.references):
            if reference in scope.failed:
                usable = False
                continue
            refusal = use.refusal(reference, scope)
            if refusal is not None:
                where = diagnostics.source_map.find(piece.written.split("\n", 1)[0], offset, 2 * len(text) + 8)
                diagnostics.add(where, *refusal)
                usable = False
    return CompiledText(template, offset), usable


def evaluate(node: Node, scope: Scope, data: Mapping[str, Value] | None = None) -> Value:
    """Evaluate the expressions in a node and return its value. Raises DiagnosticError.

    ``data`` is the value of ``data``, ``{TYPE: {NAME: value}}`` (``reconciler.config.blocks.data.results``).
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
    """Report errors of a node's expressions without evaluating them; returns the names that they use."""
    try:
        return references(compile_value(node, use, scope, diagnostics))
    except UnresolvedError:
        return frozenset()
