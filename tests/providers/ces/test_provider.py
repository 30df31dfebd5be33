"""The CES provider against the emulator, and against a service that answers oddly."""

from __future__ import annotations

import json
import logging

import pytest

from reconciler.core.duration import DAY, HOUR, MINUTE
from reconciler.core.observed import State
from reconciler.emulator.settings import Settings, User
from reconciler.providers.ces import PROVIDER
from reconciler.providers.protocol import ErrorKind, ServiceError
from tests.providers.ces.objects import NOW, STACK, desired, opened, record
from tests.providers.service import Asked, Reply, in_turn, service


@pytest.fixture
def provider(emulator):
    made = opened(emulator.url)
    yield made
    made.close()


def on_record(provider, declared, stack: str = STACK) -> list[tuple[str, str | None]]:
    return sorted((str(one.marks.address), one.marks.occurrence) for one in provider.observe(stack, declared))


def test_ids_come_back_in_the_order_of_the_events(emulator, provider) -> None:
    operations = [record(desired(f"n{n}", occurrence="1"), begins_at=emulator.now()) for n in range(100)]
    ids = provider.send(operations)
    assert len(set(ids)) == 100
    assert provider.send(operations[::-1]) == ids[::-1]
    assert {one.id for one in provider.read_back(operations)} == set(ids)


def test_what_is_reported_is_on_record(emulator, provider) -> None:
    event = desired(occurrence="v1", content="release v1\nstarted", event_level="Info", resource_name="shop")
    now = emulator.now()
    [event_id] = provider.send([record(event, begins_at=now)])
    [found] = provider.observe(STACK, [event])
    assert (found.id, found.state, found.starts_at, found.provider) == (event_id, State.RECORDED, now, "ces")
    assert found.identity == event.identity
    assert found.attributes == event.attributes
    assert (found.marks.stack, found.marks.address, found.marks.occurrence) == (STACK, event.address, "v1")


def test_a_retry_of_the_very_same_item_is_one_event(emulator, provider) -> None:
    operation = record(desired(), begins_at=emulator.now())
    assert provider.send([operation]) == provider.send([operation])


def test_another_machine_finds_the_occurrence_by_its_mark(emulator, provider) -> None:
    provider.send([record(desired(occurrence="v1"), begins_at=emulator.now())])
    emulator.advance(5 * MINUTE)
    elsewhere = opened(emulator.url)
    assert on_record(elsewhere, [desired(occurrence="v1")]) == [("ces_event.released", "v1")]
    assert on_record(elsewhere, [desired(occurrence="v2")]) == []
    assert on_record(elsewhere, [desired(occurrence="v1")], "another-stack") == []


@pytest.mark.parametrize("emulator", [Settings(ces_newlines="escape"), Settings(ces_status=200)], indirect=True)
def test_an_event_with_a_user_of_its_own_is_found_by_what_it_says(emulator, provider) -> None:
    said = {"event_user": "ops", "event_level": "Info", "resource_id": "r-1"}
    one = desired(occurrence="v1", content="release v1\nstarted", **said)
    provider.send([record(one, begins_at=emulator.now())])
    assert on_record(provider, [one]) == [("ces_event.released", "v1")]
    for other in (
        desired(occurrence="v2", content="release v2\nstarted", **said),
        desired(occurrence="v1", content="release v1 ended", **said),
        desired(occurrence="v1", content="release v1\nstarted", **{**said, "event_user": "dev"}),
        desired(occurrence="v1", content="release v1\nstarted", **{**said, "event_level": "Major"}),
        desired(occurrence="v1", content="release v1\nstarted", event_source="checkout.other", **said),
    ):
        assert on_record(provider, [other]) == []


def test_an_event_at_a_time_of_its_own_is_found_at_that_time_alone(emulator, provider) -> None:
    now = emulator.now()
    at = desired(event_user="ops", time=now - 30 * MINUTE)
    provider.send([record(at, begins_at=now)])
    assert len(on_record(provider, [at])) == 1
    assert on_record(provider, [desired(event_user="ops", time=now - 29 * MINUTE)]) == []


def test_many_events_of_one_name_are_read_page_by_page(emulator, provider) -> None:
    events = [desired("n", f"k{n}") for n in range(250)]
    now = emulator.now()
    for start in range(0, 250, 100):
        provider.send([record(event, begins_at=now) for event in events[start : start + 100]])
    emulator.forget_requests()
    assert len(on_record(provider, events)) == 250
    assert len(emulator.requests("ces-details")) == 3
    assert len(emulator.requests("ces-list")) == 0


