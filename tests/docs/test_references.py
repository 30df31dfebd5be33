"""What code and pages refer to is in the repository: modules, files, rules by number, Make targets."""

from __future__ import annotations

import importlib
import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TRACKED = [
    ROOT / name
    for name in subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True).stdout.split()  # noqa: S607 - found as its user finds it
]
TEXTS = [file for file in TRACKED if file.suffix in {".py", ".md", ".toml", ".yaml", ".yml"} and file.exists()]
PAGES = [file for file in TEXTS if file.suffix == ".md" and file.name != "CHANGELOG.md"]


def name(file: Path) -> str:
    return str(file.relative_to(ROOT))


def test_a_rule_that_is_cited_by_number_is_one_of_the_rules() -> None:
    rules = re.findall(r"^\*\*(\d+)\. ", (ROOT / "docs" / "reconciliation.md").read_text(), re.M)
    assert rules == [str(number) for number in range(1, len(rules) + 1)]
    for file in TEXTS:
        for cited in re.findall(r"\brules? ((?:\d+(?:, | and | to )?)+)", file.read_text()):
            for number in re.findall(r"\d+", cited):
                assert number in rules, f"{name(file)} cites rule {number}"


@pytest.mark.parametrize(
    "word", ["DESIGN" + ".md", "STYLE" + ".md", "NAMES" + ".md", "DESIGN" + " rule", "DESIGN" + " section"]
)
def test_no_document_is_cited_that_is_not_here(word: str) -> None:
    assert [name(file) for file in TEXTS if word in file.read_text()] == []


@cache
def resolves(path: str) -> bool:
    """Whether a dotted path leads to a module, or to something a module defines."""
    parts = path.split(".")
    for split in range(len(parts), 0, -1):
        try:
            found: object = importlib.import_module(".".join(parts[:split]))
        except ImportError:
            continue
        for part in parts[split:]:
            if not hasattr(found, part):
                return False
            found = getattr(found, part)
        return True
    return False


@pytest.mark.parametrize("file", [*PAGES, *(file for file in TEXTS if file.suffix == ".py")], ids=name)
def test_every_module_that_is_named_exists(file: Path) -> None:
    text = re.sub(r"^\s*(?:from|import) .*$", "", file.read_text(), flags=re.M)
    for path in set(re.findall(r"`(reconciler(?:\.[A-Za-z_]\w*)+)`", text)) - {"reconciler.providers"}:
        assert resolves(path), f"{path} is named and does not exist"


@pytest.mark.parametrize("file", PAGES, ids=name)
def test_every_file_that_a_page_names_exists(file: Path) -> None:
    for path in re.findall(
        r"`((?:reconciler|tests|docs|schema|tools|examples|\.ci|\.github)/[\w./-]+)`", file.read_text()
    ):
        assert (ROOT / path).exists() or (file.parent / path).exists(), f"{path} is named and does not exist"


def test_every_page_and_module_that_code_names_exists() -> None:
    for file in TEXTS:
        for path in re.findall(
            r"(?<![\w./-])(?:docs|reconciler|tests|tools|examples)/[\w./-]+\.(?:md|py)\b", file.read_text()
        ):
            assert (ROOT / path).exists() or (file.parent / path).exists(), f"{name(file)} names {path}"


@pytest.mark.parametrize("file", PAGES, ids=name)
def test_every_make_target_that_a_page_names_exists(file: Path) -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"(?:`|^)make ([a-z-]+)\b", file.read_text(), re.M):
        assert re.search(rf"^{target}:", makefile, re.M), f"make {target} is named and does not exist"


def test_no_module_is_longer_than_400_lines() -> None:
    long = {
        name(file): text.count("\n")
        for file in TEXTS
        if name(file).startswith(("reconciler/", "tests/")) and file.suffix == ".py"
        for text in [file.read_text()]
    }
    assert {file: lines for file, lines in long.items() if lines > 400} == {}


PACKAGE = [file for file in TEXTS if name(file).startswith("reconciler/") and file.suffix == ".py"]
OF_ITS_OWN = "reconciler/emulator/"
"""It shares no code with the rest."""


def test_one_module_reads_the_clock_of_the_machine() -> None:
    reads = re.compile(r"\btime\.(time|monotonic|perf_counter|clock_gettime)(_ns)?\b|datetime\.(now|utcnow)\(")
    readers = {
        name(file) for file in PACKAGE if not name(file).startswith(OF_ITS_OWN) and reads.search(file.read_text())
    }
    assert readers == {"reconciler/core/system_clock.py"}


def test_seconds_and_milliseconds_are_converted_in_one_place() -> None:
    converts = re.compile(r"(?<!\d) ?[/*] 1_?000\b(?! \+)|fromtimestamp\(")
    converters = {
        name(file) for file in PACKAGE if not name(file).startswith(OF_ITS_OWN) and converts.search(file.read_text())
    }
    assert converters <= {
        "reconciler/core/duration.py",
        "reconciler/core/system_clock.py",  # start-up loads it, and nothing else for it
        "reconciler/cli/logs.py",  # the library's own seconds; start-up loads it too
        "reconciler/ledger/postgres_link.py",  # SQL
        "reconciler/providers/aom/query.py",  # a formula of the API page
    }
