"""The example of a stack that changes runs as its README says."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.readme import alike, played


def test_the_readme_of_day_two_shows_what_its_commands_print(tmp_path: Path) -> None:
    for step, output in played("day-two", tmp_path):
        assert alike(output) == alike(step.output), step.command
