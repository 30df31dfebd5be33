"""The game day: rehearsed offline, as its README says."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.readme import alike, played


def test_the_readme_of_the_game_day_shows_what_the_commands_print(tmp_path: Path) -> None:
    for step, output in played("game-day", tmp_path):
        assert alike(output) == alike(step.output), step.command
