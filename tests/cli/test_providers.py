"""``reconciler providers``."""

from __future__ import annotations

import json

from tests.cli.process import reconciler


def test_the_built_in_providers_and_their_types_are_listed() -> None:
    done = reconciler("providers")
    assert done.returncode == 0
    assert "aom_alarm (level)" in done.stdout


def test_the_same_as_json() -> None:
    listed = json.loads(reconciler("providers", "--format", "json").stdout)["providers"]
    assert {"name": "aom_event", "kind": "fact"} in next(p for p in listed if p["name"] == "aom")["resource_types"]
