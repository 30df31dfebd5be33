from __future__ import annotations

import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from reconciler.config.diagnostics import DiagnosticCollector
from reconciler.config.yaml.document import read_document
from reconciler.config.yaml.format import format_text
from reconciler.config.yaml.source_map import Source, SourceMap, Value


def _read(text: str) -> tuple[Value, list[str]]:
    diagnostics = DiagnosticCollector(source_map := SourceMap())
    node = read_document(Source("a.yaml", text.encode()), source_map, diagnostics)
    return (node.value if node else None), [found.summary for found in diagnostics.sorted(lambda _: True)]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{at: 22:22}", {"at": "22:22"}),
        ("[http://a.example/x, http://b:80/?q=1#x]", ["http://a.example/x", "http://b:80/?q=1#x"]),
        ("{q: what?}", {"q": "what?"}),
        ("[a?b, ?x, c ? d]", ["a?b", "?x", "c ? d"]),
        ("[::1, :x, a::b]", ["::1", ":x", "a::b"]),
        ("{a:1: 2}", {"a:1": 2}),
        ('{"a":1, "b": "x:y?", \'c\':[d:e]}', {"a": 1, "b": "x:y?", "c": ["d:e"]}),
        ("{a: it's 10:30, b: 'q: \"x'}", {"a": "it's 10:30", "b": 'q: "x'}),
        (
            "a: [x:y, # why: ask?\n  z:w]\nb: |\n  [1:2?]\nc: {d: e:f}\n",
            {"a": ["x:y", "z:w"], "b": "[1:2?]\n", "c": {"d": "e:f"}},
        ),
        ("{a: &x b:c, d: *x}", {"a": "b:c", "d": "b:c"}),
        ("{a: [{b: c:d}, e:f], g: h:i}", {"a": [{"b": "c:d"}, "e:f"], "g": "h:i"}),
        ("{? a : b, c: d?}", {"a": "b", "c": "d?"}),
        ("[a: b:c]", [{"a": "b:c"}]),
        ("x: [\u00e9:1,\n  \U0001f600:2]", {"x": ["\u00e9:1", "\U0001f600:2"]}),
    ],
)
def test_signs_in_plain_scalars_of_flow_collections_are_text(text: str, value: Value) -> None:
    assert _read(text) == (value, [])


def test_many_of_them_are_read_in_one_go() -> None:
    lines = "".join(f"k{number}: {{at: 1:{number}, u: http://x/{number}?}}\n" for number in range(2000))
    value, problems = _read(lines)
    assert isinstance(value, dict) and not problems
    assert value["k1999"] == {"at": "1:1999", "u": "http://x/1999?"}


def test_the_place_of_what_comes_after_is_right() -> None:
    diagnostics = DiagnosticCollector(source_map := SourceMap())
    read_document(Source("a.yaml", b"{at: 22:22, a: 1, a: 2}"), source_map, diagnostics)
    (found,) = diagnostics.sorted(lambda _: True)
    assert str(found.position) == "a.yaml:1:19"


@settings(max_examples=60)
@given(st.dictionaries(st.text(), st.recursive(st.text() | st.integers(), st.lists), max_size=4))
@example({"\U0001f600": ["\ue000\ue400", "\\ud83d\\ude00", "\U0001f600\uf8ff"]})
def test_what_json_writes_with_surrogate_pairs_is_read_back_equal(value: dict[str, Value]) -> None:
    assert _read(json.dumps(value)) == (value, [])


def test_half_of_a_pair_is_told() -> None:
    _, (problem,) = _read('{"a": "\\ud83d"}')
    assert problem == "this is not valid YAML: this escape is half of a surrogate pair"


@pytest.mark.parametrize(
    "text", ["{" * 500, "[" * 500, "? " * 500 + "a", "{" * 3000 + "a" + "}" * 3000, "a: " + "{[" * 300]
)
def test_nesting_is_bounded_in_keys_too(text: str) -> None:
    value, problems = _read(text)
    assert value is None and problems


def test_such_a_file_is_laid_out() -> None:
    text = 'a: {at: 22:22, q: what?}\nb: "\\ud83d\\ude00"\n'
    assert format_text(Source("a.yaml", text.encode())) == text
