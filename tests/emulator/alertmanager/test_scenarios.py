"""Scenarios: the emulator and the real server do alike, entry by entry."""

from __future__ import annotations

import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.emulator.alertmanager.scenario import Scenario
from tests.emulator.alertmanager.scenarios import SCENARIOS
from tests.emulator.alertmanager.target import KINDS, Target, target

AT_ONCE = 16
"""How many scenarios wait for the real server at the same time."""


def run_scenario(one: Target, scenario: Scenario) -> Any:
    try:
        return scenario.steps(one)
    except Exception:  # noqa: BLE001 - told as what was observed
        return traceback.format_exc()


@pytest.mark.parametrize("kind", KINDS)
def test_every_scenario_ends_as_the_table_says(kind: str, tmp_path: Path) -> None:
    # The emulator's clock is moved by each scenario: one after the other.
    with target(kind, tmp_path) as one, ThreadPoolExecutor(1 if kind == "emulator" else AT_ONCE) as pool:
        observed = list(pool.map(lambda scenario: run_scenario(one, scenario), SCENARIOS))
    told = [
        f"{each.name}:\n  saw {saw!r}\n  not {each.expected!r}"
        for each, saw in zip(SCENARIOS, observed, strict=True)
        if saw != each.expected
    ]
    assert not told, "\n".join(told)
