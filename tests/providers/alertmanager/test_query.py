"""Queries: alerts, silences and the state of the instances, as checks and expressions see them."""

from __future__ import annotations

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
