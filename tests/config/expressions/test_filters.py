"""The page on expressions names every filter, test and function there is, and no other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from reconciler.config.expressions.filters import FILTERS, FUNCTIONS, TESTS

PAGE = (Path(__file__).parents[3] / "docs" / "expressions.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("heading", "known"),
    [("Filters", set(FILTERS)), ("Tests", {name for name in TESTS if name.isalpha()}), ("Functions", set(FUNCTIONS))],
)
def test_the_page_lists_what_there_is(heading: str, known: set[str]) -> None:
    section = PAGE.split(f"## {heading}\n", 1)[1].split("\n\n", 1)[0]
    assert set(re.findall(r"`(\w+)`", section)) == known