def test_details_are_asked_for_only_of_names_on_record(emulator, provider) -> None:
    events = [desired(f"n{n}") for n in range(150)]
    provider.send([record(event, begins_at=emulator.now()) for event in events[:5]])
    emulator.forget_requests()
    assert len(on_record(provider, events)) == 5
    assert len(emulator.requests("ces-list")) == 1
    assert len(emulator.requests("ces-details")) == 5


def test_looking_finds_what_was_sent_and_nothing_else(emulator, provider) -> None:
    now = emulator.now()
    sent = [record(desired("a"), begins_at=now), record(desired("b", event_user="ops"), begins_at=now)]
    other = record(desired("c"), begins_at=now)
    provider.send(sent)
    provider.send([record(desired("b", event_user="ops"), begins_at=now - 30 * MINUTE)])
    found = {(one.marks.address.name, one.marks.occurrence) for one in provider.read_back([*sent, other])}
    assert found == {(one.address.name, one.occurrence) for one in sent}
    assert list(provider.read_back([other])) == []


def test_what_lies_before_the_lookback_is_not_remembered(emulator) -> None:
    provider = opened(emulator.url, emulator.now, lookback="1h")
    event = desired(occurrence="v1")
    provider.send([record(event, begins_at=emulator.now())])
    assert on_record(provider, [event]) == [("ces_event.released", "v1")]
    emulator.advance(2 * HOUR)
    assert on_record(provider, [event]) == []


def test_nothing_declared_asks_nothing(emulator, provider) -> None:
    assert list(provider.observe(STACK, [])) == []
    assert list(provider.history(STACK, [desired().address])) == []
    assert emulator.requests() == []


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("ces-report:status=400", ErrorKind.REJECTED),
        ("ces-report:status=401", ErrorKind.DENIED),
        ("ces-report:status=403", ErrorKind.DENIED),
        ("ces-report:status=408", ErrorKind.AMBIGUOUS),
        ("ces-report:status=429,retry_after=7", ErrorKind.BUSY),
        ("ces-report:status=500", ErrorKind.AMBIGUOUS),
        ("ces-report:status=503", ErrorKind.BUSY),
        ("ces-report:cut", ErrorKind.AMBIGUOUS),
        ("ces-report:html", ErrorKind.AMBIGUOUS),
    ],
)
def test_each_refusal_has_its_meaning(emulator, provider, fault: str, kind: ErrorKind) -> None:
    emulator.fault(fault)
    with pytest.raises(ServiceError) as caught:
        provider.send([record(desired(), begins_at=emulator.now())])
    assert caught.value.kind is kind
    assert caught.value.retry_after == (7_000 if "429" in fault else None)
    assert caught.value.detail.message


def test_an_event_out_of_the_window_is_refused_by_the_service_too(emulator, provider) -> None:
    with pytest.raises(ServiceError, match="outside") as caught:
        provider.send([record(desired(), begins_at=emulator.now() - HOUR)])
    assert caught.value.kind is ErrorKind.REJECTED


@pytest.mark.parametrize(
    ("emulator", "auth"),
    [
        (Settings(token="very-secret-token"), {"token": "very-secret-token"}),  # noqa: S106 - made up
        (Settings(keys={"AK": "sk"}, check_signature_time=True), {"ak": "AK", "sk": "sk"}),
        (
            Settings(token="x", users=(User("u", "p", "d"),)),  # noqa: S106 - made up
            {"iam": {"user": "u", "password": "p", "domain": "d", "project": "demo"}},
        ),
    ],
    indirect=["emulator"],
)
def test_every_way_to_prove_who_is_calling_is_shared_with_aom(emulator, auth: dict[str, object]) -> None:
    if "iam" in auth:
        auth = {"iam": {**auth["iam"], "endpoint": emulator.url}}
    provider = opened(emulator.url, auth=auth)
    event = desired("a", content="磁盘")
    provider.send([record(event, begins_at=emulator.now())])
    assert len(on_record(provider, [event, desired("b")])) == 1


def shown(of, number: int = 1) -> dict[str, object]:
    return {**json.loads(record(of).payload), "event_id": f"evd{number}"}


def details(events: object, total: object) -> Reply:
    return Reply(200, {"event_name": "released", "event_info": events, "meta_data": {"total": total}})


def seen(reply, *declared, lookback: str = "30d") -> tuple[list[str], list[Asked]]:
    with service(reply) as running:
        provider = opened(running.url, lambda: NOW, lookback=lookback)
        found = [one.id for one in provider.observe(STACK, declared)]
        provider.close()
    return found, running.asked


