"""Where a function imports: the modules that the decision about lazy imports lists, and no others."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
DECISION = ROOT / "docs/decisions/0011-one-lazy-import-per-command.md"


def test_functions_import_only_where_the_decision_says_so() -> None:
    rows = [line.split("|")[1] for line in DECISION.read_text().splitlines() if line.startswith("| `")]
    allowed = {module for row in rows for module in re.findall(r"`([^`]+)`", row)}
    package = ROOT / "reconciler"
    assert {str(file.relative_to(package)) for file in package.rglob("*.py") if _imports_in_a_function(file)} == allowed


def _imports_in_a_function(file: Path) -> bool:
    return any(
        isinstance(node, ast.Import | ast.ImportFrom)
        for function in ast.walk(ast.parse(file.read_text()))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
    )
