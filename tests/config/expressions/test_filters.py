"""The page on expressions names every filter, test and function there is, and no other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from reconciler.config.expressions.expression import compile_expression
from reconciler.config.expressions.filters import FILTERS, FUNCTIONS, TESTS
from reconciler.config.expressions.scope import Context, ExpressionError
from tests.config.loading import HEAD, load

PAGE = (Path(__file__).parents[3] / "docs" / "expressions.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("heading", "known"),
    [("Filters", set(FILTERS)), ("Tests", {name for name in TESTS if name.isalpha()}), ("Functions", set(FUNCTIONS))],
)
def test_the_page_lists_what_there_is(heading: str, known: set[str]) -> None:
    section = PAGE.split(f"## {heading}\n", 1)[1].split("\n\n", 1)[0]
    assert set(re.findall(r"`(\w+)`", section)) == known


def _value(expression: str) -> object:
    return compile_expression(expression).evaluate(Context({}))


def test_flatten_takes_lists_apart() -> None:
    assert _value("[1, [2, [3]], 'ab'] | flatten") == [1, 2, 3, "ab"]
    assert _value("[1, [2, [3]]] | flatten(1)") == [1, 2, [3]]


def test_product_gives_every_combination() -> None:
    assert _value("['a', 'b'] | product([1, 2])") == [["a", 1], ["a", 2], ["b", 1], ["b", 2]]
    assert _value("product(['a'], [1], [2])") == [["a", 1, 2]]


def test_the_items_of_a_product_are_instances() -> None:
    stack = load(
        f"{HEAD}resources:\n  siren:\n    a:\n"
        "      for_each: \"${product(['checkout', 'cart'], ['ecs-1', 'ecs-2'])}\"\n"
        '      severity: Info\n      host: "${each.value[1]}"\n      labels: {service: "${each.value[0]}"}\n'
    )
    assert [item.address.key for item in stack.desired] == [
        "checkout/ecs-1",
        "checkout/ecs-2",
        "cart/ecs-1",
        "cart/ecs-2",
    ]
    assert stack.desired[3].attributes["labels"] == {"service": "cart"}


def test_a_product_that_is_too_large_is_too_much_work() -> None:
    with pytest.raises(ExpressionError, match="too expensive"):
        _value("product(range(100000), range(100000))")
