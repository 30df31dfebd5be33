"""amtool, an independent client: it works with the emulator as with the real server."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.emulator.alertmanager.target import KINDS, Target, target
from tests.servers.alertmanager import amtool


@pytest.fixture(scope="module", params=KINDS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    with target(request.param, tmp_path_factory.mktemp("amtool")) as one:
        yield one


def test_amtool_adds_an_alert_that_the_api_shows(server: Target) -> None:
    url = server.urls[0]
    amtool(url, "alert", "add", "amtool_add", "id=1", "--annotation=note=a b", "--generator-url=http://h/x")
    [shown] = server.query('alertname="amtool_add"')
    assert shown["labels"] == {"alertname": "amtool_add", "id": "1"}
    assert (shown["annotations"], shown["generatorURL"]) == ({"note": "a b"}, "http://h/x")


def test_amtool_shows_what_was_pushed(server: Target) -> None:
    pushed = {"labels": {"alertname": "amtool_query", "id": "1"}, "annotations": {"note": "x"}}
    server.push(pushed, {"labels": {"alertname": "amtool_query", "id": "2"}})
    url = server.urls[0]
    everything = json.loads(amtool(url, "alert", "query", "alertname=amtool_query", "--output=json"))
    assert sorted(each["labels"]["id"] for each in everything) == ["1", "2"]
    [one] = json.loads(amtool(url, "alert", "query", "amtool_query", "id=~1|3", "--output=json"))
    assert (one["labels"], one["annotations"]) == (pushed["labels"], pushed["annotations"])


def test_amtool_silences_and_expires(server: Target) -> None:
    url = server.urls[0]
    server.push({"labels": {"alertname": "amtool_silence"}})
    added = amtool(url, "silence", "add", "alertname=amtool_silence", "--comment=c", "--author=a", "--duration=10m")
    identifier = added.strip()
    [shown] = json.loads(amtool(url, "silence", "query", "alertname=amtool_silence", "--output=json"))
    assert (shown["id"], shown["comment"], shown["createdBy"]) == (identifier, "c", "a")
    assert shown["status"]["state"] == "active"
    assert amtool(url, "alert", "query", "amtool_silence", "--output=json").strip() == "[]"
    amtool(url, "silence", "update", identifier, "--comment=d")
    amtool(url, "silence", "expire", identifier)
    assert json.loads(amtool(url, "silence", "query", "alertname=amtool_silence", "--output=json")) == []
    [alert] = json.loads(amtool(url, "alert", "query", "amtool_silence", "--output=json"))
    assert alert["status"]["state"] == "active"


def test_amtool_shows_the_configuration_and_where_an_alert_goes(server: Target) -> None:
    url = server.urls[0]
    assert "no.resolved" in amtool(url, "config", "show")
    assert amtool(url, "config", "routes", "test", "team=quiet").split() == ["no.resolved"]
