"""Pushing and clearing on AOM, by the push page."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from reconciler.emulator.settings import DAY, Settings
from tests.emulator.calls import HOUR, MINUTE, clear, metadata, names, push, push_raw, query
from tests.emulator.handle import Emulator

DUPLICATE = Settings(on_repeat="duplicate")


def test_a_pushed_alarm_is_active_until_it_is_cleared_by_id(emulator: Emulator) -> None:
    push(emulator, "one", "two")
    first = next(alarm for alarm in query(emulator) if alarm["metadata"]["event_name"] == "one")
    clear(emulator, "one", id=first["id"], ends_at=first["starts_at"] + 5)
    assert names(query(emulator)) == ["two"]
    [ended] = query(emulator, "history_alert")
    assert (ended["id"], ended["ends_at"]) == (first["id"], first["starts_at"] + 5)


def test_what_was_pushed_is_shown_as_it_was(emulator: Emulator) -> None:
    sent = metadata(team="checkout", emoji='☃ "quoted" \\ \n')
    push(emulator, sent, annotations={"message": "hällo", "deep": {"a": [1, None]}}, attach_rule={"r": 1})
    [alarm] = query(emulator)
    assert alarm["metadata"] == sent
    assert alarm["annotations"] == {"message": "hällo", "deep": {"a": [1, None]}}
    assert alarm["attach_rule"] == {"r": 1}
    assert alarm["timeout"] == HOUR
    assert alarm["ends_at"] == 0
    assert alarm["enterprise_project_id"] == "0"
    assert alarm["policy"] == {}
    assert alarm["id"] != alarm["event_sn"]


@pytest.mark.parametrize("emulator", [Settings(merge_on="mandatory")], indirect=True)
def test_alarms_of_equal_mandatory_metadata_are_one_if_the_switch_says_so(emulator: Emulator) -> None:
    push(emulator, metadata("one", mark="a"))
    [first] = query(emulator)
    push(emulator, metadata("one", mark="b"), metadata("two"))
    merged = next(alarm for alarm in query(emulator) if alarm["metadata"]["event_name"] == "one")
    assert (merged["id"], merged["metadata"]["mark"]) == (first["id"], "b")
    assert names(query(emulator)) == ["one", "two"] or names(query(emulator)) == ["two", "one"]


def test_only_the_action_clear_clears(emulator: Emulator) -> None:
    push(emulator, "one")
    event = {"starts_at": emulator.now(), "metadata": metadata("one")}
    for action in ("CLEAR", "clear ", "resolve"):
        assert push_raw(emulator, {"events": [event]}, action=action).status_code == 204
    assert names(query(emulator)) == ["one"]


@pytest.mark.parametrize("emulator", [DUPLICATE], indirect=True)
def test_a_clear_without_id_ends_all_alarms_of_equal_metadata(emulator: Emulator) -> None:
    push(emulator, "one", "one", "two")
    clear(emulator, dict(reversed(metadata("one").items())))
    assert names(query(emulator)) == ["two"]


@pytest.mark.parametrize("emulator", [DUPLICATE], indirect=True)
def test_a_clear_with_an_id_ends_that_alarm_alone(emulator: Emulator) -> None:
    push(emulator, "one", "one")
    newer, older = query(emulator)
    clear(emulator, "one", id=newer["id"])
    assert [alarm["id"] for alarm in query(emulator)] == [older["id"]]


@pytest.mark.parametrize("emulator", [Settings(clear_by="id-and-metadata")], indirect=True)
def test_a_service_may_want_id_and_metadata_to_agree(emulator: Emulator) -> None:
    push(emulator, "one")
    [alarm] = query(emulator)
    clear(emulator, "two", id=alarm["id"])
    assert names(query(emulator)) == ["one"]
    clear(emulator, "one", id=alarm["id"])
    assert query(emulator) == []


def test_clearing_what_is_not_active_has_no_effect(emulator: Emulator) -> None:
    clear(emulator, "never pushed")
    clear(emulator, "never pushed", id="7")
    push(emulator, "one")
    [alarm] = query(emulator)
    clear(emulator, "one", id=alarm["id"], ends_at=alarm["starts_at"] + 1)
    clear(emulator, "one", id=alarm["id"], ends_at=alarm["starts_at"] + 2)
    assert [each["ends_at"] for each in query(emulator, "history_alert")] == [alarm["starts_at"] + 1]


def test_alarms_of_another_project_are_neither_seen_nor_cleared(emulator: Emulator) -> None:
    push(emulator, "one", project="other")
    clear(emulator, "one")
    assert query(emulator, "any") == []
    assert names(emulator.active_alarms()) == ["one"]


def test_a_repeated_push_refreshes_the_active_alarm(emulator: Emulator) -> None:
    push(emulator, "one", annotations={"v": 1})
    [before] = query(emulator)
    push(emulator, "one", annotations={"v": 2}, timeout=2 * HOUR)
    [after] = query(emulator)
    assert (after["id"], after["annotations"], after["timeout"]) == (before["id"], {"v": 2}, 2 * HOUR)


@pytest.mark.parametrize("emulator", [DUPLICATE], indirect=True)
def test_a_repeated_push_may_open_a_second_alarm(emulator: Emulator) -> None:
    push(emulator, "one")
    push(emulator, "one")
    assert len({alarm["id"] for alarm in query(emulator)}) == 2


@pytest.mark.parametrize(
    ("emulator", "moved"), [(Settings(), True), (Settings(merged_start="first"), False)], indirect=["emulator"]
)
def test_a_refresh_takes_the_new_start_or_keeps_the_first(emulator: Emulator, moved: bool) -> None:
    start = emulator.now()
    push(emulator, "one", starts_at=start - MINUTE)
    push(emulator, "one", starts_at=start)
    [alarm] = query(emulator)
    assert alarm["starts_at"] == (start if moved else start - MINUTE)


def test_a_push_after_the_end_opens_a_new_alarm(emulator: Emulator) -> None:
    push(emulator, "one")
    [first] = query(emulator)
    clear(emulator, "one")
    push(emulator, "one")
    [second] = query(emulator)
    assert second["id"] != first["id"]


def test_an_alarm_ends_by_itself_when_its_timeout_has_passed(emulator: Emulator) -> None:
    push(emulator, "one", timeout=10 * MINUTE)
    emulator.advance(10 * MINUTE - 5_000)
    assert names(query(emulator)) == ["one"]
    emulator.advance(5_000)
    assert query(emulator) == []
    [ended] = query(emulator, "history_alert")
    assert ended["ends_at"] == ended["starts_at"] + 10 * MINUTE


@pytest.mark.parametrize(
    ("emulator", "active"),
    [(Settings(timeout_from="start"), []), (Settings(timeout_from="arrival"), ["one"])],
    indirect=["emulator"],
)
def test_the_timeout_counts_from_the_start_or_from_arrival(emulator: Emulator, active: list[str]) -> None:
    push(emulator, "one", starts_at=emulator.now() - 10 * MINUTE, timeout=5 * MINUTE)
    assert names(query(emulator)) == active


@pytest.mark.parametrize("emulator", [Settings(default_timeout=3 * DAY)], indirect=True)
def test_the_default_timeout_is_a_setting(emulator: Emulator) -> None:
    event = {"starts_at": emulator.now(), "metadata": metadata()}
    assert push_raw(emulator, {"events": [event]}).status_code == 204
    [alarm] = query(emulator)
    assert alarm["timeout"] == 3 * DAY


def test_an_event_is_stored_each_time_and_is_never_an_active_alarm(emulator: Emulator) -> None:
    for _ in range(2):
        push(emulator, metadata("deployed", event_type="event"))
    assert query(emulator) == query(emulator, "history_alert") == []
    assert names(query(emulator, "all")) == ["deployed", "deployed"]


def test_a_start_of_fourteen_digits_is_taken_as_it_is(emulator: Emulator) -> None:
    push(emulator, "odd", starts_at=16_377_362_908_000)
    assert [alarm["starts_at"] for alarm in emulator.alarms()] == [16_377_362_908_000]


@pytest.mark.parametrize("emulator", [Settings(visible_after=5_000)], indirect=True)
def test_writes_show_after_a_delay_and_in_order(emulator: Emulator) -> None:
    push(emulator, "one")
    assert query(emulator) == []
    assert len(emulator.pending()) == 1
    emulator.advance(5_000)
    [alarm] = query(emulator)
    clear(emulator, "one", id=alarm["id"])
    assert names(query(emulator)) == ["one"]
    emulator.advance(5_000)
    assert query(emulator) == []


def test_a_write_is_never_overtaken_by_a_later_one(emulator: Emulator) -> None:
    emulator.fault("push:hide=10s,nth=1")
    push(emulator, "one")
    clear(emulator, "one")
    emulator.advance(10_000)
    assert query(emulator) == []
    assert names(query(emulator, "history_alert")) == ["one"]


def without(key: str) -> dict[str, str]:
    return {name: value for name, value in metadata().items() if name != key}


BAD = {
    "not an object": "text",
    "no metadata": {"starts_at": 1},
    "no name": {"starts_at": 1, "metadata": without("event_name")},
    "no severity": {"starts_at": 1, "metadata": without("event_severity")},
    "no type": {"starts_at": 1, "metadata": without("event_type")},
    "no provider": {"starts_at": 1, "metadata": without("resource_provider")},
    "no resource type": {"starts_at": 1, "metadata": without("resource_type")},
    "no resource id": {"starts_at": 1, "metadata": without("resource_id")},
    "severity": {"starts_at": 1, "metadata": metadata(event_severity="major")},
    "type": {"starts_at": 1, "metadata": metadata(event_type="alert")},
    "empty value": {"starts_at": 1, "metadata": metadata(team="")},
    "long value": {"starts_at": 1, "metadata": metadata(team="x" * 2_049)},
    "number value": {"starts_at": 1, "metadata": {**metadata(), "team": 1}},
    "31 keys": {"starts_at": 1, "metadata": metadata(**{f"k{number}": "v" for number in range(25)})},
    "no start": {"metadata": metadata()},
    "text start": {"starts_at": "1", "metadata": metadata()},
    "true start": {"starts_at": True, "metadata": metadata()},
    "negative start": {"starts_at": -1, "metadata": metadata()},
    "zero timeout": {"starts_at": 1, "timeout": 0, "metadata": metadata()},
    "16 days": {"starts_at": 1, "timeout": 16 * DAY, "metadata": metadata()},
    "annotations": {"starts_at": 1, "annotations": [], "metadata": metadata()},
    "attach_rule": {"starts_at": 1, "attach_rule": "x", "metadata": metadata()},
    "number id": {"starts_at": 1, "id": 1, "metadata": metadata()},
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_a_bad_event_is_refused_with_the_error_body_of_the_page(emulator: Emulator, bad: object) -> None:
    response = push_raw(emulator, {"events": [bad]})
    error = response.json()
    assert response.status_code == 400
    assert (error["error_code"], error["error_type"]) == ("AOM.0400", "SC_BAD_REQUEST")
    assert error["error_msg"].startswith("parse eventParam failed")
    assert error["trace_id"]
    assert emulator.alarms() == []


def test_missing_metadata_is_named_invalid(emulator: Emulator) -> None:
    response = push_raw(emulator, {"events": [{"starts_at": 1, "metadata": {}}]})
    assert "metadata is invalid" in response.json()["error_msg"]


def test_the_limits_themselves_are_allowed(emulator: Emulator) -> None:
    widest = metadata(**{f"k{number}": "v" * 2_048 for number in range(24)})
    push(emulator, widest, timeout=15 * DAY)
    assert [alarm["metadata"] for alarm in emulator.alarms()] == [widest]


@pytest.mark.parametrize("body", [None, [], {}, {"events": {}}, {"events": []}])
def test_a_body_that_is_no_list_of_events_is_refused(emulator: Emulator, body: object) -> None:
    assert push_raw(emulator, body).status_code == 400


@pytest.mark.parametrize(
    ("emulator", "stored"),
    [(Settings(), []), (Settings(on_bad_event="reject-event"), ["good", "fine"])],
    indirect=["emulator"],
)
def test_a_bad_event_rejects_the_batch_or_only_itself(emulator: Emulator, stored: list[str]) -> None:
    events: list[Any] = [{"starts_at": 1, "metadata": metadata(name)} for name in ("good", "fine")]
    response = push_raw(emulator, {"events": [events[0], {"starts_at": 1, "metadata": {}}, events[1]]})
    assert response.status_code == 400
    assert "events[1]" in response.json()["error_msg"]
    assert names(emulator.alarms()) == stored


def test_a_running_service_may_come_to_behave_otherwise(emulator: Emulator) -> None:
    push(emulator, "one")
    emulator.switch(on_repeat="duplicate", on_bad_event="reject-event")
    push(emulator, "one")
    assert names(query(emulator)) == ["one", "one"]
    response = requests.put(f"{emulator.url}/admin/aom/switches", json={"page_limit": "1"}, timeout=10)
    assert (response.status_code, response.json()) == (400, {"error": "give on_repeat, on_bad_event or both"})
    response = requests.put(f"{emulator.url}/admin/aom/switches", json={"on_repeat": "sing"}, timeout=10)
    assert "on_repeat takes merge or duplicate" in response.json()["error"]
    emulator.reset()
    push(emulator, "one")
    push(emulator, "one")
    assert names(query(emulator)) == ["one"]


@pytest.mark.parametrize("emulator", [Settings(batch_limit=2)], indirect=True)
def test_a_batch_may_be_limited(emulator: Emulator) -> None:
    events = [{"starts_at": 1, "metadata": metadata(str(number))} for number in range(3)]
    assert push_raw(emulator, {"events": events}).status_code == 400
    assert push_raw(emulator, {"events": events[:2]}).status_code == 204


@pytest.mark.parametrize("emulator", [Settings(clear_needs_id=True)], indirect=True)
def test_a_service_may_want_an_id_to_clear(emulator: Emulator) -> None:
    assert push_raw(emulator, {"events": [{"metadata": metadata()}]}, action="clear").status_code == 400


def test_a_body_must_be_json_and_say_so(emulator: Emulator) -> None:
    url = f"{emulator.url}/v2/p/push/events"
    session = emulator.session
    plain = {"X-Auth-Token": "t", "Content-Type": "text/plain"}
    assert session.put(url, data="{}", headers=plain, timeout=10).status_code == 400
    broken = {"X-Auth-Token": "t", "Content-Type": "application/json"}
    assert session.put(url, data="{not json", headers=broken, timeout=10).status_code == 400
    assert session.put(url, data=b'{"events": [{"id": "\\ud800"}]}', headers=broken, timeout=10).status_code == 400
