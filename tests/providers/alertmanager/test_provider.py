"""The provider against the emulator and the real server, and against services that answer oddly."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator

import pytest

from reconciler.core.duration import MINUTE
from reconciler.emulator.settings import Settings, User, wall_clock
from reconciler.providers.protocol import ErrorKind, Importable, ServiceError
from tests.emulator.alertmanager.target import KINDS, Target, target
from tests.providers.alertmanager.objects import STACK, clear, desired, opened, push
from tests.providers.service import Asked, Reply, service


@pytest.fixture(scope="module", params=KINDS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    with target(request.param, tmp_path_factory.mktemp("provider")) as made:
        yield made


def pair(emulator) -> list[str]:
    return [f"{emulator.url}/alertmanager", f"{emulator.url}/alertmanager-2"]


def test_a_batch_with_an_invalid_alert_is_refused_and_its_good_ones_are_stored(server: Target) -> None:
    provider = opened(server.urls)
    good = push(desired("Good"), wall_clock(), "good", "partial")
    bad = push(desired("Bad"), wall_clock(), "bad", "partial")
    bad = bad._replace(payload=bad.payload.replace('"alertname"', '"alert-name"'))
    with pytest.raises(ServiceError) as raised:
        provider.send([good, bad])
    assert (raised.value.kind, raised.value.detail.status) == (ErrorKind.REJECTED, 400)
    assert raised.value.detail.message.startswith("invalid label set")
    assert [found.marks.key for found in provider.read_back([good, bad])] == ["good"]
    provider.close()


def test_addresses_and_stacks_of_any_text_are_found_and_only_they(server: Target) -> None:
    provider = opened(server.urls)
    keys = ["a.b", "a|b", 'quote " and \\', "größe 💡", "(x)*[y]{2}^$+?", "axb", "line\nbreak"]
    sent = [push(desired(key=key), wall_clock(), f"key-{key}", "odd.stack") for key in keys]
    provider.send(sent)
    assert {found.marks.key for found in provider.observe("odd.stack", [])} == {operation.key for operation in sent}
    for operation in sent:
        assert [found.marks.address for found in provider.read_back([operation])] == [operation.address]
    assert list(provider.observe("oddxstack", [])) == []
    provider.close()


def test_an_alert_without_marks_can_be_declared_and_its_clear_is_seen(server: Target) -> None:
    provider = opened(server.urls)
    assert isinstance(provider, Importable)
    labels = {"alertname": "Foreign one", "severity": "warning"}
    server.push({"labels": labels, "annotations": {"a": "b"}, "startsAt": server.time(-9), "endsAt": server.time(999)})
    [found] = provider.unmanaged({"alertname": ["Foreign one"]})
    assert list(provider.unmanaged({"alertname": ["another"]})) == []
    assert (found.fields["labels"], found.fields["annotations"]) == (labels, {"a": "b"})
    assert str(found.observed.marks.address) == "alertmanager_alert.Foreign_one"
    operation = clear(found.observed, wall_clock())
    assert [seen.id for seen in provider.read_back([operation])] == [found.observed.id]
    provider.send([operation])
    assert list(provider.read_back([operation])) == []
    provider.close()


def test_a_busy_server_is_told_from_one_that_is_in_doubt(emulator) -> None:
    provider = opened([f"{emulator.url}/alertmanager"])
    for status, kind in ((503, ErrorKind.BUSY), (500, ErrorKind.AMBIGUOUS), (401, ErrorKind.DENIED)):
        emulator.fault(f"am-query:status={status},nth=1")
        with pytest.raises(ServiceError) as raised:
            list(provider.observe(STACK, []))
        assert raised.value.kind is kind
        emulator.clear_faults()


@pytest.mark.parametrize("emulator", [Settings(alertmanager_peers=2)], indirect=True)
def test_a_push_that_one_instance_did_not_take_is_in_doubt_and_shows_without_its_key(emulator) -> None:
    provider = opened(pair(emulator))
    operation = push(desired(), emulator.now())
    emulator.session.post(f"{emulator.url}/admin/alertmanager/stop", json={"peer": 2})
    with pytest.raises(ServiceError) as raised:
        provider.send([operation])
    assert raised.value.kind is ErrorKind.AMBIGUOUS
    assert "1 of 2 instances accepted it" in raised.value.detail.message
    with pytest.raises(ServiceError):
        list(provider.read_back([operation]))
    emulator.session.post(f"{emulator.url}/admin/alertmanager/restart", json={"peer": 2})
    [found] = provider.read_back([operation])
    assert (found.marks.key, found.missing_at) == ("", (pair(emulator)[1],))
    provider.send([operation])
    [found] = provider.read_back([operation])
    assert (found.marks.key, found.missing_at) == ("key-1", ())


@pytest.mark.parametrize("emulator", [Settings(alertmanager_peers=2)], indirect=True)
def test_a_quorum_is_enough_where_one_is_stated(emulator) -> None:
    provider = opened(pair(emulator), quorum=1)
    emulator.session.post(f"{emulator.url}/admin/alertmanager/stop", json={"peer": 1})
    operation = push(desired(), emulator.now())
    provider.send([operation])
    assert [found.marks.key for found in provider.read_back([operation])] == ["key-1"]
    [found] = provider.observe(STACK, [])
    assert found.missing_at == ()


@pytest.mark.parametrize("emulator", [Settings(alertmanager_peers=2)], indirect=True)
def test_instances_that_show_two_beginnings_show_one_alert(emulator) -> None:
    one, other = (opened([url]) for url in pair(emulator))
    both, begins = opened(pair(emulator)), emulator.now()
    one.send([push(desired(), begins - MINUTE, "old")])
    other.send([push(desired(), begins, "new")])
    [found] = both.observe(STACK, [])
    assert found.starts_at == begins - MINUTE
    assert (found.marks.key, found.missing_at) == ("new", (pair(emulator)[0],))
    both.send([clear(found, begins)])
    assert list(both.observe(STACK, [])) == []


@pytest.mark.parametrize(
    ("settings", "auth"),
    [
        (Settings(users=(User("ops", "pässword"),)), {"basic": {"username": "ops", "password": "pässword"}}),
        (Settings(token="a-token"), {"bearer": "a-token"}),  # noqa: S106 - made up
    ],
)
def test_who_proves_who_he_is_is_let_in(start_emulator, settings: Settings, auth: dict[str, object]) -> None:
    emulator = start_emulator(settings)
    url = f"{emulator.url}/alertmanager"
    opened([url], auth=auth).send([push(desired(), wall_clock())])
    with pytest.raises(ServiceError) as raised:
        opened([url]).send([push(desired(), wall_clock())])
    assert raised.value.kind is ErrorKind.DENIED


def test_headers_and_the_path_prefix_go_with_every_request() -> None:
    with service(lambda _: Reply(200, [])) as mimir:
        settings = {"path_prefix": "/alertmanager", "headers": {"X-Scope-OrgID": "team-a"}}
        auth = {"basic": {"username": "u", "password": "p"}}
        provider = opened([mimir.url], auth=auth, **settings)
        provider.send([push(desired())])
        assert list(provider.observe(STACK, [])) == []
    assert {asked.path for asked in mimir.asked} == {"/alertmanager/api/v2/alerts", "/alertmanager/api/v2/silences"}
    for asked in mimir.asked:
        assert asked.headers["X-Scope-OrgID"] == "team-a"
        assert asked.headers["Authorization"] == "Basic " + base64.b64encode(b"u:p").decode()


@pytest.mark.parametrize("body", [{}, [1], "text", b"<html>"])
def test_an_answer_that_is_no_list_of_alerts_is_not_taken_for_nothing(body: object) -> None:
    def reply(_: Asked) -> Reply:
        return Reply(200, body)

    with service(reply) as odd, pytest.raises(ServiceError):
        list(opened([odd.url]).observe(STACK, []))


def test_a_batch_is_one_request_in_the_order_of_its_operations(emulator) -> None:
    provider = opened([f"{emulator.url}/alertmanager"])
    sent = [push(desired(key=str(number)), emulator.now(), f"k{number}") for number in range(50)]
    provider.send(sent)
    [asked] = [each for each in emulator.requests() if each["method"] == "POST"]
    assert [alert["annotations"]["reconciler_key"] for alert in json.loads(asked["body"])] == [one.key for one in sent]
    assert len(list(provider.read_back(sent))) == 50
