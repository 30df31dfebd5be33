"""Expressions: the text between ``${`` and ``}``, compiled once and evaluated many times.

Grammar and evaluation are Jinja2's, sandboxed and strict about undefined values. Values are plain data: a dot only
looks up a mapping's key, so no method or attribute of a Python object can be reached.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from math import isfinite
from typing import NoReturn

from jinja2 import nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.exceptions import TemplateError, TemplateSyntaxError, UndefinedError
from jinja2.parser import Parser
from jinja2.runtime import Context as JinjaContext
from jinja2.runtime import StrictUndefined, Undefined
from jinja2.sandbox import SandboxedEnvironment

from reconciler.config.expressions.budget import MAX_BITS, TooMuchError, charge, charge_text, charge_work, reset
from reconciler.config.expressions.compare import OPERATORS
from reconciler.config.expressions.filters import FILTERS, FUNCTIONS, TESTS
from reconciler.config.expressions.scope import DATA_ROOT, ROOTS, Context, ExpressionError, Reference
from reconciler.config.expressions.values import as_text, join_text, to_value
from reconciler.config.yaml.source_map import Value, kind
from reconciler.core.diagnostic import did_you_mean

MAX_LENGTH = 10_000
MAX_DEPTH = 40
_CACHED = 65_536


@dataclass(frozen=True, slots=True, eq=False)
class Expression:
    """A compiled expression, and the names it uses."""

    source: str
    references: frozenset[Reference]
    run: Callable[[JinjaContext], Iterable[object]]

    def evaluate(self, context: Context) -> Value:
        """The value of the expression. Raises ExpressionError."""
        reset()
        jinja_context = context.jinja_context or _jinja_context(context)
        try:
            for _ in self.run(jinja_context):
                pass
            return to_value(jinja_context.vars["result"])
        except ExpressionError:
            raise
        except _FAILURES as error:
            _fail(error)

    def text(self, context: Context) -> str:
        """The value as part of a longer text. Raises ExpressionError."""
        try:
            return as_text(self.evaluate(context))
        except TypeError as error:
            raise ExpressionError(str(error)) from None


@lru_cache(_CACHED)
def compile_expression(source: str) -> Expression:
    """Compile the text between the braces. Raises ExpressionError for invalid syntax and unknown names."""
    if len(source) > MAX_LENGTH:
        raise ExpressionError(f"an expression may have at most {MAX_LENGTH:,} characters")
    try:
        parser = Parser(_ENVIRONMENT, source, state="variable")
        tree = parser.parse_expression()
        if not parser.stream.eos:
            raise ExpressionError(f'"{parser.stream.current.value}" is not expected here', "an expression is one value")
        references = frozenset(_references(tree))
        tree.set_environment(_ENVIRONMENT)
        body: list[nodes.Node] = [nodes.Assign(nodes.Name("result", "store"), tree, lineno=1)]
        template = _ENVIRONMENT.from_string(nodes.Template(body, lineno=1))
    except TemplateSyntaxError as error:
        raise ExpressionError(f"this is not an expression: {_syntax(error.message or '')}") from None
    except (RecursionError, MemoryError, SyntaxError, ValueError, OverflowError):
        raise ExpressionError("this expression is too deeply nested, or holds a number that is too long") from None
    return Expression(source, references, template.root_render_func)


def _jinja_context(context: Context) -> JinjaContext:
    """Jinja2's view of a context; later changes of the context's values are visible in it."""
    context.values = {**FUNCTIONS, **context.values}
    context.jinja_context = JinjaContext(_ENVIRONMENT, context.values, None, {})
    return context.jinja_context


class _Missing(StrictUndefined):
    """A value that an expression looked up and that does not exist."""

    __slots__ = ()

    @property
    def _undefined_message(self) -> str:
        name: object = self._undefined_name
        value: object = self._undefined_obj
        shown = f'"{name}"' if isinstance(name, str) else str(name)
        if isinstance(value, dict):
            return f"there is no key {shown} here"
        if isinstance(value, list | tuple | str | range) and isinstance(name, int):
            return (
                f"there is no item {name}: {kind(list(value) if isinstance(value, range) else value)} of {len(value)}"
            )
        if value is None or isinstance(value, list | tuple | str | int | float):
            return f"{kind(value)} has no {shown}; methods are not available, filters are: ... | upper"
        return self._undefined_hint or f"{shown} is undefined"

    def known(self) -> list[str]:
        value = self._undefined_obj
        return [key for key in value if isinstance(key, str)] if isinstance(value, dict) else []


class _CodeGenerator(CodeGenerator):
    """Generates our own text concatenation for ``a ~ b``."""

    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:  # noqa: N802
        self.write("environment.join_text((")
        for piece in node.nodes:
            self.visit(piece, frame)
            self.write(", ")
        self.write("))")

    def visit_Compare(self, node: nodes.Compare, frame: Frame) -> None:  # noqa: N802
        self.write("environment.compare(")
        self.visit(node.expr, frame)
        for operand in node.ops:
            self.write(f", {operand.op!r}, ")
            self.visit(operand.expr, frame)
        self.write(")")

    def visit_Getitem(self, node: nodes.Getitem, frame: Frame) -> None:  # noqa: N802
        self.write("environment.getitem(")
        self.visit(node.node, frame)
        self.write(", ")
        if isinstance(node.arg, nodes.Slice):
            self.write("slice(")
            for bound in (node.arg.start, node.arg.stop, node.arg.step):
                self.visit(bound or nodes.Const(None), frame)
                self.write(", ")
            self.write(")")
        else:
            self.visit(node.arg, frame)
        self.write(")")


class _Environment(SandboxedEnvironment):
    """Jinja2's sandbox over plain data."""

    code_generator_class = _CodeGenerator
    intercepted_binops = frozenset(["+", "*", "**", "%", "//", "/", "-"])
    join_text = staticmethod(join_text)

    def compare(self, first: object, *rest: object) -> bool:
        """Evaluate a chain of comparisons: operators and operands alternate."""
        left = first
        for name, right in zip(rest[::2], rest[1::2], strict=True):
            if not OPERATORS[str(name)](left, right):
                return False
            left = right
        return True

    def getattr(self, obj: object, attribute: str) -> object:
        if isinstance(obj, dict):
            if attribute in obj:
                return obj[attribute]
        elif isinstance(obj, Undefined):
            str(obj)
        return _missing(obj, attribute)

    def getitem(self, obj: object, argument: object) -> object:
        if isinstance(obj, Undefined):
            str(obj)
        if isinstance(argument, slice):
            if not isinstance(obj, list | tuple | str | range):
                raise TypeError(f"{_kind(obj)} cannot be sliced")
            charge(len(range(*argument.indices(len(obj)))))
            return obj[argument]
        if isinstance(obj, dict):
            if isinstance(argument, str) and argument in obj:
                return obj[argument]
        elif (
            isinstance(obj, list | tuple | str | range)
            and isinstance(argument, int)
            and -len(obj) <= argument < len(obj)
        ):
            return obj[argument]
        return _missing(obj, argument)

    def call_binop(self, context: JinjaContext, operator: str, left: object, right: object) -> object:
        for operand in (left, right):
            if isinstance(operand, Undefined):
                str(operand)
        if operator == "+" and isinstance(left, str | list) and isinstance(right, str | list):
            if type(left) is not type(right) and isinstance(left, str) != isinstance(right, str):
                raise TypeError(f"{kind(left)} and {kind(right)} cannot be added")
            size = len(left) + len(right)
            charge_text(size) if isinstance(left, str) else charge(size)
        elif not (_is_number(left) and _is_number(right)):
            text = " (~ joins texts)" if operator == "+" else ""
            raise TypeError(f"{operator} works on numbers, not on {_kind(left)} and {_kind(right)}{text}")
        elif isinstance(left, int) and isinstance(right, int):
            bits = left.bit_length() * abs(right) if operator == "**" else left.bit_length() + right.bit_length()
            if operator in ("+", "-"):
                bits = max(left.bit_length(), right.bit_length()) + 1
            if operator in ("*", "**", "+", "-") and bits > MAX_BITS:
                raise TooMuchError("the number would be too long")
        charge_work()
        return super().call_binop(context, operator, left, right)


