from __future__ import annotations

import json
from pathlib import Path

import pytest

from reconciler.emulator.seed import read_seed


def test_a_seed_is_read_as_json_dumps_writes_it(tmp_path: Path) -> None:
    seed = tmp_path / "seed.json"
    alarm = json.loads('{"x": "\\ud83d\\ude00"}')["x"]
    seed.write_text(json.dumps({"faults": [], "bcm": {"alarms": []}, "aom": {"notifications": []}, alarm: None}))
    with pytest.raises(ValueError, match="the seed has no \U0001f600"):
        read_seed(seed, 0)


@pytest.mark.parametrize("text", ["[" * 100_000, "{" * 5_000])
def test_a_seed_that_is_nested_too_deeply_is_refused(tmp_path: Path, text: str) -> None:
    seed = tmp_path / "seed.json"
    seed.write_text(text)
    with pytest.raises(ValueError, match=r"seed\.json"):
        read_seed(seed, 0)
