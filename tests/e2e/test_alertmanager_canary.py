"""Canaries of Alertmanager: raised, heard and taken back, or held back; and drills of two services."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import requests

from reconciler.emulator.server import running
from reconciler.emulator.settings import Settings
from tests.cli.run_cli import Done, reconciler
from tests.emulator.alertmanager.target import KINDS
from tests.emulator.handle import Emulator
from tests.servers.alertmanager import alertmanager
from tests.servers.ports import free_port


class Site(NamedTuple):
    """An Alertmanager, and the port of the receiver that it notifies."""

    url: str
    port: int


def config(port: int) -> dict[str, Any]:
    return {
        "route": {"receiver": "oncall", "group_by": ["alertname"], "group_wait": "200ms", "group_interval": "400ms"},
        "inhibit_rules": [{"source_matchers": ["alertname=storm"], "target_matchers": ["team=inhibited"]}],
        "receivers": [{"name": "oncall", "webhook_configs": [{"url": f"http://127.0.0.1:{port}/alertmanager"}]}],
    }


@pytest.fixture(scope="module", params=KINDS)
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    port = free_port()
    if request.param == "emulator":
        with running(Settings(alertmanager_config=config(port))) as url:
            yield Site(f"{url}/alertmanager", port)
    else:
        with alertmanager(tmp_path_factory.mktemp("canary"), config(port)) as server:
            yield Site(server.url, port)


def check(site: Site, directory: Path, canary: dict[str, Any], **expect: Any) -> dict[str, Any]:
    providers = {
        "alertmanager": {"endpoints": [site.url], "visible_within": "1s"},
        "receiver": {"endpoint": "listen"},
    }
    path = {"canary": canary, **({"expect": {"delivered": expect}} if expect else {})}
    stack = {"stack": "gate", "providers": providers, "checks": {"path": path}}
    (directory / "stack.yaml").write_text(json.dumps(stack))
    done = reconciler("check", directory, "--listen", f"127.0.0.1:{site.port}", "--format", "json")
    [found] = json.loads(done.out)["checks"]
    assert requests.get(f"{site.url}/api/v2/alerts?filter=reconciler_stack=gate", timeout=10).json() == []
    return dict(found)


def test_a_canary_and_its_end_are_notified_once_each(site: Site, tmp_path: Path) -> None:
    canary = {"type": "alertmanager_alert", "labels": {"severity": "critical", "service": "checkout"}}
    found = check(site, tmp_path, canary, within="20s", resolved=True, receiver="oncall", at_most=1)
    assert found["verdict"] == "passed", found
    assert (found["delivery"]["status"], found["delivery"]["times"]) == ("delivered", 1)
    assert "gone after" in found["reason"]


def test_a_canary_through_alertmanager_is_the_default_where_there_is_no_aom(site: Site, tmp_path: Path) -> None:
    found = check(site, tmp_path, {})
    assert found["verdict"] == "passed", found
    assert found["about"] == "canary through alertmanager"


@pytest.mark.parametrize("expect", [{}, {"within": "20s"}], ids=["visible", "delivered"])
def test_a_canary_that_is_silenced_or_inhibited_proves_nothing(
    site: Site, tmp_path: Path, expect: dict[str, Any]
) -> None:
    silence = {
        "matchers": [{"name": "team", "value": "silenced", "isRegex": False}],
        "startsAt": "2026-01-01T00:00:00Z",
        "endsAt": "2099-01-01T00:00:00Z",
        "createdBy": "ops",
        "comment": "x",
    }
    made = requests.post(f"{site.url}/api/v2/silences", json=silence, timeout=10).json()["silenceID"]
    storm = [{"labels": {"alertname": "storm"}, "endsAt": "2099-01-01T00:00:00Z"}]
    requests.post(f"{site.url}/api/v2/alerts", json=storm, timeout=10).raise_for_status()
    for team, why in (("silenced", f"silenced by {made}"), ("inhibited", "inhibited by ")):
        found = check(site, tmp_path, {"labels": {"team": team}}, **expect)
        assert found["verdict"] == "unknown", found
        assert f"but {why}" in found["reason"]
        assert "it proves nothing" in found["reason"]
    requests.delete(f"{site.url}/api/v2/silence/{made}", timeout=10).raise_for_status()


@pytest.mark.parametrize(
    ("canary", "said"),
    [
        ({"event_name": "x"}, "a canary of type alertmanager_alert has no event_name"),
        ({"type": "aom_alarm"}, "no provider that a canary can go through is configured"),
        ({"provider": "receiver"}, "receiver is no provider that a canary can go through"),
        ({"labels": {"reconciler_stack": "x"}}, "names that begin with reconciler_ are reserved for marks"),
        ({"type": "ces_event"}, "aom_alarm"),
    ],
)
def test_a_canary_that_cannot_be_is_refused_with_its_place(tmp_path: Path, canary: dict[str, Any], said: str) -> None:
    stack = {
        "stack": "gate",
        "providers": {"alertmanager": {"endpoints": ["embedded"]}, "receiver": {"endpoint": "listen"}},
        "checks": {"path": {"canary": canary}},
    }
    (tmp_path / "stack.yaml").write_text(json.dumps(stack))
    done = reconciler("validate", tmp_path)
    assert done.code == 1
    assert said in done.err


BOTH = {
    "stack": "both",
    "checks": {"path": {"canary": {"type": "alertmanager_alert"}}},
    "drills": {
        "outage": {
            "max_duration": "10m",
            "resources": {
                "aom_alarm": {
                    "slow": {
                        "event_severity": "Major",
                        "resource_provider": "a",
                        "resource_type": "b",
                        "resource_id": "c",
                    }
                },
                "alertmanager_alert": {"Down": {"labels": {"severity": "critical"}}},
            },
            "steps": [
                {"at": "0s", "raise": "aom_alarm.slow"},
                {"at": "100ms", "raise": "alertmanager_alert.Down"},
                {"at": "200ms", "check": "path"},
                {"at": "300ms", "clear": "aom_alarm.slow"},
                {"at": "400ms", "clear": "all"},
            ],
        }
    },
}


def drill(directory: Path, aom: str, alertmanager: str, *options: str) -> Done:
    providers = {
        "aom": {"endpoint": aom, "project_id": "p", "auth": {"token": "t"}, "visible_within": "1s"},
        "alertmanager": {"endpoints": [alertmanager], "visible_within": "1s"},
    }
    (directory / "stack.yaml").write_text(json.dumps({**BOTH, "providers": providers}))
    return reconciler("drill", "run", "outage", directory, *options)


def test_a_drill_raises_and_clears_in_two_services_on_one_timeline(emulator: Emulator, tmp_path: Path) -> None:
    done = drill(tmp_path, emulator.url, f"{emulator.url}/alertmanager", "--yes")
    assert done.code == 0, done.out + done.err
    assert "2 alarms raised, all cleared" in done.out
    paths = {(each["method"], str(each["path"]).rsplit("/", 1)[1]) for each in emulator.requests()}
    assert {("POST", "alerts"), ("PUT", "events")} <= paths
    assert emulator.active_alarms() == []
    assert emulator.session.get(f"{emulator.url}/alertmanager/api/v2/alerts").json() == []


def test_a_drill_of_two_services_is_rehearsed_offline(tmp_path: Path) -> None:
    done = drill(tmp_path, "embedded", "embedded", "--rehearse")
    assert done.code == 0, done.out + done.err
    assert "2 alarms raised, all cleared" in done.out
