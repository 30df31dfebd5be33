"""``reconciler providers``."""

from __future__ import annotations

import json

from tests.cli.process import reconciler


def test_the_built_in_providers_and_their_types_are_listed() -> None:
    done = reconciler("providers")
    assert done.returncode == 0
    assert "aom_alarm (alarm)" in done.stdout
    assert "data: bcm_alarms" in done.stdout


def test_the_same_as_json() -> None:
    listed = json.loads(reconciler("providers", "--format", "json").stdout)["providers"]
    assert {"name": "aom_event", "kind": "event"} in next(p for p in listed if p["name"] == "aom")["resource_types"]


def test_what_an_item_of_a_query_holds_is_listed_as_json() -> None:
    listed = json.loads(reconciler("providers", "--format", "json").stdout)["providers"]
    [source] = next(p for p in listed if p["name"] == "bcm")["data_sources"]
    assert source["name"] == "bcm_alarms"
    assert {"name": "id", "description": "The alarm's id."} in source["fields"]
