"""Queries: alerts, silences and the state of the instances, as checks and expressions see them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from reconciler.emulator.settings import Settings, wall_clock
from reconciler.providers.alertmanager import PROVIDER
from reconciler.providers.protocol import ErrorKind, Provider, Queryable, ServiceError
from tests.cli.run_cli import reconciler
from tests.emulator.alertmanager.target import KINDS, Target, target
from tests.providers.alertmanager.objects import opened

MINUTE = 60_000


@pytest.fixture(scope="module", params=KINDS)
def two(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """A cluster of two with one alert of each kind: plain, silenced, inhibited, and one at a single instance."""
    with target(request.param, tmp_path_factory.mktemp("query"), 2) as made:
        made.put_silence(made.silence(comment="maintenance", team="silenced"))
        made.put_silence(made.silence(start=300, comment="later", team="plain"))
        end = made.time(600)

        def alert(name: str, **labels: str) -> dict[str, object]:
            return {"labels": {"alertname": name, **labels}, "annotations": {"a": "b"}, "endsAt": end}

        made.push(
            alert("Plain", severity="critical", team="plain"),
            alert("Plain", severity="warning", team="shop"),
            alert("Quiet", severity="critical", team="silenced"),
            peers=(0, 1),
        )
        made.push(alert("Half", severity="info", team="half"))
        made.until(lambda: len(made.query(peer=1, silenced="true")) == 3 and bool(_silenced(made)))
        yield made


def _silenced(made: Target) -> list[object]:
    return [each for each in made.query('alertname="Quiet"', peer=1) if each["status"]["silencedBy"]]


@pytest.fixture
def provider(two: Target) -> Iterator[Provider]:
    made = opened(two.urls)
    yield made
    made.close()


def asked(provider: Provider, source: str, **filters: object) -> list[Mapping[str, object]]:
    assert isinstance(provider, Queryable)
    query = PROVIDER.data_sources[source].model.model_validate(filters)
    found = list(provider.query(source, query, ()))
    for item in found:
        assert list(item) == list(PROVIDER.data_sources[source].fields)
    return found


def named(items: list[Mapping[str, object]]) -> list[str]:
    return sorted(f"{item['alertname']} {item['severity']} {item['state']}" for item in items)


def test_every_alert_is_one_item_with_what_holds_it_back_and_where_it_is(two: Target, provider: Provider) -> None:
    found = asked(provider, "alertmanager_alerts")
    assert named(found) == [
        "Half info active",
        "Plain critical active",
        "Plain warning suppressed",
        "Quiet critical suppressed",
    ]
    by_name = {f"{item['alertname']} {item['severity']}": item for item in found}
    assert by_name["Plain warning"]["inhibited_by"] == [by_name["Plain critical"]["id"]]
    [silence] = asked(provider, "alertmanager_silences")
    assert by_name["Quiet critical"]["silenced_by"] == [silence["id"]]
    assert {name: (item["silenced"], item["inhibited"]) for name, item in by_name.items()} == {
        "Half info": (False, False),
        "Plain critical": (False, False),
        "Plain warning": (False, True),
        "Quiet critical": (True, False),
    }
    assert by_name["Half info"]["instances"] == [two.urls[0]]
    plain = by_name["Plain critical"]
    assert plain["instances"] == list(two.urls)
    assert (plain["annotations"], plain["receivers"], plain["generator_url"]) == ({"a": "b"}, ["hook"], None)
    assert plain["labels"] == {"alertname": "Plain", "severity": "critical", "team": "plain"}
    ends_at = plain["ends_at"]
    assert isinstance(ends_at, int)
    assert 0 < ends_at - wall_clock() <= 10 * MINUTE


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"labels": {"alertname": "Half"}}, ["Half info active"]),
        ({"labels": {"team": ["half", "pl.*"]}}, ["Half info active"]),
        ({"labels": {"alertname": "Plain"}, "inhibited": False}, ["Plain critical active"]),
        ({"labels": {"severity": "critical"}, "silenced": False}, ["Plain critical active"]),
        ({"matchers": ['team=~"h.*"', 'severity!="critical"']}, ["Half info active"]),
    ],
)
def test_filters_are_asked_of_the_server(provider: Provider, filters: dict[str, object], expected: list[str]) -> None:
    assert named(asked(provider, "alertmanager_alerts", **filters)) == expected


def test_a_matcher_that_the_server_cannot_read_is_told_in_its_words(provider: Provider) -> None:
    with pytest.raises(ServiceError) as raised:
        asked(provider, "alertmanager_alerts", matchers=["{"])
    assert raised.value.kind is ErrorKind.REJECTED
    assert raised.value.detail.message.startswith("bad matcher format")


def test_silences_are_found_by_their_state_and_each_once(provider: Provider) -> None:
    [active] = asked(provider, "alertmanager_silences")
    assert (active["state"], active["comment"], active["created_by"]) == ("active", "maintenance", "test")
    assert active["matchers"] == ['team="silenced"']
    found = asked(provider, "alertmanager_silences", state=["active", "pending"])
    assert sorted(str(item["comment"]) for item in found) == ["later", "maintenance"]


def test_a_group_has_its_alerts_of_all_instances_and_says_which_are_held_back(two: Target, provider: Provider) -> None:
    found = {str(item["id"]): item for item in asked(provider, "alertmanager_groups")}
    assert {
        key: [item[name] for name in ("size", "active", "silenced", "inhibited")] for key, item in found.items()
    } == {
        'hook: {alertname="Half"}': [1, 1, 0, 0],
        'hook: {alertname="Plain"}': [2, 1, 0, 1],
        'hook: {alertname="Quiet"}': [1, 0, 1, 0],
    }
    plain, half = found['hook: {alertname="Plain"}'], found['hook: {alertname="Half"}']
    assert (plain["receiver"], plain["labels"]) == ("hook", {"alertname": "Plain"})
    assert (plain["instances"], half["instances"]) == (list(two.urls), [two.urls[0]])
    assert isinstance(plain["alerts"], list)
    assert named(plain["alerts"]) == ["Plain critical active", "Plain warning suppressed"]
    assert asked(provider, "alertmanager_groups", receiver="nobody") == []
    assert len(asked(provider, "alertmanager_groups", receiver="ho+k", labels={"alertname": "Plain"})) == 1
    assert len(asked(provider, "alertmanager_groups", silenced=False)) == 2


CHECKS = """\
stack: gate
providers: {{alertmanager: {{endpoints: {urls}}}}}
data:
  alertmanager_alerts: {{critical: {{labels: {{severity: critical}}, silenced: false}}, all: {{}}}}
  alertmanager_silences: {{all: {{state: [active, pending]}}}}
  alertmanager_groups: {{plain: {{labels: {{alertname: Plain}}}}}}
  alertmanager_status: {{all: {{}}}}
