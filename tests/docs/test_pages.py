"""What README and docs say is so: commands run as written, links lead somewhere, generated pages are fresh."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from tests.e2e.readme import alike, run, steps
from tools.picture import picture
from tools.reference import reference

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")])
RUN = [page for page in PAGES if "examples" not in page.parts and steps(page.read_text())]
_ANSWERS = {"docs/emulator.md"}
"""Pages whose commands other tests run: the emulator serves until it is stopped."""


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", [page for page in RUN if name(page) not in _ANSWERS], ids=name)
def test_every_command_of_a_page_runs_as_written_and_prints_what_is_shown(page: Path, tmp_path: Path) -> None:
    for step, output in run(steps(page.read_text()), tmp_path):
        assert alike(output) == alike(step.output), step.command


def test_the_pages_that_show_commands_are_these() -> None:
    assert {name(page) for page in RUN} >= {"README.md", "docs/getting-started.md", "docs/gitops.md", "docs/json.md"}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_command_stands_in_a_block_that_says_whether_it_is_run(page: Path) -> None:
    for language, block in re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text(), re.M | re.S):
        if language != "console":
            assert not re.search(r"^\$ ", block, re.M), f"a command in a block that is not run: {block}"


@cache
def anchors(page: Path) -> frozenset[str]:
    titles = re.findall(r"^#+ (.*)$", page.read_text(), re.M)
    return frozenset(re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_link_leads_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.M | re.S)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), target
        if anchor:
            assert anchor in anchors(file), target


def test_every_page_is_found_from_the_index() -> None:
    index = (ROOT / "docs" / "README.md").read_text()
    missed = [page for page in ROOT.glob("docs/*.md") if page.name != "README.md" and f"({page.name})" not in index]
    assert missed == []


def test_the_language_reference_is_what_the_models_say() -> None:
    assert (ROOT / "docs" / "language.md").read_text() == reference(), "run `make docs`"


def test_the_picture_shows_what_a_real_run_writes() -> None:
    assert (ROOT / "docs" / "terminal.svg").read_text() == picture(), "run `make docs`"


def test_the_two_commands_of_the_readme_are_targets() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"^make (\w+) ", (ROOT / "README.md").read_text(), re.M):
        assert re.search(rf"^{target}:", makefile, re.M)


def test_every_message_of_the_troubleshooting_page_is_one_of_ours() -> None:
    code = "\n".join(file.read_text() for file in sorted((ROOT / "reconciler").rglob("*.py")))
    code = re.sub(r'"\s*\n\s*f?"', "", code).replace("\\'", "'").replace('\\"', '"')
    table = (ROOT / "docs" / "troubleshooting.md").read_text()
    messages = re.findall(r"^\| `([^`]+)` \|", table, re.M)
    assert len(messages) > 25
    for message in messages:
        for part in filter(None, (part.strip(" :") for part in message.split("…"))):
            assert part in code, message
