"""Templates: texts with expressions, split at them."""

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from reconciler.config.expressions.budget import MAX_TEXT
from reconciler.config.expressions.expression import Expression, compile_expression
from reconciler.config.expressions.scope import Context, ExpressionError, PieceError, Reference
from reconciler.config.yaml.source_map import Value

_CACHED = 65_536


class Piece(NamedTuple):
    """An expression as written in a text, braces included."""

    written: str
    expression: Expression

    def evaluate(self, context: Context) -> Value:
        """The value of the expression. Raises PieceError."""
        try:
            return self.expression.evaluate(context)
        except ExpressionError as error:
            raise PieceError(self.written, error) from None

    def text(self, context: Context) -> str:
        """The value as part of a longer text. Raises PieceError."""
        try:
            return self.expression.text(context)
        except ExpressionError as error:
            raise PieceError(self.written, error) from None


class Template(NamedTuple):
    """A text split at its expressions. A text that is a single expression keeps the type of its value."""

    pieces: tuple[str | Piece, ...]

    @property
    def expressions(self) -> Iterator[Piece]:
        return (piece for piece in self.pieces if isinstance(piece, Piece))

    @property
    def references(self) -> frozenset[Reference]:
        """The names that all its expressions use."""
        return frozenset().union(*(piece.expression.references for piece in self.expressions))

    def evaluate(self, context: Context) -> Value:
        """The value of the text. Raises PieceError."""
        pieces = self.pieces
        if len(pieces) == 1 and isinstance(pieces[0], Piece):
            return pieces[0].evaluate(context)
        texts = [piece if isinstance(piece, str) else piece.text(context) for piece in pieces]
        if sum(map(len, texts)) > MAX_TEXT:
            raise PieceError("", ExpressionError(f"this would create a text of more than {MAX_TEXT:,} characters"))
        return "".join(texts)


@lru_cache(_CACHED)
def parse_template(text: str) -> Template:
    """Split a text that contains a ``$``; ``$${`` is a literal ``${``. Raises PieceError."""
    pieces: list[str | Piece] = []
    literal = ""
    rest = 0
    while (found := text.find("${", rest)) >= 0:
        if found > rest and text[found - 1] == "$":
            literal += text[rest : found - 1] + "${"
            rest = found + 2
            continue
        literal += text[rest:found]
        if literal:
            pieces.append(literal)
            literal = ""
        end = _end(text, found + 2)
        written = text[found : end + 1]
        try:
            source = text[found + 2 : end]
            if not source.strip():
                raise ExpressionError("this expression is empty", "write a literal ${ as $${")
            pieces.append(Piece(written, compile_expression(source)))
        except ExpressionError as error:
            raise PieceError(written, error) from None
        rest = end + 1
    literal += text[rest:]
    if literal or not pieces:
        pieces.append(literal)
    return Template(tuple(pieces))


def _end(text: str, start: int) -> int:
    """The index of the brace that closes an expression: braces nest, and those in quotes do not count."""
    depth = 0
    quote = ""
    index = start
    while index < len(text):
        character = text[index]
        if quote:
            if character == "\\":
                index += 1
            elif character == quote:
                quote = ""
        elif character in "'\"":
            quote = character
        elif character == "{":
            depth += 1
        elif character == "}":
            if not depth:
                return index
            depth -= 1
        index += 1
    error = ExpressionError('this expression is not closed: "}" is missing', "close it, or write a literal ${ as $${")
    raise PieceError(text[start - 2 :], error)