checks:
  nothing_critical_fires: {{data: alertmanager_alerts.critical, expect: {{count: 0}}}}
  nothing_is_silenced: {{data: alertmanager_alerts.all, expect: {{none: {{silenced: true}}}}}}
  no_silence_over_7_days: {{data: alertmanager_silences.all, expect: {{all: {{duration: {{at_most: 604800000}}}}}}}}
  the_cluster_has_2_peers: {{data: alertmanager_status.all, expect: {{all: {{peers: 2, cluster: ready}}}}}}
  a_group_is_heard: {{data: alertmanager_groups.plain, expect: {{all: {{active: {{at_least: 1}}}}}}}}
resources:
  alertmanager_silence:
    noise:
      enabled: "${{data.alertmanager_groups.plain[0].size > 1}}"
      matchers: ['alertname="${{data.alertmanager_alerts.critical[0].alertname}}"']
      comment: "${{data.alertmanager_silences.all | length}} silences, ${{data.alertmanager_status.all | length}} peers"
      duration: 1h
"""


def test_all_data_sources_are_usable_in_checks_and_expressions(two: Target, tmp_path: Path) -> None:
    (tmp_path / "stack.yaml").write_text(CHECKS.format(urls=list(two.urls)))
    done = reconciler("check", tmp_path, "--format", "json")
    found = {check["name"]: check["verdict"] for check in json.loads(done.out)["checks"]}
    assert found == {
        "nothing_critical_fires": "failed",
        "nothing_is_silenced": "failed",
        "no_silence_over_7_days": "passed",
        "the_cluster_has_2_peers": "passed",
        "a_group_is_heard": "passed",
    }
    plan = json.loads(reconciler("plan", tmp_path, "--format", "json").out)
    [change] = plan["changes"]
    assert change["after"]["identity"] == {"matchers": 'alertname="Plain"'}
    assert change["after"]["attributes"]["comment"] == "2 silences, 2 peers"


def test_unmanaged_alerts_and_silences_are_imported_and_what_prometheus_sends_is_told(emulator, tmp_path: Path) -> None:
    url = f"{emulator.url}/alertmanager"
    (tmp_path / "stack.yaml").write_text(f"stack: gate\nproviders: {{alertmanager: {{endpoints: ['{url}']}}}}\n")
    end = "2099-01-01T00:00:00Z"
    alerts = [
        {"labels": {"alertname": "ByHand", "severity": "warning"}, "endsAt": end},
        {"labels": {"alertname": "ByRule", "severity": "warning"}, "endsAt": end, "generatorURL": "http://prom/g"},
    ]
    emulator.session.post(f"{url}/api/v2/alerts", json=alerts).raise_for_status()
    silence = {"createdBy": "ops", "comment": "late", "startsAt": "2026-01-01T00:00:00Z", "endsAt": end}
    matchers = [{"name": "team", "value": "shop", "isRegex": False}]
    emulator.session.post(f"{url}/api/v2/silences", json={**silence, "matchers": matchers}).raise_for_status()
    imported = tmp_path / "imported.yaml"
    done = reconciler("import", tmp_path, "--out", str(imported))
    assert done.code == 0, done.err
    assert "Wrote 2 alarms and 1 silence" in done.err
    assert "1 alarm cannot be adopted: Prometheus, or another rule engine, sends it again" in done.err
    text = imported.read_text()
    assert "alertmanager_silence:\n    shop:\n" in text
    assert 'matchers: ["team=\\"shop\\""]' in text
    assert 'ends_at: "2099-01-01T00:00:00Z"' in text
    done = reconciler("import", tmp_path, "--adopt", "--out", str(tmp_path / "adoption.json"))
    assert "1 alarm cannot be adopted" in done.err
    assert "alertmanager_alert.ByHand" in done.out
    assert "ByRule" not in done.out
    done = reconciler("apply", tmp_path, str(tmp_path / "adoption.json"), "--auto-approve")
    assert done.code == 0, done.out + done.err
    [left] = emulator.session.get(f"{url}/api/v2/silences?filter=team=shop").json()[:1]
    assert "reconciler_stack" in left["comment"]
    shown = emulator.session.get(f"{url}/api/v2/alerts").json()
    assert sorted((alert["labels"]["alertname"], "reconciler_stack" in alert["labels"]) for alert in shown) == [
        ("ByHand", True),
        ("ByRule", False),
    ]


def test_the_status_has_an_item_for_every_instance(two: Target, provider: Provider) -> None:
    found = asked(provider, "alertmanager_status")
    assert [item["id"] for item in found] == list(two.urls)
    assert {(item["cluster"], item["peers"]) for item in found} == {("ready", 2)}
    assert {str(item["version"])[:2] for item in found} == {"0."}
    for item in found:
        assert isinstance(item["started_at"], int)


@pytest.mark.parametrize("emulator", [Settings(alertmanager_peers=2)], indirect=True)
def test_an_instance_that_is_down_makes_the_status_an_error_even_with_a_quorum(emulator) -> None:
    urls = [f"{emulator.url}/alertmanager", f"{emulator.url}/alertmanager-2"]
    emulator.session.post(f"{emulator.url}/admin/alertmanager/stop", json={"peer": 2})
    provider = opened(urls, quorum=1)
    assert asked(provider, "alertmanager_alerts") == []
    with pytest.raises(ServiceError):
        asked(provider, "alertmanager_status")


def test_a_check_says_which_alert_is_in_the_way(emulator, tmp_path: Path) -> None:
    url = f"{emulator.url}/alertmanager"
    body = [{"labels": {"alertname": "DiskFull", "severity": "critical"}, "endsAt": "2099-01-01T00:00:00Z"}]
    (tmp_path / "stack.yaml").write_text(
        "stack: gate\n"
        f"providers: {{alertmanager: {{endpoints: ['{url}']}}}}\n"
        "data: {alertmanager_alerts: {critical: {labels: {severity: critical}}}}\n"
        "checks: {calm: {data: alertmanager_alerts.critical, expect: {count: 0}}}\n"
    )
    assert reconciler("check", tmp_path).code == 0
    emulator.session.post(f"{url}/api/v2/alerts", json=body)
    done = reconciler("check", tmp_path)
    assert done.code == 3
    assert "DiskFull (critical, active)" in done.out
