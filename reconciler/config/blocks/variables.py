"""Variables: their declarations, the values given from outside, and the resulting values."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, NamedTuple

from pydantic import Field, JsonValue, ValidationError

from reconciler.config.blocks.common import Block
from reconciler.config.blocks.sections import Sections
from reconciler.config.blocks.validation import report, spelling
from reconciler.config.diagnostics import DiagnosticCollector
from reconciler.config.expressions.compiled import (
    UnresolvedError,
    compile_value,
    evaluate_compiled,
    references,
    templated,
)
from reconciler.config.expressions.scope import CONDITION, VARIABLES, Context, Reference, Scope
from reconciler.config.stack import ENVIRONMENT_PREFIX, FLEET_VARIABLES, Inputs
from reconciler.config.yaml.document import read_document
from reconciler.config.yaml.parser import resolve
from reconciler.config.yaml.source_map import Map, Node, Source, SourceMap, Value, kind
from reconciler.core.diagnostic import Position, Severity, did_you_mean
from reconciler.core.text import SHORTEST_SECRET


class VariableType(StrEnum):
    """The type of a variable; texts from outside are converted to it."""

    STRING = "string"
    NUMBER = "number"
    BOOL = "bool"
    LIST = "list"
    MAP = "map"


class Validation(Block):
    """A condition the value of a variable must meet."""

    condition: str = Field(description='An expression over the variable that must be true: "${var.count < 10}".')
    message: str = Field(min_length=1, description="The error message for a value that does not meet it.")


class Variable(Block):
    """A value that can be set from outside; it must be if it has neither `default` nor `env`."""

    default: JsonValue = Field(None, description='The value if none is set; may use "${env.NAME}".')
    description: str | None = Field(None, description="What it is for.")
    env: Annotated[str, Field(min_length=1)] | None = Field(
        None, description="The environment variable to read it from; this makes it sensitive."
    )
    sensitive: bool | None = Field(
        None,
        description="Whether its value is hidden in all output, and can be used under providers only; always "
        "so with env.",
    )
    type: Annotated[VariableType, Field(strict=False)] | None = Field(
        None, description="Its type; by default that of `default`, else string."
    )
    validation: Validation | None = Field(None, description="A condition that its value must meet.")


class _Given(NamedTuple):
    """A value from outside, or the default, with its origin in words, and its position if it has one.

    ``place`` is that in a fleet file, which is not read with the stack.
    """

    value: Value
    origin: str
    offset: int | None
    is_text: bool
    place: Position | None = None


class _GivenFiles(NamedTuple):
    """The values in the variable files, and whether every file could be read."""

    values: Mapping[str, _Given]
    complete: bool


def declare_variables(sections: Sections, inputs: Inputs, scope: Scope, diagnostics: DiagnosticCollector) -> None:
    """Add the value of each variable to the scope; report all variables without a value."""
    declared = sections.entries("variables")
    names = [name for name, _ in declared]
    files = _read_files(inputs, sections, names, diagnostics)
    for name in inputs.variables:
        if name not in names and name in inputs.places:
            _add_undeclared(name, names, inputs.places[name], diagnostics)
        elif name not in names:
            hint = did_you_mean(name, names) or "declare it under variables, or remove --var"
            diagnostics.add(None, f'there is no variable "{name}" (given by --var)', hint)
    blocks: dict[str, tuple[Node, Variable]] = {}
    for name, node in declared:
        reference = Reference(("var", name))
        scope.values["var"][name] = None
        if is_sensitive(node):
            scope.sensitive.add(reference)
        block = _block(name, node, diagnostics)
        if block is None:
            scope.failed.add(reference)
            continue
        try:
            scope.values["var"][name] = _value(name, node, block, inputs, files, scope, diagnostics)
            blocks[name] = (node, block)
            _warn_of_short_secret(name, node, scope, diagnostics)
        except UnresolvedError:
            scope.failed.add(reference)
    for name, (node, block) in blocks.items():
        if block.validation is not None:
            _check_condition(name, node, block.validation.message, scope, diagnostics)


def _warn_of_short_secret(name: str, node: Node, scope: Scope, diagnostics: DiagnosticCollector) -> None:
    reference = Reference(("var", name))
    value = scope.values["var"][name]
    if reference in scope.sensitive and isinstance(value, str) and 0 < len(value) < SHORTEST_SECRET:
        summary = f"variable {name} is sensitive and shorter than {SHORTEST_SECRET} characters: its value is not masked"
        hint = "masking it would also hide parts of ordinary words; use a longer secret"
        diagnostics.add(node.key_offset, summary, hint, severity=Severity.WARNING)


def is_sensitive(node: Node) -> bool:
    """Whether a declaration marks its variable as sensitive; if that is unknown, it counts as sensitive."""
    block = node.value
    if block is None:
        return False
    if not isinstance(block, Map):
        return True
    misspelled = any(key not in Variable.model_fields for key in block)
    return misspelled or block.get("sensitive", False) is not False or "env" in block or templated(block.get("default"))


def _block(name: str, node: Node, diagnostics: DiagnosticCollector) -> Variable | None:
    if node.value is None:
        diagnostics.add(node.key_offset, f"variable {name} has no block", f"write {name}: {{}} if it must be given")
        return None
    if not isinstance(node.value, Map):
        diagnostics.add(
            node.offset,
            f"a variable is declared by a mapping, not by {kind(node.value)}",
            f"write {name}: {{default: ...}}",
        )
        return None
    try:
        block = Variable.model_validate(node.value)
    except ValidationError as error:
        report(
            error,
            node,
            Variable.model_fields,
            diagnostics,
            what=f"variable {name}",
            model=Variable,
            hidden=lambda at: is_sensitive(node) or at[:1] == ("default",),
        )
        return None
    if block.env is not None and block.sensitive is False:
        inner = node.child("sensitive")
        diagnostics.add(
            (inner or node).offset,
            f"variable {name} is read from the environment, and that makes it sensitive",
            f"remove sensitive; or set the value with {ENVIRONMENT_PREFIX}{name} or --var, without env",
        )
        return None
    return block


def _value(
    name: str,
    node: Node,
    block: Variable,
    inputs: Inputs,
    files: _GivenFiles,
    scope: Scope,
    diagnostics: DiagnosticCollector,
) -> Value:
    given = _given(name, node, block, inputs, files, scope, diagnostics)
    wanted = block.type or _type_of(block.default)
    hidden = Reference(("var", name)) in scope.sensitive
    value = _converted(given, wanted) if given.is_text else given.value
    if wanted is None and isinstance(value, bool) and given.offset is not None:
        node_of = Node(value, given.offset, given.offset, diagnostics.source_map)
        if (written := spelling(node_of)) != str(value).lower():
            hint = f'quote it if text is meant: "{written}"; write {written.lower()} for a boolean'
            diagnostics.add(given.offset, f"variable {name} may be text or a boolean here", hint)
            raise UnresolvedError
    if wanted is not None and not _fits(value, wanted):
        shown = "" if hidden or not isinstance(value, str) else f' "{value[:60]}"'
        offset = node.key_offset if given.offset is None else given.offset
        diagnostics.add(
            offset if given.place is None else None,
            f"variable {name} must be a {wanted.value}; what is given by {given.origin} is {kind(value)}{shown}",
            f'quote it: "{value}"'
            if wanted is VariableType.STRING and not hidden and type(value) not in (bool, list, dict, type(None))
            else _WRITTEN[wanted],
            position=given.place,
        )
        raise UnresolvedError
    return value


def _given(
    name: str,
    node: Node,
    block: Variable,
    inputs: Inputs,
    files: _GivenFiles,
    scope: Scope,
    diagnostics: DiagnosticCollector,
) -> _Given:
    """The value with the highest precedence. Raises UnresolvedError, with the problem reported, if there is none."""
    environ = inputs.environ
    place = inputs.places.get(name)
    if name in inputs.variables:
        return _Given(inputs.variables[name], "--var" if place is None else "the fleet file", None, True, place)
    if name in files.values:
        found = files.values[name]
        return found if found.origin != FLEET_VARIABLES else found._replace(origin="the fleet file", place=place)
    if ENVIRONMENT_PREFIX + name in environ:
        return _Given(environ[ENVIRONMENT_PREFIX + name], ENVIRONMENT_PREFIX + name, None, True)
    if block.env is not None and block.env in environ:
        return _Given(environ[block.env], f"the environment variable {block.env}", None, True)
    default = node.child("default")
    if default is not None:
        made = compile_value(default, VARIABLES, scope, diagnostics)
        value = evaluate_compiled(made, Context({"env": scope.env}), diagnostics)
        return _Given(value, "its default", default.offset, bool(references(made)) and isinstance(value, str))
    if not files.complete:
        raise UnresolvedError  # the unreadable file may define it, and its error is reported already
    ways = [f"--var {name}=...", "a --var-file", f"the environment variable {ENVIRONMENT_PREFIX}{name}"]
    if block.env is not None:
        ways.append(f"the environment variable {block.env}")
    diagnostics.add(
        node.key_offset, f"variable {name} has no value", f"set it with {', '.join(ways[:-1])} or {ways[-1]}"
    )
    raise UnresolvedError


def _converted(given: _Given, wanted: VariableType | None) -> Value:
    """Convert a text from outside to a type; unchanged if it does not fit."""
    text = given.value
    assert isinstance(text, str)  # noqa: S101 - narrows a type
    if wanted in (VariableType.NUMBER, VariableType.BOOL):
        value: Value = resolve(text.strip())
        return value if _fits(value, wanted) else text
    if wanted in (VariableType.LIST, VariableType.MAP):
        source_map = SourceMap()
        aside = DiagnosticCollector(source_map)
        node = read_document(Source("", text.encode("utf-8", "surrogateescape")), source_map, aside)
        return node.value if node is not None and not len(aside) else text
    return text


def _fits(value: Value, wanted: VariableType) -> bool:
    if wanted is VariableType.NUMBER:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, _PYTHON[wanted])


_WRITTEN = {
    VariableType.STRING: "quote it",
    VariableType.NUMBER: "write it in digits, like 5 or 0.5",
    VariableType.BOOL: "write true or false",
    VariableType.LIST: "write it like [a, b]",
    VariableType.MAP: "write it like {a: 1, b: 2}",
}
"""Example values of each type."""

_PYTHON = {VariableType.STRING: str, VariableType.BOOL: bool, VariableType.LIST: list, VariableType.MAP: dict}


def _type_of(default: Value) -> VariableType | None:
    """The type that a default implies; None for null and for texts with expressions."""
    if isinstance(default, bool):
        return VariableType.BOOL
    if isinstance(default, int | float):
        return VariableType.NUMBER
    if isinstance(default, str):
        return None if templated(default) else VariableType.STRING
    if isinstance(default, list):
        return VariableType.LIST
    return VariableType.MAP if isinstance(default, dict) else None


def _read_files(inputs: Inputs, sections: Sections, names: list[str], diagnostics: DiagnosticCollector) -> _GivenFiles:
    """Read the variable files; later files override earlier ones."""
    found: dict[str, _Given] = {}
    complete = True
    for source in inputs.files:
        errors = len(diagnostics)
        document = read_document(source, sections.source_map, diagnostics)
        if document is None or document.value is None:
            complete = complete and len(diagnostics) == errors
            continue
        if not isinstance(document.value, Map):
            diagnostics.add(
                document.offset, f"a file of variables is a mapping of names to values, not {kind(document.value)}"
            )
            complete = False
            continue
        for name, node in document.entries():
            found[name] = _Given(node.value, source.name, node.offset, False)
            if name not in names and source.name == FLEET_VARIABLES and name in inputs.places:
                _add_undeclared(name, names, inputs.places[name], diagnostics)
            elif name not in names:
                hint = did_you_mean(name, names) or "no file of this stack declares it"
                diagnostics.add(node.key_offset, f'there is no variable "{name}"', hint, severity=Severity.WARNING)
    return _GivenFiles(found, complete)


def _add_undeclared(name: str, names: list[str], place: Position, diagnostics: DiagnosticCollector) -> None:
    """Report a variable that a fleet file sets but the stack does not declare."""
    hint = did_you_mean(name, names) or "declare it under variables of the stack, or leave it out of the environment"
    diagnostics.add(None, f'there is no variable "{name}"', hint, position=place)


def _check_condition(name: str, node: Node, message: str, scope: Scope, diagnostics: DiagnosticCollector) -> None:
    condition = node.child("validation")
    condition = condition.child("condition") if condition is not None else None
    assert condition is not None  # noqa: S101 - narrows a type
    try:
        made = compile_value(condition, CONDITION, scope, diagnostics)
        result = evaluate_compiled(made, Context(scope.values), diagnostics)
    except UnresolvedError:
        return
    if result is False:
        diagnostics.add(node.key_offset, f"variable {name} is not valid: {message}")
    elif result is not True:
        diagnostics.add(condition.offset, f"a condition must be true or false; this one is {kind(result)}")
