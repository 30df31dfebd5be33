"""What README and docs say is so: commands run as written, links lead somewhere, generated pages are fresh."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
import requests

from tests.e2e.readme import alike, run, steps
from tools.picture import picture
from tools.reference import reference

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")])
RUN = [page for page in PAGES if "examples" not in page.parts and steps(page.read_text())]
SERVES = "reconciler emulator"
"""How a command begins that goes on until it is stopped."""


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", RUN, ids=name)
def test_every_command_of_a_page_runs_as_written_and_prints_what_is_shown(page: Path, tmp_path: Path) -> None:
    ending = [step for step in steps(page.read_text()) if not step.command.startswith(SERVES)]
    for step, output in run(ending, tmp_path) if ending else ():
        assert alike(output) == alike(step.output), step.command


SERVING = sorted({step.command for page in RUN for step in steps(page.read_text()) if step.command.startswith(SERVES)})


@pytest.mark.parametrize("command", SERVING)
def test_every_emulator_of_a_page_serves_as_written_but_for_its_port(command: str, tmp_path: Path) -> None:
    arguments = shlex.split(command.replace("--port 8080", "--port 0"), comments=True)[1:]
    with subprocess.Popen(  # noqa: S603 - a command of ours
        [sys.executable, "-m", "reconciler", *arguments], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        address = process.stdout.readline().decode().strip()
        answer = requests.get(f"{address}/admin/faults", timeout=10).json()
        assert len(answer["faults"]) == command.count("--fault")
        process.terminate()


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


def test_the_most_likely_mistakes_are_graded_and_none_is_below_two() -> None:
    page = (ROOT / "docs" / "troubleshooting.md").read_text()
    grades = re.findall(r"^\| .+ \| .+ \| ([0-3]) \|$", page, re.M)
    assert len(grades) >= 40
    assert min(grades) >= "2"
