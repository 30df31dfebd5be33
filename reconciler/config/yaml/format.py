"""Formatting: the canonical layout of a YAML text. Only white space changes, so nothing can get lost.

Two columns per level, sequences indented under their key, one space after ``:``, ``-`` and ``,``, at most one blank
line in a row. Line breaks are kept; comments stay in place and follow the indentation of what they belong to.
"""

import re
from typing import NamedTuple

from reconciler.config.diagnostics import DiagnosticCollector
from reconciler.config.yaml.document import read_document
from reconciler.config.yaml.legible import scannable
from reconciler.config.yaml.parser import Token, tokens
from reconciler.config.yaml.source_map import Source, SourceMap, Value
from reconciler.core.diagnostic import Diagnostic, DiagnosticError, Position
from reconciler.core.digest import canonical

STEP = 2

_BREAK = re.compile(r"\r\n|\n|\r")
_HEADER = re.compile(r"[|>][+-]?(?P<indent>[1-9])?[+-]?")
_OPENING = ("FlowMappingStart", "FlowSequenceStart")
_CLOSING = ("FlowMappingEnd", "FlowSequenceEnd")
_BLOCKS = ("BlockMappingStart", "BlockSequenceStart")
_DOCUMENT = ("Directive", "DocumentStart", "DocumentEnd")


def format_text(source: Source) -> str:
    """Format a text. Raises DiagnosticError if it is not valid YAML for us, or if formatting would change its
    meaning.
    """
    meaning = _meaning(source)
    text = _BREAK.sub("\n", source.text.decode("utf-8").removeprefix("\ufeff"))
    formatted = _Layout(text).formatted()
    if (
        "".join(formatted.split()) != "".join(text.split())
        or _meaning(Source(source.name, formatted.encode())) != meaning
    ):
        summary = "this file cannot be formatted safely, and is not changed"
        hint = "format it by hand, and please report the part that causes it"
        raise DiagnosticError(Diagnostic(summary, Position(source.name, 1, 1), hint))
    return formatted


def _meaning(source: Source) -> str:
    """The meaning of a text, including order; values of different types are never equal."""
    diagnostics = DiagnosticCollector(source_map := SourceMap())
    node = read_document(source, source_map, diagnostics)
    diagnostics.raise_if_errors(lambda _: False)  # any line may hold a secret
    return "" if node is None else canonical(_listed(node.value))


def _listed(value: Value) -> Value:
    if isinstance(value, dict):
        return {"map": [[key, _listed(item)] for key, item in value.items()]}
    if isinstance(value, list):
        return [_listed(item) for item in value]
    return [type(value).__name__, repr(value)]


class _Block(NamedTuple):
    """An open block: its original and its new column; ``bare``: a sequence at the column of its key."""

    old: int
    new: int
    sequence: bool
    bare: bool = False

    @property
    def flow_base(self) -> int:
        """The column from which a flow collection that starts in this block counts its levels."""
        return self.new + STEP if self.sequence else self.new


