"""Contexts: what an expression can name, and is evaluated in. See ``reconciler.config.expressions.expression``.

Jinja2 is loaded with that module, which nobody asks for where no expression is written: a tenth of a small plan.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2.runtime import Context as JinjaContext

DATA = "data"
ROOTS = ("var", "local", "each", DATA, "stack", "env")
"""The names an expression may begin with; where each is allowed is for the caller to say."""


class Reference(tuple[str, str]):
    """A name an expression uses: the root, and what is looked up in it first; of data ``TYPE.NAME``."""

    __slots__ = ()

    def __str__(self) -> str:
        return ".".join(self)


class ExpressionError(Exception):
    """An expression that cannot be compiled or evaluated, in words for its author."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Context:
    """The values of the roots, which may be set anew between two evaluations.

    ``jinja_context`` is what the first evaluation makes of them and those after it use again.
    """

    __slots__ = ("jinja_context", "values")

    def __init__(self, values: Mapping[str, object]) -> None:
        self.values = dict(values)
        self.jinja_context: JinjaContext | None = None
