"""YAML as people write it: random values, laid out at random, with comments in every place one can stand."""

from __future__ import annotations

from hypothesis import strategies as st

WORDS = st.sampled_from(
    ["a", "disk_full", "团队", "x-1", "${var.release}", "30m", "p99 above 2 s", "1.50", "0x1F", "on"]
)
PLAIN = st.sampled_from(
    ["a", "disk_full", "团队", "30m", "p99 above 2 s", "1.50", "0x1F", "true", "null", "~", "-1", "v1"]
)
KEYS = st.lists(st.sampled_from(["a", "b", "c d", "团队", '"q"', "'s'", "x-1", "event_name"]), min_size=1, max_size=3)
COMMENTS = st.sampled_from(["# note", "#", "#no space", "# key: value", "# - item", "# 说明 {", "#   deep  "])


@st.composite
def yaml_texts(draw: st.DrawFn) -> str:
    """The text of one document: a mapping at the top."""
    head = "".join(draw(st.lists(_filler(0), max_size=2)))
    body = _mapping(draw, 0, 3)
    tail = "".join(draw(st.lists(_filler(0), max_size=2)))
    text = head + body + tail
    return text.rstrip("\n") if draw(st.booleans()) else text


@st.composite
def _filler(draw: st.DrawFn, indent: int) -> str:
    """A blank line, or a comment at some column."""
    if draw(st.booleans()):
        return draw(st.sampled_from(["\n", "  \n"]))
    return " " * draw(st.integers(0, indent + 3)) + draw(COMMENTS) + "\n"


def _end(draw: st.DrawFn) -> str:
    """The end of a line: blanks, a comment, or nothing."""
    return draw(st.sampled_from(["", "", "", "  ", " # eol", "    # eol: x"])) + "\n"


def _between(draw: st.DrawFn, indent: int) -> str:
    return "".join(draw(st.lists(_filler(indent), max_size=1)))


def _mapping(draw: st.DrawFn, indent: int, depth: int) -> str:
    keys = list(dict.fromkeys(key.strip("\"'") for key in draw(KEYS)))
    lines = []
    for key in keys:
        before = _between(draw, indent) + " " * indent
        colon = draw(st.sampled_from([":", ":", " :"]))
        lines.append(before + key + colon + _value(draw, indent, depth, in_sequence=False))
    return "".join(lines)


def _sequence(draw: st.DrawFn, indent: int, depth: int) -> str:
    lines = []
    for _ in range(draw(st.integers(1, 3))):
        lines.append(_between(draw, indent) + " " * indent + "-" + _value(draw, indent, depth, in_sequence=True))
    return "".join(lines)


def _value(draw: st.DrawFn, indent: int, depth: int, *, in_sequence: bool) -> str:
    """What follows a key or a dash, to the end of its last line."""
    kinds = ["plain", "quoted", "flow", "literal", "folded text", "empty"]
    if depth:
        kinds += ["mapping", "sequence", "mapping", "sequence"]
    kind = draw(st.sampled_from(kinds))
    step = draw(st.integers(1, 4))
    space = " " * draw(st.integers(1, 3))
    if kind == "plain":
        return space + draw(PLAIN) + _end(draw)
    if kind == "quoted":
        quote = draw(st.sampled_from("\"'"))
        inner = draw(WORDS)
        if draw(st.booleans()):
            inner += "\n" + " " * (indent + step) + draw(WORDS)
        return f"{space}{quote}{inner}{quote}{_end(draw)}"
    if kind == "folded text":
        return f"{space}some plain\n{' ' * (indent + step)}text\n"
    if kind == "literal":
        return _literal(draw, indent, step, space)
    if kind == "flow":
        return space + _flow(draw, indent + step, 2) + _end(draw)
    if kind == "mapping":
        if in_sequence and draw(st.booleans()):
            inner = _mapping(draw, indent + 1 + len(space), depth - 1).lstrip("\n ")
            if not inner.startswith("#"):
                return space + inner
        return _end(draw) + _mapping(draw, indent + step, depth - 1)
    if kind == "sequence":
        at = indent + step if in_sequence else indent + draw(st.sampled_from([0, step]))
        return _end(draw) + _sequence(draw, at, depth - 1)
    return _end(draw)


def _literal(draw: st.DrawFn, indent: int, step: int, space: str) -> str:
    sign = draw(st.sampled_from("|>")) + draw(st.sampled_from(["", "-", "+"]))
    lines = draw(st.lists(st.sampled_from(["text", "  more", "# no comment", "", "- x"]), min_size=1, max_size=4))
    lines = [draw(st.sampled_from(["first", "f: x"])), *lines]
    body = "".join(" " * (indent + step) + line + "\n" if line else "\n" for line in lines)
    return f"{space}{sign}{draw(st.sampled_from(['', ' # header']))}\n{body}"


def _flow(draw: st.DrawFn, indent: int, depth: int) -> str:
    kind = draw(st.sampled_from(["word", "map", "list"] if depth else ["word"]))
    if kind == "word":
        return draw(st.sampled_from(["1", "a b", '"q, x"', "'s'", "团队"]))
    count = draw(st.integers(0, 3))
    items = [_flow(draw, indent + 2, depth - 1) for _ in range(count)]
    if kind == "map":
        items = [f"k{number}:{' ' * draw(st.integers(1, 2))}{item}" for number, item in enumerate(items)]
    separator = draw(st.sampled_from([",", ", ", ",  ", f",\n{' ' * indent}", f",  # flow\n{' ' * indent}"]))
    opening, closing = ("{", "}") if kind == "map" else ("[", "]")
    broken = f"\n{' ' * indent}" if draw(st.booleans()) else ""
    return opening + broken + separator.join(items) + draw(st.sampled_from(["", " ", broken])) + closing
