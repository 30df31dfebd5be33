"""Restarts and clusters: the emulator and the real server do alike, entry by entry."""

from __future__ import annotations

import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.emulator.alertmanager.restarts import scenario as restarts
from tests.emulator.alertmanager.scenario import Scenario
from tests.emulator.alertmanager.target import KINDS, target


def run_scenario(kind: str, directory: Path, scenario: Scenario) -> Any:
    with target(kind, directory / scenario.name, scenario.peers) as one:
        try:
            return scenario.steps(one)
        except Exception:  # noqa: BLE001 - told as what was observed
            return traceback.format_exc()


@pytest.mark.parametrize("kind", KINDS)
def test_every_restart_ends_as_the_table_says(kind: str, tmp_path: Path) -> None:
    with ThreadPoolExecutor(len(restarts.scenarios)) as pool:
        observed = list(pool.map(lambda each: run_scenario(kind, tmp_path, each), restarts.scenarios))
    told = [
        f"{each.name}:\n  saw {saw!r}\n  not {each.expected!r}"
        for each, saw in zip(restarts.scenarios, observed, strict=True)
        if saw != each.expected
    ]
    assert not told, "\n".join(told)
