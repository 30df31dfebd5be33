"""Words: a module, class or function is not named by a retired word, unless the decision about words says why."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
DECISION = (ROOT / "docs/decisions/0012-the-words-of-the-field.md").read_text()
RETIRED, REST = DECISION.split("These stay", 1)
KEPT, STANDARD = REST.split("A word that had a private meaning", 1)


def test_a_retired_word_names_nothing_but_what_the_decision_keeps() -> None:
    retired = {word for row in rows(RETIRED) for word in quoted(row[1])}
    kept = {(word, where) for row in rows(KEPT) for word in quoted(row[0]) for where in quoted(row[1])}
    used = {(word, file) for file, word in names() if word in retired}
    unexplained = {each for each in used if not any(each[0] == word and each[1].startswith(at) for word, at in kept)}
    assert unexplained == set()
    for word, where in kept:
        assert any(each == word and file.startswith(where) for each, file in used), f"nothing in {where} is {word}"


def test_a_word_that_stays_in_its_standard_meaning_is_used_and_not_retired() -> None:
    retired = {word for row in rows(RETIRED) for word in quoted(row[1])}
    standard = {word for row in rows(STANDARD) for word in quoted(row[0])}
    assert not retired & standard
    assert standard - {word for _, word in names()} == set()


def rows(table: str) -> Iterator[list[str]]:
    for line in table.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and "`" in line:
            yield cells


def quoted(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def names() -> Iterator[tuple[str, str]]:
    """Each module, class and function with the file it is in, which the package's name does not stand before."""
    for path in (*(ROOT / "reconciler").rglob("*.py"), *(ROOT / "tests").rglob("*.py")):
        file = path.relative_to(ROOT).as_posix().removeprefix("reconciler/")
        yield file, path.stem
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                yield file, node.name