def _missing(value: object, name: object) -> _Missing:
    return _Missing(obj=value, name=name)  # type: ignore[arg-type]  # the name may be an index


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _kind(value: object) -> str:
    return kind(to_value(value))


def _environment() -> _Environment:
    environment = _Environment(undefined=_Missing, optimized=False, autoescape=False, cache_size=0)
    environment.globals = {}
    environment.filters = dict(FILTERS)
    environment.tests = dict(TESTS)
    return environment


_ENVIRONMENT = _environment()
_FAILURES = (
    TemplateError,
    TypeError,
    ValueError,
    ArithmeticError,
    LookupError,
    AttributeError,
    AssertionError,
    RuntimeError,
    MemoryError,
)
_ALLOWED = (
    *(nodes.Const, nodes.Name, nodes.Getattr, nodes.Getitem, nodes.Slice, nodes.Filter, nodes.Test, nodes.Compare),
    *(nodes.Operand, nodes.BinExpr, nodes.UnaryExpr, nodes.CondExpr, nodes.List, nodes.Dict, nodes.Pair, nodes.Tuple),
    *(nodes.Concat, nodes.Call, nodes.Keyword),
)


def _references(tree: nodes.Node) -> Iterable[Reference]:
    """The names an expression uses. Raises ExpressionError for unknown or disallowed ones."""
    pending = [(tree, 1)]
    while pending:
        node, depth = pending.pop()
        if depth > MAX_DEPTH:
            raise ExpressionError("this expression is too deeply nested", "move parts of it to locals")
        if not isinstance(node, _ALLOWED):
            raise ExpressionError(f"{type(node).__name__.lower()} is not allowed in an expression")
        if isinstance(node, nodes.Name):
            _refuse_name(node.name)
        if isinstance(node, nodes.Const):
            node.value = _constant(node.value)
        if isinstance(node, nodes.Filter) and node.name not in FILTERS:
            raise ExpressionError(f'there is no filter "{node.name}"', did_you_mean(node.name, FILTERS))
        if isinstance(node, nodes.Test) and node.name not in TESTS:
            raise ExpressionError(f'there is no test "{node.name}"', did_you_mean(node.name, TESTS))
        children = list(node.iter_child_nodes())
        if isinstance(node, nodes.Call):
            _check_call(node)
            children.remove(node.node)
        reference = _reference(node)
        if reference is not None:
            yield reference
            continue
        pending += [(child, depth + 1) for child in children]


