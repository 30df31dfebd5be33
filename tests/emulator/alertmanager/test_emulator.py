"""The emulated Alertmanager as part of the emulator: its settings, faults and admin endpoints."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from reconciler.emulator.server import create_app, running
from reconciler.emulator.settings import Settings, User
from tests.emulator.alertmanager.target import config
from tests.emulator.handle import Emulator
from tests.servers.webhook import webhook_receiver

Start = Callable[[Settings], Emulator]


def push(emulator: Emulator, *names: str, peer: str = "", **fields: Any) -> requests.Response:
    alerts = [{"labels": {"alertname": name}, **fields} for name in names]
    return requests.post(f"{emulator.url}/alertmanager{peer}/api/v2/alerts", json=alerts, timeout=10)


def shown(emulator: Emulator, peer: str = "") -> list[str]:
    answer = requests.get(f"{emulator.url}/alertmanager{peer}/api/v2/alerts", timeout=10)
    assert answer.status_code == 200, answer.text
    return sorted(alert["labels"]["alertname"] for alert in answer.json())


def silence(emulator: Emulator, peer: str = "", **changes: Any) -> requests.Response:
    body = {
        "matchers": [{"name": "alertname", "value": "a", "isRegex": False}],
        "startsAt": "2020-01-01T00:00:00Z",
        "endsAt": "2090-01-01T00:00:00Z",
        "createdBy": "test",
        "comment": "c",
        **changes,
    }
    return requests.post(f"{emulator.url}/alertmanager{peer}/api/v2/silences", json=body, timeout=10)


def silences(emulator: Emulator, peer: str = "") -> list[dict[str, Any]]:
    return list(requests.get(f"{emulator.url}/alertmanager{peer}/api/v2/silences", timeout=10).json())


def admin(emulator: Emulator, method: str, path: str, body: object = None) -> requests.Response:
    return requests.request(method, f"{emulator.url}/admin/alertmanager{path}", json=body, timeout=10)


def test_the_clock_is_the_emulators(emulator: Emulator) -> None:
    push(emulator, "a")
    emulator.advance(5 * 60_000 - 1_000)
    assert shown(emulator) == ["a"]
    emulator.advance(1_000)
    assert shown(emulator) == []


def test_notifications_are_sent_without_being_asked_for(start_emulator: Start) -> None:
    with webhook_receiver() as hook:
        emulator = start_emulator(Settings(alertmanager_config=config(hook.url)))
        push(emulator, "told", startsAt="2020-01-01T00:00:00Z")
        push(emulator, "waits")
        deadline = time.monotonic() + 30
        while len(hook.deliveries()) < 2 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert [each.payload["groupLabels"]["alertname"] for each in hook.deliveries()] == ["told", "waits"]
        assert hook.deliveries()[0].payload["externalURL"] == f"{emulator.url}/alertmanager"


def test_a_week_at_once_tells_every_repetition(start_emulator: Start) -> None:
    with webhook_receiver() as hook:
        played = config(hook.url)
        played["route"]["repeat_interval"] = "1d"
        del played["inhibit_rules"]
        emulator = start_emulator(Settings(alertmanager_config=played))
        push(emulator, "a", endsAt="2090-01-01T00:00:00Z")
        emulator.advance(7 * 86_400_000)
        assert len(hook.deliveries()) == 7


def test_silences_outlive_the_process_and_alerts_do_not(tmp_path: Path) -> None:
    settings = Settings(db=tmp_path / "emulator.db")
    with running(settings) as url:
        push(Emulator(url), "a")
        identifier = silence(Emulator(url)).json()["silenceID"]
    with running(settings) as url:
        assert shown(Emulator(url)) == []
        assert [each["id"] for each in silences(Emulator(url))] == [identifier]


def test_a_stopped_peer_cuts_connections_until_it_starts(start_emulator: Start) -> None:
    emulator = start_emulator(Settings(alertmanager_peers=2))
    push(emulator, "a")
    push(emulator, "a", peer="-2")
    assert admin(emulator, "POST", "/stop", {"peer": 2}).status_code == 204
    with pytest.raises(requests.ConnectionError):
        push(emulator, "b", peer="-2")
    peers = admin(emulator, "GET", "").json()["peers"]
    assert [(each["peer"], each["running"], len(each["alerts"])) for each in peers] == [(1, True, 1), (2, False, 0)]
    assert admin(emulator, "POST", "/restart", {"peer": 2}).status_code == 204
    assert (shown(emulator), shown(emulator, "-2")) == (["a"], [])


@pytest.mark.parametrize(("body", "status"), [({"peer": 2}, 404), ({"peers": 1}, 400), ({"kill": 1}, 400), ([], 400)])
def test_a_wrong_order_to_a_peer_is_refused(emulator: Emulator, body: object, status: int) -> None:
    assert admin(emulator, "POST", "/restart", body).status_code == status


def test_another_configuration_groups_alerts_anew(emulator: Emulator) -> None:
    push(emulator, "a", "b")
    with webhook_receiver() as hook:
        assert admin(emulator, "PUT", "/config", config(hook.url)).status_code == 204
        emulator.advance(1_000)
        assert sorted(each.payload["groupLabels"]["alertname"] for each in hook.deliveries()) == ["a", "b"]
        emulator.reset()
    assert shown(emulator) == []
    receivers = requests.get(f"{emulator.url}/alertmanager/api/v2/receivers", timeout=10).json()
    assert receivers == [{"name": "default"}]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"route": None}, "no route"),
        ({"route": {"receiver": "x"}}, "'x', which is not in receivers"),
        ({"route": {"receiver": "hook", "group_wait": 5}}, "group_wait is a duration"),
        ({"route": {"receiver": "hook", "matchers": ['a="b"']}}, "root route"),
        ({"route": {"receiver": "hook", "routes": [{"matchers": ["a"]}]}}, "bad matcher format"),
        ({"route": {"receiver": "hook", "group_interval": "0s"}}, "above 0"),
        ({"receivers": [{"name": "hook", "slack_configs": []}]}, "does not support slack_configs"),
        ({"receivers": [{"name": "hook", "webhook_configs": [{"url": "ftp://h"}]}]}, "http or https"),
        ({"templates": []}, "does not support templates"),
    ],
)
def test_a_configuration_that_is_not_played_is_refused(changes: dict[str, Any], words: str) -> None:
    played = {"route": {"receiver": "hook"}, "receivers": [{"name": "hook"}], **changes}
    with pytest.raises(ValueError, match=words):
        create_app(Settings(alertmanager_config=played))


def test_a_seed_brings_a_configuration(tmp_path: Path, start_emulator: Start) -> None:
    seed = tmp_path / "seed.yaml"
    seed.write_text("alertmanager: {config: {route: {receiver: x}, receivers: [{name: x}]}}", encoding="utf-8")
    emulator = start_emulator(Settings(seed=seed))
    receivers = requests.get(f"{emulator.url}/alertmanager/api/v2/receivers", timeout=10).json()
    assert receivers == [{"name": "x"}]


@pytest.mark.parametrize("peers", [0, 10])
def test_the_number_of_peers_is_bounded(peers: int) -> None:
    with pytest.raises(ValueError, match="1 to 9"):
        create_app(Settings(alertmanager_peers=peers))


def test_newer_releases_take_any_name(start_emulator: Start) -> None:
    emulator = start_emulator(Settings(alertmanager_version="0.28.0"))
    url = f"{emulator.url}/alertmanager/api/v2"
    odd = {"labels": {"größe.in-m": "1"}, "annotations": {"a b": "c"}}
    assert requests.post(f"{url}/alerts", json=[odd], timeout=10).status_code == 200
    found = requests.get(f"{url}/alerts", params={"filter": '"größe.in-m"="1"'}, timeout=10).json()
    assert [alert["labels"] for alert in found] == [odd["labels"]]
    assert requests.post(f"{url}/alerts", json=[{"labels": {"": "x"}}], timeout=10).status_code == 400
    missing = requests.delete(f"{url}/silence/11111111-1111-4111-8111-111111111111", timeout=10)
    assert missing.status_code == 404
    assert requests.get(f"{url}/status", timeout=10).json()["versionInfo"]["version"] == "0.28.0"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"Authorization": "Basic " + "dTpw"}, 200),
        ({"Authorization": "Basic " + "dTpx"}, 401),
        ({"Authorization": "Basic !"}, 401),
        ({"Authorization": "Bearer secret"}, 200),
        ({"Authorization": "Bearer other"}, 401),
    ],
)
def test_users_and_a_token_are_asked_for(start_emulator: Start, headers: dict[str, str], status: int) -> None:
    emulator = start_emulator(Settings(users=(User("u", "p"),), token="secret"))  # noqa: S106 - made up
    for path in ("/-/healthy", "/api/v2/alerts"):
        answer = requests.get(f"{emulator.url}/alertmanager{path}", headers=headers, timeout=10)
        assert answer.status_code == status
    if status == 401:
        assert answer.headers["content-type"].startswith("text/plain")


def test_requests_are_recorded_by_operation_and_peer(start_emulator: Start) -> None:
    emulator = start_emulator(Settings(alertmanager_peers=2))
    push(emulator, "a")
    push(emulator, "a", peer="-2")
    shown(emulator)
    silence(emulator)
    silences(emulator, "-2")
    recorded = [each["operation"] for each in emulator.requests()]
    assert recorded == ["am-push", "am-push@2", "am-query", "am-silence-put", "am-silence-list@2"]


def test_a_fault_meets_every_peer_or_one(start_emulator: Start) -> None:
    emulator = start_emulator(Settings(alertmanager_peers=2))
    emulator.fault("am-push:status=500")
    assert [push(emulator, "a", peer=each).status_code for each in ("", "-2")] == [500, 500]
    emulator.clear_faults()
    emulator.fault("am-push@2:store-then-500")
    assert [push(emulator, "b", peer=each).status_code for each in ("", "-2")] == [200, 500]
    assert (shown(emulator), shown(emulator, "-2")) == (["b"], ["b"])
    emulator.clear_faults()
    emulator.fault("alertmanager@1:status=503")
    answers = [requests.get(f"{emulator.url}/alertmanager{each}/api/v2/status", timeout=10) for each in ("", "-2")]
    assert [each.status_code for each in answers] == [503, 200]
    assert answers[0].headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize("fault", ["push@2:cut", "am-push@x:cut", "am-push@0:cut", "alertmanagers:cut"])
def test_a_fault_of_no_peer_is_refused(fault: str) -> None:
    with pytest.raises(ValueError, match="operation"):
        create_app(Settings(faults=(fault,)))


def test_a_hidden_push_shows_later_and_is_not_overtaken(emulator: Emulator) -> None:
    emulator.fault("am-push:hide=10s,nth=1")
    assert push(emulator, "a").status_code == 200
    assert push(emulator, "b").status_code == 200
    assert shown(emulator) == []
    emulator.advance(10_000)
    assert shown(emulator) == ["a", "b"]
