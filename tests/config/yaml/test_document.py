"""YAML 1.2 to plain values with places, and what is not YAML to diagnostics."""

from __future__ import annotations

import io
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from reconciler.config.diagnostics import DiagnosticCollector
from reconciler.config.yaml.document import MAX_BYTES, read_document
from reconciler.config.yaml.source_map import Node, Source, SourceMap, Value


def read(text: str | bytes) -> tuple[Node | None, list[str]]:
    """The document of a text, and its problems as ``line:column summary``."""
    texts = SourceMap()
    problems = DiagnosticCollector(texts)
    node = read_document(Source("a.yaml", text.encode() if isinstance(text, str) else text), texts, problems)
    listed = problems.sorted(lambda _: True)
    return node, [f"{p.position.line}:{p.position.column} {p.summary}" for p in listed if p.position]


def value(text: str) -> Value:
    node, problems = read(text)
    assert problems == []
    return node.value if node else None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("yes", "yes"),
        ("on", "on"),
        ("y", "y"),
        ("1:30", "1:30"),
        ("2026-05-01", "2026-05-01"),
        ("1_000", "1_000"),
        ("0777", 777),
        ("0o17", 15),
        ("0x1F", 31),
        ("0b11", "0b11"),
        ("+12", 12),
        ("-0", 0),
        ("1.", 1.0),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("-.INF", -math.inf),
        (".inf", math.inf),
        ("true", True),
        ("True", True),
        ("TRUE", True),
        ("tRUE", "tRUE"),
        ("~", None),
        ("null", None),
        ("Null", None),
        ("nULL", "nULL"),
        (".", "."),
        ("+", "+"),
        ("1.2.3", "1.2.3"),
        ("0o8", "0o8"),
        ("30m", "30m"),
        ("15d", "15d"),
        ('"1"', "1"),
        ("'true'", "true"),
        ("!!str 1", "1"),
        ("! 1", "1"),
        ("!!int '3'", 3),
        ("!!float 3", 3.0),
        ("!!null ''", None),
        ('"a\u2028b"', "a\u2028b"),
        ("a\x85b", "a\x85b"),
        ("|\n  a\n  b", "a\nb\n"),
        (">-\n  a\n  b", "a b"),
    ],
)
def test_scalars_mean_what_the_core_schema_says(text: str, expected: Value) -> None:
    found = value(f"k: {text}\n")
    assert isinstance(found, dict)
    assert found == {"k": expected}
    assert isinstance(found["k"], type(expected))


def test_not_a_number_is_read() -> None:
    found = value("[.nan]")
    assert isinstance(found, list)
    assert isinstance(found[0], float)
    assert math.isnan(found[0])


def test_anchors_and_aliases_share_a_value() -> None:
    assert value("a: &x {b: 1}\nc: *x\n&k d: 2\ne: [*x, *x]") == {
        "a": {"b": 1},
        "c": {"b": 1},
        "d": 2,
        "e": [{"b": 1}, {"b": 1}],
    }


def test_every_key_and_value_has_its_place() -> None:
    text = 'a: 1\nlist:\n  - x\n  - {b: "q", ü: z}\r\nlong: |\n  text\n"quoted key": &anchor v\n'
    node, _ = read(text)
    assert node is not None
    assert where(node, "a") == ((1, 1), (1, 4))
    assert where(node, "list") == ((2, 1), (3, 3))
    inner = node.child("list")
    assert inner is not None
    assert [(item.position.line, item.position.column) for item in inner.items()] == [(3, 5), (4, 5)]
    flow = inner.child(1)
    assert flow is not None
    assert where(flow, "b") == ((4, 6), (4, 9))
    assert where(flow, "ü") == ((4, 14), (4, 17))
    assert where(node, "long") == ((5, 1), (5, 7))
    assert where(node, "quoted key") == ((7, 1), (7, 15))


