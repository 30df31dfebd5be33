"""The scope: the names that expressions can use, their values, and which of them are secret.

``reconciler.config.expressions.expression`` evaluates; it loads Jinja2, which a configuration without expressions does
not need and which takes a tenth of the time of a small plan.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from reconciler.config.yaml.source_map import Node, Value
from reconciler.core.diagnostic import did_you_mean

if TYPE_CHECKING:
    from jinja2.runtime import Context as JinjaContext


DATA_ROOT = "data"
ROOTS = ("var", "local", "each", DATA_ROOT, "stack", "env")
"""The first parts of names; the caller says where each is allowed."""


class Reference(tuple[str, str]):
    """A name in an expression: its root, and the first lookup in it; for data, ``TYPE.NAME``."""

    __slots__ = ()

    def __str__(self) -> str:
        return ".".join(self)


class ExpressionError(Exception):
    """An expression cannot be compiled or evaluated; the message is for its author."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class PieceError(Exception):
    """An error in one expression of a text; ``written`` is the expression with its braces."""

    def __init__(self, written: str, cause: ExpressionError) -> None:
        super().__init__(cause.message)
        self.written = written
        self.cause = cause


class Context:
    """The values of the roots, which may change between evaluations.

    ``jinja_context`` is created by the first evaluation and reused by later ones.
    """

    __slots__ = ("jinja_context", "values")

    def __init__(self, values: Mapping[str, object]) -> None:
        self.values = dict(values)
        self.jinja_context: JinjaContext | None = None


class Scope:
    """Values under each root.

    ``sensitive`` names may be used under ``providers`` only. ``failed`` names are declared but have no value because of
    a problem that is reported already: whatever uses them is left out silently. ``defaults`` are the default fields of
    resource types, also in drills.
    """

    def __init__(self, env: Mapping[str, str]) -> None:
        self.env = env
        self.values: dict[str, dict[str, Value]] = {"var": {}, "local": {}, "stack": {}, "data": {}}
        self.sensitive: set[Reference] = set()
        self.defaults: dict[str, Node] = {}
        self.failed: set[Reference] = set()

    def with_data(self, data: dict[str, Value]) -> "Scope":
        """A scope with the same names and other results under ``data``."""
        other = Scope(self.env)
        other.values = {**self.values, "data": data}
        other.sensitive, other.failed, other.defaults = self.sensitive, self.failed, self.defaults
        return other

    def queries(self) -> Iterator[tuple[str, Collection[str]]]:
        """The types of data and the names of each; no query runs."""
        for type_name, named in self.values["data"].items():
            assert isinstance(named, dict)  # noqa: S101 - narrows a type
            yield type_name, named.keys()

    def secret(self, references: frozenset[Reference]) -> Reference | None:
        """The first of the names that is sensitive; env always is."""
        return next((name for name in sorted(references) if name in self.sensitive or name[0] == "env"), None)


class ExpressionSite(NamedTuple):
    """Where an expression is used: which roots it may use there, and whether secrets are allowed."""

    where: str
    roots: frozenset[str]
    secrets: bool = False

    def refusal(self, reference: Reference, scope: Scope) -> tuple[str, str | None] | None:
        """Why a name cannot be used here, with a hint; None if it can."""
        root, name = reference
        if root == "env" and root not in self.roots:
            return (
                "env cannot be used here: only providers and variables may read the environment, so that a change of "
                "the configuration cannot copy a secret into an alarm",
                "declare a variable with its value and use that: variables: {NAME: {}}, --var NAME=...",
            )
        if root not in self.roots:
            return _OUTSIDE.get(root, f"{root} cannot be used in {self.where}"), None
        if root == "each":
            known: Mapping[str, object] = {"key": None, "value": None}
        elif root == "env":
            if name in scope.env:
                return None
            return f"the environment variable {name} is not set", f"set it: export {name}=..."
        elif root == "data":
            known = {f"{type_name}.{each}": None for type_name, named in scope.queries() for each in named}
        else:
            known = scope.values[root]
        if name not in known:
            words = {"var": "variable", "local": "local", "data": "query"}.get(root)
            what = f'there is no {words} "{name}"' if words else f'{root} has no "{name}"'
            hint = did_you_mean(name, known)
            section = {"var": "variables", "local": "locals", "data": "data"}.get(root)
            return what, hint or (f"declare it under {section}" if section else f"it has {', '.join(known)}")
        if not self.secrets and reference in scope.sensitive:
            return (
                f"{reference} is sensitive: it can be used under providers only, so that no secret gets into an alarm",
                None,
            )
        return None


_OUTSIDE = {
    "each": "each can be used in a resource with for_each only",
    "data": "data can be used in resources, checks and drills only",
}

STACK_NAME = ExpressionSite("the name of the stack", frozenset(["var"]))
LEDGER = ExpressionSite("ledger", frozenset(["var", "local", "stack", "env"]), secrets=True)
VARIABLES = ExpressionSite("variables", frozenset(["env"]), secrets=True)
CONDITION = ExpressionSite("the validation of a variable", frozenset(["var"]), secrets=True)
LOCALS = ExpressionSite("locals", frozenset(["var", "local", "stack"]), secrets=True)
PROVIDERS = ExpressionSite("providers", frozenset(["var", "local", "stack", "env"]), secrets=True)
GUARDS = ExpressionSite("guards", frozenset(["var", "local", "stack"]))
IMPORTS = ExpressionSite("import", GUARDS.roots)
DATA = ExpressionSite("data", frozenset(["var", "local", "stack"]))
RESOURCES = ExpressionSite("resources", DATA.roots | {"data"})
INSTANCES = ExpressionSite("resources", RESOURCES.roots | {"each"})
DEFERRED = ExpressionSite("checks and drills", RESOURCES.roots)
DRILLS = ExpressionSite("drills", INSTANCES.roots)
"""Drills hold resources; misuse of ``each`` is reported when they are read."""
