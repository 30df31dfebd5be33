from __future__ import annotations

import json
from threading import Thread

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.config.expressions import budget
from reconciler.config.expressions.expression import compile_expression
from reconciler.config.expressions.scope import Context, ExpressionError
from tests.config.loading import HEAD, told

TEXT = "ab" * 200_000
NUMBER = 10**2400
VALUES = {"var": {"text": TEXT, "number": NUMBER, "texts": [TEXT[:2000] + str(index) for index in range(500)]}}

LISTS = (
    "range(100000)",
    "range(100000) | map('string')",
    "var.texts",
    "range(99000) | reverse",
    "[var.text, var.text]",
)
CONTAINERS = ("range(100000) | list", "range(100000) | map('string') | list", "var.text", "var.texts")
GREEDY = (
    "{items} | {pick}('in', {container}) | list | length",
    "{items} | {pick}('in', {container}) | sort | length",
    "({items} | sort | unique | sort(reverse=true) | list | length) + ({items} | sort | length)",
    "({items} | list) in ({items} | map('string') | list)",
    "{items} | {pick}('divisibleby', var.number) | list | length",
    "{items} | map('string') | {pick}('in', var.text) | list | length",
    "({items} | list | tojson | length) + ({items} | list | tojson | length)",
)


def _evaluate(expression: str) -> object:
    return compile_expression(expression).evaluate(Context(VALUES))


@settings(max_examples=30, deadline=None)
@given(
    template=st.sampled_from(GREEDY),
    items=st.sampled_from(LISTS),
    container=st.sampled_from(CONTAINERS),
    pick=st.sampled_from(["select", "reject"]),
)
def test_a_greedy_expression_ends(template: str, items: str, container: str, pick: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(budget, "MAX_SECONDS", 0.05)
        try:
            json.dumps(_evaluate(template.format(items=items, container=container, pick=pick)), allow_nan=False)
        except ExpressionError as error:
            assert "not a" in error.message or "too expensive" in error.message or "evaluated" in error.message


OPERANDS = st.sampled_from(["var.number", "2 ** 8000", "10 ** 2400 - 1", "7", "1e308", "-3", "var.text | length"])
OPERATORS = st.sampled_from(["//", "%", "*", "**", "-", "/", "+", "~"])


@settings(max_examples=40, deadline=None)
@given(first=OPERANDS, rest=st.lists(st.tuples(OPERATORS, OPERANDS), min_size=1, max_size=60), times=st.integers(1, 3))
def test_a_chain_of_huge_numbers_ends_with_a_json_value_or_a_diagnostic(
    first: str, rest: list[tuple[str, str]], times: int
) -> None:
    chain = " ".join([first, *(f"{operator} ({operand})" for operator, operand in rest * times)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(budget, "MAX_SECONDS", 0.05)
        try:
            json.dumps(_evaluate(chain), allow_nan=False)
        except ExpressionError as error:
            assert error.message


@pytest.mark.parametrize(
    "expression",
    [
        "range(100000) | select('in', range(100000) | list) | list | length",
        "range(100000) | reject('in', range(100000) | map('string') | list) | list | length",
        "range(100000) | map('string') | select('in', var.text) | list | length",
    ],
)
def test_time_is_bounded_in_any_thread(expression: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "MAX_SECONDS", 0.05)
    found: list[str] = []

    def work() -> None:
        try:
            _evaluate(expression)
        except ExpressionError as error:
            found.append(error.message)

    for run in (work, lambda: (thread := Thread(target=work), thread.start(), thread.join())):
        run()
    assert found == ["this expression is too expensive: it takes more than 0.05 s of processor time"] * 2


def test_the_expressions_of_a_stack_share_a_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "MAX_STACK_SECONDS", 0.0)
    text = HEAD + "locals: {a: \"${range(100000) | map('string') | sort | length}\"}\n"
    assert told(text) == [
        "3:14 this expression is too expensive: the expressions of this stack take more than 0 s of processor time"
    ]


@pytest.mark.parametrize(
    "expression",
    [
        *("1e400", "[1e308 * 10]", "'a' ~ (1e308 * 10)", "'inf' | float", "'nan' | float", "1e400 > 1"),
        *("[1e308 * 10, 2] | sum", "{'a': -1e308 * 10}", "'\\ud83d'", "'\\ude00\\ud83d'", "'%c' | format(55296)"),
        *("9" * 3000, "2 ** 8191 + 2 ** 8191", "{'\\ud800': 1}", "[1e308 * 10] | join"),
    ],
)
def test_what_json_has_no_value_for_is_refused(expression: str) -> None:
    with pytest.raises(ExpressionError):
        _evaluate(expression)


def test_a_pair_of_surrogates_is_one_character() -> None:
    assert _evaluate("'\\ud83d\\ude00'") == "\U0001f600"


def test_a_chain_of_comparisons_means_what_it_does_in_python() -> None:
    assert _evaluate("1 < 2 <= 2 != 3") is True
    assert _evaluate("1 < 2 > 3") is False
    assert _evaluate("'b' in ['a', 'b'] and 3 not in [1, 2]") is True
    assert _evaluate("[1, 2, 3, 4][1:3]") == [2, 3]
    assert _evaluate("'abcdef'[::2]") == "ace"
