"""Examples run as their READMEs say: a stack that changes, one that takes alarms over, guards, a fleet."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.readme import alike, played


@pytest.mark.parametrize("example", ["day-two", "importing", "guards", "fleet"])
def test_the_readme_shows_what_its_commands_print(example: str, tmp_path: Path) -> None:
    for step, output in played(example, tmp_path):
        assert alike(output) == alike(step.output), step.command
