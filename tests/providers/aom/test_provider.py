"""What the AOM provider asks of a service, request by request."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.core.address import Address
from reconciler.core.diagnostic import DiagnosticError
from reconciler.core.duration import DAY, HOUR
from reconciler.core.observed import State
from reconciler.providers.aom import PROVIDER
from reconciler.providers.aom.parse import observed
from reconciler.providers.protocol import ErrorKind, ServiceError
from tests.providers.aom.objects import ALARM, EVENT, NOW, STACK, clear, desired, marks, opened, push
from tests.providers.service import Reply, in_turn, service

NOTHING = Reply(200, {"events": [], "page_info": {"next_marker": ""}})


def relations(asked) -> dict[str, list[str]]:
    found = asked.json()["metadata_relation"]
    assert {one["relation"] for one in found} == {"AND"}
    return {one["key"]: one["value"] for one in found}


def minutes(asked) -> int:
    return int(asked.json()["time_range"].split(".")[2])


def shown(of, number: int = 1, **changes: object) -> dict[str, object]:
    return {**json.loads(push(of).payload), "id": str(number), "ends_at": 0, **changes}


def test_a_batch_is_pushed_in_one_request_to_the_byte() -> None:
    operations = [push(desired(f"a{n}", annotations={"message": "磁盘"})) for n in range(3)]
    with service(in_turn(Reply(204))) as running:
        assert opened(running.url).send(operations) == [None, None, None]
    [asked] = running.asked
    assert (asked.method, asked.path, asked.query) == ("PUT", "/v2/demo/push/events", {})
    assert asked.body.decode() == '{"events":[' + ",".join(one.payload for one in operations) + "]}"
    assert asked.headers["Content-Type"] == "application/json"
    assert asked.headers["X-Auth-Token"] == "very-secret-token"
    assert "enterprise-project-id" not in asked.headers


def test_a_clear_says_so_in_the_query_string() -> None:
    found = observed(shown(desired()), "aom", STACK)
    assert found is not None
    with service(in_turn(Reply(204))) as running:
        opened(running.url).send([clear(found, NOW)])
    [asked] = running.asked
    assert (asked.method, asked.path, asked.query) == ("PUT", "/v2/demo/push/events", {"action": "clear"})
    assert asked.json()["events"][0]["id"] == "1"


def test_the_enterprise_project_travels_in_the_header_of_each_page() -> None:
    with service(in_turn(Reply(204), NOTHING)) as running:
        provider = opened(running.url, enterprise_project_id="ep-1")
        provider.send([push(desired())])
        list(provider.observe(STACK, []))
    assert "enterprise-project-id: ep-1" in str(running.asked[0].headers)
    assert "Enterprise-Project-Id: ep-1" in str(running.asked[1].headers)


@pytest.mark.parametrize("body", [b"", b" \n", b"{}", b'{"status": "ok"}'])
def test_a_success_other_than_204_is_a_success(body: bytes) -> None:
    with service(in_turn(Reply(200, body))) as running:
        assert opened(running.url).send([push(desired())]) == [None]


@pytest.mark.parametrize("body", [b"<html>please sign in</html>", b'{"error_code": "AOM.0500", "error_msg": "no"}'])
def test_a_200_that_is_not_the_services_word_is_in_doubt(body: bytes) -> None:
    with service(in_turn(Reply(200, body))) as running, pytest.raises(ServiceError) as caught:
        opened(running.url).send([push(desired())])
    assert caught.value.kind is ErrorKind.AMBIGUOUS


def test_an_error_names_the_request_and_what_the_service_said() -> None:
    refused = Reply(400, {"error_code": "AOM.0400", "error_msg": "parse eventParam failed", "trace_id": "t-1"})
    with service(in_turn(refused)) as running, pytest.raises(ServiceError) as caught:
        opened(running.url).send([push(desired())])
    assert caught.value.kind is ErrorKind.REJECTED
    assert caught.value.detail == (
        "parse eventParam failed",
        400,
        "AOM.0400",
        "t-1",
        f"PUT {running.url}/v2/demo/push/events",
    )


def test_observing_asks_once_for_active_alarms_of_the_stack() -> None:
    with service(in_turn(NOTHING)) as running:
        assert list(opened(running.url).observe(STACK, [desired(f"a{n}") for n in range(200)])) == []
    [asked] = running.asked
    assert (asked.method, asked.path, asked.query["type"]) == ("POST", "/v2/demo/events", "active_alert")
    assert relations(asked) == {"event_type": ["alarm"], "reconciler_stack": [STACK]}
    assert minutes(asked) == 30 * 24 * 60


def test_events_are_asked_for_only_where_one_is_declared() -> None:
    event = desired("e", type_=EVENT)
    answers = [NOTHING, Reply(200, {"events": [shown(event)], "page_info": {}})]
    with service(in_turn(*answers)) as running:
        [found] = opened(running.url).observe(STACK, [desired(), event])
    assert (found.state, found.marks.occurrence) == (State.RECORDED, event.occurrence)
    assert "type" not in running.asked[1].query
    assert relations(running.asked[1]) == {"event_type": ["event"], "reconciler_stack": [STACK]}


def test_a_query_reaches_back_to_a_beginning_the_configuration_names() -> None:
    with service(in_turn(NOTHING)) as running:
        provider = opened(running.url, lambda: NOW, lookback="1h")
        list(provider.observe(STACK, [desired()]))
        list(provider.observe(STACK, [desired(starts_at=NOW - DAY)]))
        list(provider.read_back([push(desired(), starts_at=NOW - 2 * DAY)]))
        list(provider.read_back([push(desired(), starts_at=NOW + DAY)]))
    assert [minutes(asked) for asked in running.asked] == [60, 25 * 60, 49 * 60, 26 * 60]
    assert running.asked[3].json()["time_range"].startswith(f"{NOW - HOUR}.{NOW + DAY + HOUR}.")


def test_history_is_asked_for_a_few_addresses_and_comes_newest_first() -> None:
    old, new, other = desired("a"), desired("b"), desired("c")
    events = [
        shown(old, 1, ends_at=NOW + 1),
        shown(new, 2, ends_at=NOW + 2 * HOUR),
        shown(other, 3, ends_at=NOW + HOUR),
        shown(new, 4),
    ]
    with service(in_turn(Reply(200, {"events": events, "page_info": {}}))) as running:
        found = list(opened(running.url).history(STACK, [old.address, new.address]))
    assert [item.id for item in found] == ["2", "1"]
    [asked] = running.asked
    assert asked.query["type"] == "history_alert"
    assert relations(asked)["reconciler_address"] == ["aom_alarm.a", "aom_alarm.b"]


def test_history_of_many_addresses_is_asked_for_the_whole_stack() -> None:
    with service(in_turn(NOTHING)) as running:
        list(opened(running.url).history(STACK, [Address("aom_alarm", f"a{n}") for n in range(51)]))
    assert "reconciler_address" not in relations(running.asked[0])


def test_history_of_nothing_asks_nothing() -> None:
    with service(in_turn(NOTHING)) as running:
        assert list(opened(running.url).history(STACK, [])) == []
    assert running.asked == []


def test_looking_asks_for_the_addresses_of_the_operations_alone() -> None:
    mine, other = desired("a", "ecs-1"), desired("b")
    with service(in_turn(Reply(200, {"events": [shown(mine), shown(other, 2)], "page_info": {}}))) as running:
        [found] = opened(running.url).read_back([push(mine)])
    assert found.marks == marks(mine)
    [asked] = running.asked
    assert asked.query["type"] == "active_alert"
    assert relations(asked) == {
        "event_type": ["alarm"],
        "reconciler_stack": [STACK],
        "reconciler_address": ['aom_alarm.a["ecs-1"]'],
    }


def test_looking_for_many_asks_once_for_the_stack() -> None:
    alarms = [desired(f"a{n}") for n in range(60)]
    events = [shown(alarm, number) for number, alarm in enumerate([*alarms, desired("other")])]
    with service(in_turn(Reply(200, {"events": events, "page_info": {}}))) as running:
        found = list(opened(running.url).read_back([push(alarm) for alarm in alarms]))
    assert len(found) == 60
    assert [list(relations(asked)) for asked in running.asked] == [["event_type", "reconciler_stack"]]


def test_looking_after_a_clear_needs_nothing_but_the_clear() -> None:
    found = observed(shown(desired()), "aom", STACK)
    assert found is not None
    with service(in_turn(NOTHING)) as running:
        assert list(opened(running.url).read_back([clear(found, NOW)])) == []
    assert relations(running.asked[0])["reconciler_stack"] == [STACK]


def test_looking_for_events_and_alarms_asks_for_each() -> None:
    with service(in_turn(NOTHING)) as running:
        list(opened(running.url).read_back([push(desired()), push(desired(type_=EVENT))]))
    assert [relations(asked)["event_type"] for asked in running.asked] == [["alarm"], ["event"]]


def test_settings_drive_the_applier() -> None:
    with service(in_turn(NOTHING)) as running:
        limits = opened(running.url, batch_size=7, parallelism=2, rate_limit=3, visible_within="5s").limits
    assert (limits.batch_size, limits.parallelism, limits.rate_limit, limits.visible_within) == (7, 2, 3.0, 5000)


def test_an_embedded_endpoint_needs_a_running_emulator() -> None:
    with pytest.raises(DiagnosticError, match=r"providers\.aom: .*none is running"):
        opened("embedded")


def test_a_missing_ca_file_is_told_before_anything_is_sent() -> None:
    with pytest.raises(DiagnosticError, match=r"providers\.aom\.ca_file: there is no file /no/such"):
        opened("https://aom.invalid", ca_file="/no/such")


@settings(max_examples=30, deadline=None)
@given(
    event=st.recursive(
        st.none() | st.integers() | st.text(max_size=3),
        lambda v: (
            st.lists(v, max_size=2)
            | st.dictionaries(
                st.sampled_from(
                    ["id", "metadata", "annotations", "event_type", "timeout", "reconciler_stack", "starts_at", "x"]
                ),
                v,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
def test_no_event_whatsoever_crashes_the_parser(event: object) -> None:
    if isinstance(event, dict):
        observed(event, "aom", STACK)
        forced = {**event, "metadata": {"event_type": "alarm", "reconciler_stack": STACK, "reconciler_address": "a.b"}}
        observed(forced, "aom", STACK)


def test_alarms_and_events_are_what_aom_manages() -> None:
    assert list(PROVIDER.resource_types) == [ALARM.name, EVENT.name]