def where(node: Node, key: str) -> tuple[tuple[int, int], tuple[int, int]]:
    child = node.child(key)
    assert child is not None
    at, of = child.position, child.key_position
    return (of.line, of.column), (at.line, at.column)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\nb: 2\na: 3\n", ['3:1 the key "a" stands here twice']),
        ("1: x\n", ["1:1 a key must be text; this one is a number"]),
        ("a:\n  true: x\n", ["2:3 a key must be text; this one is a boolean"]),
        ("? [a]\n: x\n", ["1:3 a key must be text, not a mapping or a list"]),
        ("{~: x}\n", ["1:2 a key must be text; this one is null"]),
        ("a: !!python/object:os.system x\n", ["1:4 this tag is not allowed here"]),
        ("a: !mine {b: 1}\n", ["1:4 this tag is not allowed here"]),
        ("a: !!int x\n", ["1:4 this is not a !!int"]),
        ("a: &x 1\n<<: {b: 1}\n", ["2:1 merge keys (<<) are not part of YAML 1.2"]),
        ("a: *nowhere\n", ["1:4 this alias names no anchor"]),
        ("a: &a [*a]\n", ["1:8 this alias names no anchor"]),
        ("a: 1\n---\nb: 2\n", ["2:1 a second document starts here; a file can contain only one"]),
        ("a:\n\tb: 1\n", ["2:1 this is not valid YAML: a tab cannot indent YAML"]),
        ("a: b: c\n", ["1:5 this is not valid YAML: a colon cannot stand here"]),
        ("a: \0\n", ["1:4 the character U+0000 cannot stand in YAML"]),
        ("a: \x07\n", ["1:4 the character U+0007 cannot stand in YAML"]),
        (b"a: x\nb: \xff\n", ["2:4 byte 0xff is not UTF-8"]),
        ("[" * 65, ["1:65 this is nested more than 64 levels deep"]),
    ],
)
def test_what_can_not_be_read_is_told_at_its_place(text: str | bytes, expected: list[str]) -> None:
    assert read(text)[1] == expected


def test_a_duplicate_key_names_both_places_and_reading_goes_on() -> None:
    texts = SourceMap()
    problems = DiagnosticCollector(texts)
    read_document(Source("a.yaml", b"a: 1\nb:\n  c: 1\n  c: 2\na: 3\n"), texts, problems)
    first, second = problems.sorted(lambda _: True)
    assert first.hint == "it is first given at a.yaml:3:3; remove one of them"
    assert second.hint == "it is first given at a.yaml:1:1; remove one of them"


@pytest.mark.parametrize("text", ["", "# only a comment\n", "\ufeff", "\n\n"])
def test_a_file_without_a_document_is_nothing(text: str) -> None:
    assert read(text) == (None, [])


def test_a_byte_order_mark_and_any_line_end_move_no_place() -> None:
    for text in ("\ufeffa: 1\nb: 1\nb: 2\n", "a: 1\r\nb: 1\r\nb: 2\r\n", "a: 1\rb: 1\rb: 2\r"):
        assert read(text)[1] == ['3:1 the key "b" stands here twice']


def test_a_file_that_is_too_long_is_not_parsed() -> None:
    assert read(b" " * (MAX_BYTES + 1))[1] == ["1:1 the file is 67,108,865 bytes long; at most 67,108,864 are read"]


def test_an_alias_bomb_is_refused_at_once() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 30)]
    node, problems = read("\n".join(lines))
    assert node is None
    assert problems[0].endswith("the aliases of this file stand for more than 1,000,000 values")


def test_aliases_do_not_nest_deeper_than_text_may() -> None:
    lines = ["a0: &a0 [x]", *(f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 80))]
    assert read("\n".join(lines))[1][0].endswith("this is nested more than 64 levels deep")


# The writer follows YAML 1.1 in what ends a line.
TEXT = st.characters(exclude_categories=["Cs"], exclude_characters="\x85\u2028\u2029")
PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False)
    | st.text(TEXT, max_size=20)
    | st.sampled_from(
        ["yes", "0777", "1e3", "~", "null", "0x1F", "<<", "=", "1:30", "- a", "${x}", "a: b", "#", ".inf"]
    ),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(TEXT, max_size=8), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(PLAIN)
def test_what_another_library_writes_is_read_back_equal(plain: Value) -> None:
    writer = YAML(typ="safe", pure=True)
    writer.version = (1, 2)
    writer.default_flow_style = False
    writer.allow_unicode = True
    stream = io.BytesIO()
    writer.dump(plain, stream)
    node, problems = read(stream.getvalue())
    assert problems == []
    found = node.value if node else None
    assert found == plain
    assert isinstance(found, type(plain) or isinstance(plain, dict | list))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_no_bytes_at_all_make_reading_fail_otherwise_than_by_a_problem(data: bytes) -> None:
    node, problems = read(data)
    assert node is None or isinstance(node, Node)
    assert all(problems)


@settings(max_examples=200, deadline=None)
@given(st.text("ab:-?[]{},&*!|>'\"%@` \n\t#<0.~\\", max_size=40))
def test_no_text_of_yaml_signs_makes_reading_fail_otherwise(text: str) -> None:
    read(text)
