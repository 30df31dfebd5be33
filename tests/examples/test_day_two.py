"""The examples of a stack that changes, and of one that takes alarms over, run as their READMEs say."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.readme import alike, played


@pytest.mark.parametrize("example", ["day-two", "importing", "guards"])
def test_the_readme_shows_what_its_commands_print(example: str, tmp_path: Path) -> None:
    for step, output in played(example, tmp_path):
        assert alike(output) == alike(step.output), step.command
