"""Expressions: their values, their types, their limits, and what they say when they fail."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.config.expressions.scope import Context, PieceError
from reconciler.config.expressions.template import parse_template
from reconciler.config.yaml.source_map import Value
from reconciler.core.gc_tuning import gc_disabled

VALUES: dict[str, dict[str, Value]] = {
    "var": {"zip": "001", "n": 3, "on": True, "none": None, "hosts": ["a", "b"], "big": "x" * 1_000_000},
    "local": {"map": {"items": "own", "a-b": 1, "inner": {"k": "v"}}, "rows": [{"a": 1}, {"a": 2}]},
    "each": {"key": "k", "value": {"port": 80}},
    "stack": {"name": "demo"},
}


def value(text: str) -> Value:
    return parse_template(text).evaluate(Context(VALUES))


def refusal(text: str) -> str:
    with pytest.raises(PieceError) as caught:
        value(text)
    cause = caught.value.cause
    return f"{cause.message} ({cause.hint})" if cause.hint else cause.message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${var.zip}", "001"),
        ("${var.n}", 3),
        ("${var.n + 0.5}", 3.5),
        ("${var.on}", True),
        ("${var.none}", None),
        ("${var.hosts}", ["a", "b"]),
        ("${ local['map'].inner }", {"k": "v"}),
        ("${local.map.items}", "own"),
        ("${local.map['a-b']}", 1),
        ("${var.hosts[-1]}", "b"),
        ("${var.hosts[:1]}", ["a"]),
        ("${each.value.port}", 80),
        ("${'001'}", "001"),
        ("${[1, 'a', {'k': (1, 2)}]}", [1, "a", {"k": [1, 2]}]),
        ("n=${var.n}, on=${var.on}", "n=3, on=true"),
        ("${var.n}${var.n}", "33"),
        ("$${var.n}", "${var.n}"),
        ("$${a} ${var.n} $$ $x {}", "${a} 3 $$ $x {}"),
        ("${ {'a': '}'}['a'] }", "}"),
        ("${ \"}\" ~ '${' }", "}${"),
        ("{{ 1 }} {% x %} {# y #}", "{{ 1 }} {% x %} {# y #}"),
        ("${var.n ~ true}", "3true"),
        ("${'a' if var.on else 'b'}", "a"),
        ("${var.hosts | join(', ') | upper}", "A, B"),
        ("${var.hosts | map('upper')}", ["A", "B"]),
        ("${local.rows | map(attribute='a') | sum}", 3),
        ("${local.rows | selectattr('a', 'gt', 1) | list}", [{"a": 2}]),
        ("${local.map.none | default('d')}", "d"),
        ("${local.map.none is defined}", False),
        ("${range(3)}", [0, 1, 2]),
        ("${'%03d' | format(7)}", "007"),
        ("${local.map.inner | tojson}", '{"k": "v"}'),
        ("${'12' | int + 1}", 13),
        ("${'x' | int(0)}", 0),
        ("${2.567 | round(1)}", 2.6),
        ("${stack.name}", "demo"),
        ("${'b' in var.hosts and not var.none}", True),
    ],
)
def test_an_expression_has_a_value_and_keeps_its_type(text: str, expected: Value) -> None:
    found = value(text)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${", 'this expression is not closed: "}" is missing (close it, or write a literal ${ as $${)'),
        ("a ${var.n", 'this expression is not closed: "}" is missing (close it, or write a literal ${ as $${)'),
        ("${ }", "this expression is empty (write a literal ${ as $${)"),
        ("${var.n var.n}", '"var" is not expected here (an expression is one value)'),
        ("${var}", "var alone is not a value (write var.NAME)"),
        ("${vra.n}", '"vra" is not known here (did you mean "var"?; write a literal ${ as $${)'),
        ("${var[each.key]}", "names in var must be literal (write var.NAME)"),
        ("${var.n | uper}", 'there is no filter "uper" (did you mean "upper"?)'),
        ("${var.n is evn}", 'there is no test "evn" (did you mean "even"?)'),
        ("${rnage(3)}", 'there is no function "rnage" (did you mean "range"?)'),
        ("${upper(var.zip)}", 'there is no function "upper" (upper is a filter: write ... | upper)'),
        ("${var.zip.upper()}", 'methods such as "upper" cannot be called (use the filter: ... | upper)'),
        ("${local.map.inner.q}", 'there is no key "q" here'),
        ("${var.hosts[2]}", "there is no item 2: a list of 2"),
        ("${var.zip + 1}", "this cannot be evaluated: + works on numbers, not on text and a number (~ joins texts)"),
        ("${var.n / 0}", "division by zero"),
        ("${'x' | int}", "this cannot be evaluated: it is not a whole number; int(0) would take 0 instead"),
        ("a${var.hosts}", "a list cannot be part of a text; use a filter: ... | join(', '), or ... | tojson"),
        ("a${var.none}", "null cannot be part of a text; give a default: ... | default('', true)"),
        ("${[1: 2]}", "this is not an expression: ':' is not expected here"),
        ("${1 +}", "this is not an expression: unexpected end"),
    ],
)
def test_a_bad_expression_says_what_is_wrong(text: str, expected: str) -> None:
    assert refusal(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "${''.__class__.__mro__[1].__subclasses__()}",
        "${''['__class__']}",
        "${var.zip.format}",
        "${'{0.__class__}'.format(1)}",
        "${'%s' | attr('__class__')}",
        "${local.rows | map(attribute='__class__') | list}",
        "${local.rows | map('attr', '__class__') | list}",
        "${local.rows | sort(attribute='__class__.__name__')}",
        "${local.map.__init__}",
        "${local.map.places}",
        "${var.hosts.append(1)}",
        "${range.__globals__}",
        "${self.__init__.__globals__}",
        "${cycler.__init__.__globals__.os}",
        "${lipsum.__globals__}",
        "${namespace()}",
        "${joiner}",
        "${context}",
        "${environment}",
        "${loop}",
        "${caller()}",
        "${super()}",
        "${_self}",
        "${dict(a=1)}",
        "${var.n.real}",
        "${(1).__class__}",
        "${[].__class__}",
        "${var.hosts | random}",
        "${var.hosts | pprint}",
        "${'x' | safe}",
        "${result}",
    ],
)
def test_nothing_but_plain_data_can_be_reached(text: str) -> None:
    assert refusal(text)


@pytest.mark.parametrize(
    "text",
    [
        "${range(10 ** 9)}",
        "${range(100001)}",
        "${'a' * 10 ** 9}",
        "${[0] * 10 ** 9}",
        "${9 ** 9999 ** 99}",
        "${10 ** 8000 * 10 ** 8000}",
        "${1.5 ** 100000}",
        "${'%999999999d' | format(1)}",
        "${'%*d' | format(999999999, 1)}",
        "${'%.999999999f' | format(1)}",
        "${'%1000000d' % 1}",
        "${var.big ~ var.big}",
        "${var.big + var.big}",
        "${var.big | replace('x', 'yy')}",
        "${range(100000) | map('replace', '1', var.big) | list}",
        "${range(100000) | map('default', 1) | map('string') | join(var.big)}",
        "${[var.big, var.big, var.big] | join}",
        "${range(1000) | map('upper') | map('replace', '1', var.big) | list}",
        "${[var.big, var.big] | string}",
        "${[var.big, var.big] | tojson}",
        "${" + "(" * 300 + "1" + ")" * 300 + "}",
        "${" + "-" * 5000 + "1}",
        "${" + "not " * 2000 + "1}",
        "${" + "[" * 200 + "]" * 200 + "}",
        "${" + "1" * 9000 + "}",
        "${'" + "a" * 20_000 + "'}",
        "${var.n | round(10 ** 9)}",
        "${var.big}${var.big}",
        "${'x' | truncate(1)}",
        "${range('x')}",
        "${range(1, 2, 0)}",
        "${[1, 'a'] | sort}",
        "${var.hosts | map(var.zip) | list}",
        "${var.hosts | dictsort}",
        "${'x' | center(10 ** 9)}",
        "${'x' | indent(10 ** 9)}",
    ],
)
def test_an_expression_does_only_so_much_work(text: str) -> None:
    with gc_disabled():  # as when a stack is loaded: nothing of the collector's runs where the stack is used up
        assert refusal(text)


@settings(max_examples=300, deadline=None)
@given(st.text("${}var.n|[]()'\" +~*1,:loca_", max_size=30).map(lambda text: "${" + text))
def test_no_text_makes_an_expression_fail_otherwise(text: str) -> None:
    try:
        value(text)
    except PieceError as error:
        assert error.cause.message


def test_a_failure_does_not_quote_values() -> None:
    assert "001" not in refusal("${var.hosts | map(var.zip) | list}")


def test_an_expression_that_is_equal_is_compiled_once() -> None:
    first, second = parse_template("${var.n + 41}"), parse_template("x ${var.n + 41}")
    assert next(first.expressions).expression is next(second.expressions).expression