def _constant(value: object) -> object:
    """A literal, with surrogate pairs combined. Raises ExpressionError if it is not a JSON value."""
    if isinstance(value, str) and not value.isascii():
        try:
            return value.encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError:
            raise ExpressionError("half of a surrogate pair is not a character") from None
    if isinstance(value, int) and value.bit_length() > MAX_BITS:
        raise ExpressionError(f"a whole number may have at most {MAX_BITS:,} bits")
    if isinstance(value, float) and not isfinite(value):
        raise ExpressionError("this number is too large", "quote it if text is meant")
    return value


def _reference(node: nodes.Node) -> Reference | None:
    """``root.name`` or ``root["name"]``; for data, a query has a type and a name: ``data.TYPE.NAME``."""
    if not isinstance(node, nodes.Getattr | nodes.Getitem):
        return None
    inner = node.node
    if isinstance(inner, nodes.Getattr | nodes.Getitem) and _is_name(inner.node, DATA_ROOT):
        return Reference((DATA_ROOT, f"{_looked_up(inner, DATA_ROOT)}.{_looked_up(node, DATA_ROOT)}"))
    if not isinstance(inner, nodes.Name) or inner.name not in ROOTS:
        return None
    if inner.name == DATA_ROOT:
        raise ExpressionError("this names no query", f"write {DATA_ROOT}.TYPE.NAME")
    return Reference((inner.name, _looked_up(node, inner.name)))


def _is_name(node: nodes.Node, name: str) -> bool:
    return isinstance(node, nodes.Name) and node.name == name


def _looked_up(node: nodes.Getattr | nodes.Getitem, root: str) -> str:
    if isinstance(node, nodes.Getattr):
        return node.attr
    if isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str):
        return node.arg.value
    name = "TYPE.NAME" if root == DATA_ROOT else "NAME"
    raise ExpressionError(f"names in {root} must be literal", f"write {root}.{name}")


def _refuse_name(name: str) -> NoReturn:
    if name in ROOTS:
        raise ExpressionError(f"{name} alone is not a value", f"write {name}.NAME")
    if name in FUNCTIONS:
        raise ExpressionError(f"{name} is a function", f"call it: {name}(...)")
    hint = did_you_mean(name, (*ROOTS, *FUNCTIONS))
    hint = hint or f"values are under {', '.join(ROOTS)}; quote text: '{name}'"
    raise ExpressionError(f'"{name}" is not known here', f"{hint}; write a literal ${{ as $${{")


def _check_call(node: nodes.Call) -> None:
    if isinstance(node.node, nodes.Name):
        name = node.node.name
        if name in FUNCTIONS:
            return
        hint = f"{name} is a filter: write ... | {name}" if name in FILTERS else did_you_mean(name, FUNCTIONS)
        known = f"the functions are {', '.join(FUNCTIONS)}; the rest are filters: ... | NAME"
        raise ExpressionError(f'there is no function "{name}"', hint or known)
    if isinstance(node.node, nodes.Getattr):
        name = node.node.attr
        hint = f"use the filter: ... | {name}" if name in FILTERS else "use a filter instead: ... | NAME"
        raise ExpressionError(f'methods such as "{name}" cannot be called', hint)
    raise ExpressionError("only a function can be called")


_QUOTED = re.compile(r"'[^']*'")
_GOT = re.compile(r"expected token '.*', got '(.*)'", re.S)


def _syntax(message: str) -> str:
    """A parser message, without what it says about templates."""
    message = _GOT.sub(r"'\1' is not expected here", message)
    return message.replace("'end of template'", "end").replace("'end of print statement'", "end")


def _fail(error: BaseException) -> NoReturn:
    """Describe an evaluation error in our words, without quoting values."""
    if isinstance(error, UndefinedError):
        raise ExpressionError(str(error)) from None
    if isinstance(error, TooMuchError):
        raise ExpressionError(f"this expression is too expensive: {error}") from None
    if isinstance(error, TemplateError):
        raise ExpressionError(f"this cannot be evaluated: {_QUOTED.sub('...', str(error))}") from None
    if isinstance(error, RecursionError | MemoryError):
        raise ExpressionError("this expression is too expensive") from None
    if isinstance(error, ZeroDivisionError):
        raise ExpressionError("division by zero") from None
    if isinstance(error, OverflowError):
        raise ExpressionError(f"this expression is too expensive: {str(error) or 'a number is too large'}") from None
    raise ExpressionError(f"this cannot be evaluated: {error}") from None
