"""Lines: styled text, produced by the text views and rendered by the terminal."""

from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from typing import NamedTuple


class Style(StrEnum):
    """The meaning of a span; the values are Rich's names of the 16 standard terminal colours."""

    PLAIN = ""
    BOLD = "bold"
    DIM = "dim"
    ADD = "green"
    CHANGE = "yellow"
    CLEAR = "red"
    REPLACE = "magenta"
    RECORD = "cyan"
    OK = "bold green"
    WARNING = "bold yellow"
    ERROR = "bold red"
    PLACE = "blue"


class Span(NamedTuple):
    """A piece of a line; its text holds no control characters (see ``printable``)."""

    text: str
    style: Style = Style.PLAIN


class Line(NamedTuple):
    """One line; if it is too long for the terminal, continuation lines are indented by ``hang`` columns."""

    spans: tuple[Span, ...] = ()
    hang: int = 0

    @property
    def text(self) -> str:
        return "".join([text for text, _ in self.spans])


def line(*parts: Span | tuple[str, Style] | str, hang: int = 0) -> Line:
    """A line of plain and styled pieces, empty ones left out."""
    spans = [Span(part) if isinstance(part, str) else Span(*part) for part in parts if part]
    return Line(tuple([span for span in spans if span.text]), hang)


BLANK = Line()


def plain(lines: Iterable[Line]) -> str:
    """The lines as text without styles, each ended by a newline."""
    return "".join(f"{line.text}\n" for line in lines)


def width(text: str) -> int:
    """Cells of a printable text; most CJK characters and emoji take two."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def pad(text: str, cells: int) -> str:
    """The text padded with blanks to a width."""
    return text + " " * (cells - width(text))


def table_lines(titles: Sequence[str], rows: Sequence[Sequence[Span]]) -> Iterator[Line]:
    """Align columns by their widest cell, leaving out empty columns; the last one wraps."""
    kept = [column for column in range(len(titles)) if any(row[column].text for row in rows)]
    widths = {column: max(width(titles[column]), *(width(row[column].text) for row in rows)) + 2 for column in kept}
    hang = sum(widths[column] for column in kept[:-1])
    for row in ([Span(title, Style.DIM) for title in titles], *rows):
        filled = [column for column in kept if row[column].text]
        before = (row[c]._replace(text=pad(row[c].text, widths[c])) for c in kept if c < filled[-1])
        yield line(*before, row[filled[-1]], hang=hang)