class _Layout:
    """Rewrites the tokens of a text with new white space between them."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._out: list[str] = []
        self._blocks: list[_Block] = []
        self._flow = 0
        self._column = 0
        self._blank = False  # whether a blank line follows what was written last

    def formatted(self) -> str:
        last: Token | None = None
        waiting: list[Token] = []  # zero-width tokens: the start and end of blocks
        for token in tokens(scannable(self._text).encode("utf-8", "surrogatepass")):
            if token.start == token.end and token.style is None:
                waiting.append(token)
            else:
                self._place(last, waiting, token)
                last, waiting = token, []
        self._close(last)
        return "".join(self._out)

    def _place(self, last: Token | None, waiting: list[Token], token: Token) -> None:
        """Write what is between two tokens, then the second one."""
        gap = self._text[last.end if last else 0 : token.start]
        fresh = last is None or "\n" in gap or self._text[last.end - 1] == "\n" or token.kind in _DOCUMENT
        open_before = list(self._blocks)
        start = self._enter(waiting, token)
        if not fresh:
            assert last is not None  # noqa: S101 - narrows a type
            self._write(_space(last, token, gap))
        if start is not None:
            above = self._blocks[-1].new + STEP if self._blocks else 0
            new = above if fresh else self._column
            self._blocks.append(_Block(start.column, new, start.kind == "BlockSequenceStart"))
        if token.kind == "BlockEntry" and not self._flow and not self._blocks[-1].sequence:
            over = self._blocks[-1]
            self._blocks.append(_Block(over.old, over.new + STEP, True, bare=True))
        if token.kind in _CLOSING:
            self._flow -= 1
        if fresh:
            column = self._start_of(token)
            self._between(gap, last, [*reversed(self._blocks), *reversed(open_before)], column)
            self._write(" " * column)
        self._write(self._shown(token))
        if token.kind in _OPENING:
            self._flow += 1

    def _enter(self, waiting: list[Token], token: Token) -> Token | None:
        """Close the blocks that have ended; returns the block that starts, if one does."""
        start = None
        for sign in (*waiting, token):
            if self._flow:
                break
            if start is None and self._ends_bare(sign):
                self._blocks.pop()
            if sign.kind == "BlockEnd":
                self._blocks.pop()
            elif sign.kind in _BLOCKS:
                start = sign
        return start

    def _ends_bare(self, sign: Token) -> bool:
        """Whether a sequence at the column of its key ends here: it has no end token."""
        if not self._blocks or not self._blocks[-1].bare:
            return False
        begins_line = not self._text[self._text.rfind("\n", 0, sign.start) + 1 : sign.start].strip()
        return sign.kind in ("BlockEnd", "Key") or (sign.kind == "Value" and begins_line)

    def _start_of(self, token: Token) -> int:
        """The column of a token that is first on its line."""
        if token.kind in _DOCUMENT or not self._blocks:
            return STEP * self._flow
        block = self._blocks[-1]
        if self._flow:
            return block.flow_base + STEP * self._flow
        if token.kind in _CLOSING:
            return block.flow_base
        heads = token.kind in ("BlockEntry", "Key", "Value") or block.old == token.column
        return block.new if heads else block.new + STEP

    def _between(self, gap: str, last: Token | None, blocks: list[_Block], column: int) -> None:
        """Write the rest of a line, and the blank lines and comments before the next token's line."""
        first, *rest = gap.split("\n")
        if last is None or self._text[last.end - 1] == "\n":
            rest = [first, *rest]
        else:
            self._write(_end_of_line(first))
            self._write("\n")
        blank, self._blank = self._blank, False
        for line in rest[:-1]:
            comment = line.strip()
            if not comment:
                blank = bool(self._out)
                continue
            self._write("\n" * blank + " " * self._beside(line, blocks, column) + comment + "\n")
            blank = False
        self._write("\n" * blank)

    def _beside(self, line: str, blocks: list[_Block], column: int) -> int:
        """The column of a comment: that of the block at its column, else that of what follows."""
        if self._flow:
            return column
        old = len(line) - len(line.lstrip())
        return next((block.new for block in blocks if block.old == old), column)

    def _close(self, last: Token | None) -> None:
        """Write what follows the last token, and end the last line."""
        gap = self._text[last.end :] if last else self._text
        if last and last.style in ("|", ">") and not gap:
            return  # the value of an unterminated last line ends with the text
        if last and self._text[last.end - 1] != "\n":
            gap = gap or "\n"
        if gap and not gap.endswith("\n"):
            gap += "\n"
        if gap:
            self._between(gap, last, list(reversed(self._blocks)), 0)
        while self._out and not self._out[-1].strip("\n "):
            self._out.pop()
        if self._out and not self._out[-1].endswith("\n"):
            self._out.append("\n")

    def _shown(self, token: Token) -> str:
        text = self._text[token.start : token.end]
        if token.style in ("|", ">"):
            return self._block_scalar(text)
        if "\n" not in text:
            return text
        block = self._blocks[-1] if self._blocks else _Block(0, 0, False)
        indent = " " * (block.flow_base + STEP * self._flow if self._flow else block.new + STEP)
        first, *rest = text.split("\n")
        escapes = token.style == '"'  # a backslash may escape the space after it
        lines = [first if escapes else first.rstrip()]
        for line in rest:
            inner = line.lstrip(" \t") if escapes else line.strip(" \t")
            lines.append(indent + inner if inner else "")
        return "\n".join(lines)

    def _block_scalar(self, text: str) -> str:
        """A literal or folded text; the relative indentation of its lines is kept."""
        header, *lines = text.split("\n")
        found = _HEADER.match(header)
        assert found is not None  # noqa: S101 - narrows a type
        block = self._blocks[-1] if self._blocks else _Block(-1, -STEP, False)
        if found["indent"]:
            old = max(block.old, 0) + int(found["indent"])
            new = max(block.new, 0) + int(found["indent"])
        else:
            old = next((len(line) - len(line.lstrip(" ")) for line in lines if line.strip(" ")), 0)
            new = block.new + STEP
        shifted = [" " * new + line[old:] if line[old:] else "" for line in lines]
        if "+" not in found[0]:
            while shifted and not shifted[-1]:
                shifted.pop()
            self._blank = len(lines) > len(shifted) + 1
            if not self._text.endswith(text) or text.endswith("\n"):
                shifted.append("")
        return "\n".join([header.rstrip(), *shifted])

    def _write(self, text: str) -> None:
        if text:
            self._out.append(text)
            _, newline, after = text.rpartition("\n")
            self._column = len(after) if newline else self._column + len(text)


def _space(last: Token, token: Token, gap: str) -> str:
    """The white space between two tokens of one line."""
    if last.kind in _OPENING or token.kind in (*_CLOSING, "FlowEntry"):
        return ""
    if token.kind == "Value":
        return " " if last.kind in ("Alias", "Value") else ""
    return " " if gap or last.kind in ("Value", "FlowEntry") else ""


def _end_of_line(text: str) -> str:
    """A trailing comment keeps its distance."""
    comment = text.strip()
    if not comment:
        return ""
    return " " * max(1, len(text) - len(text.lstrip())) + comment