def test_one_name_is_asked_for_in_one_request() -> None:
    event = desired()
    found, [asked] = seen(in_turn(details([shown(event)], 1)), event)
    assert found == ["evd1"]
    assert (asked.method, asked.path) == ("GET", "/V1.0/demo/event/released")
    assert asked.query == {
        "event_type": "EVENT.CUSTOM",
        "from": str(NOW - 30 * DAY),
        "to": str(NOW + 10 * MINUTE),
        "start": "0",
        "limit": "100",
    }
    assert "Content-Type" not in asked.headers


def test_the_query_reaches_back_to_a_time_the_configuration_names() -> None:
    _, [asked] = seen(in_turn(details([], 0)), desired(time=NOW - 60 * DAY), desired("released", "k"))
    assert int(asked.query["from"]) < NOW - 60 * DAY
    _, [asked] = seen(in_turn(details([], 0)), desired(time=1_111_111_111_112))
    assert asked.query["from"] == "1111111111111"


@pytest.mark.parametrize("total", [None, "many", {}])
def test_pages_without_a_total_are_read_until_one_is_empty(total: object) -> None:
    event = desired()
    found, asked = seen(
        in_turn(details([shown(event, 1)], total), details([shown(event, 2)], total), details([], total)), event
    )
    assert found == ["evd1", "evd2"]
    assert [one.query["start"] for one in asked] == ["0", "1", "2"]


def test_pages_that_do_not_go_on_are_an_error_and_not_a_loop() -> None:
    event = desired()
    with pytest.raises(ServiceError, match="one brought nothing new") as caught:
        seen(in_turn(details([shown(event)], 500)), event)
    assert caught.value.kind is ErrorKind.REJECTED


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<html>", "not JSON"),
        (b"[]", "not a page"),
        (b'{"event_info": 5}', "are not a list"),
        (b'{"event_info": [1, null]}', "one brought nothing new"),
        (b'{"error_code": "CES.1", "error_msg": "no"}', "CES.1: no"),
    ],
)
def test_an_answer_that_is_no_page_is_an_error(content: bytes, message: str) -> None:
    with pytest.raises(ServiceError, match=message) as caught:
        seen(in_turn(Reply(200, content)), desired())
    assert caught.value.kind is (ErrorKind.REJECTED if "nothing new" in message else ErrorKind.AMBIGUOUS)


def test_odd_events_are_left_out_and_the_others_seen(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    event = desired()
    odd = {**shown(event, 2), "time": "x", "event_id": 7}
    events = [
        None,
        {},
        {"detail": []},
        {"detail": {"event_user": 5}},
        shown(desired("n", "k"), 3),
        odd,
        shown(event, 1),
    ]
    assert seen(in_turn(details(events, 7)), event)[0] == ["7", "evd1"]
    assert "1 of its events are not maps" in caplog.text


def test_a_failure_among_many_names_ends_the_query() -> None:
    def reply(asked: Asked) -> Reply:
        if asked.path.endswith("/events"):
            names = [{"event_name": f"n{n}"} for n in range(30)]
            return Reply(200, {"events": names, "meta_data": {"total": 30}})
        return Reply(500, b"")

    with pytest.raises(ServiceError) as caught:
        seen(reply, *[desired(f"n{n}") for n in range(30)])
    assert caught.value.kind is ErrorKind.AMBIGUOUS


@pytest.mark.parametrize("body", [{"event_id": "x"}, [], [{"event_id": "x"}] * 3, None])
def test_an_answer_that_names_other_events_is_a_success_without_ids(body: object) -> None:
    with service(in_turn(Reply(201, body))) as running:
        assert opened(running.url).send([record(desired("a")), record(desired("b"))]) == [None, None]


def test_ids_that_are_not_texts_are_left_out() -> None:
    with service(in_turn(Reply(201, [{"event_id": 5}, {"event_id": "evd2"}]))) as running:
        assert opened(running.url).send([record(desired("a")), record(desired("b"))]) == [None, "evd2"]


def test_a_batch_holds_at_most_100() -> None:
    block = {"endpoint": "embedded", "project_id": "demo", "auth": {"token": "x"}}
    assert PROVIDER.settings.model_validate(block).batch_size == 100
    with pytest.raises(ValueError, match="less than or equal to 100"):
        PROVIDER.settings.model_validate({**block, "batch_size": 101})
