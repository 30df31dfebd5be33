"""Querying AOM, by the query pages."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.emulator.settings import Settings
from tests.emulator.calls import HEADERS, HOUR, MINUTE, clear, metadata, names, push, push_raw, query, query_raw
from tests.emulator.handle import Emulator


def matching(emulator: Emulator, *criteria: tuple[str, str, list[str]]) -> set[str]:
    relations = [{"relation": relation, "key": key, "value": values} for relation, key, values in criteria]
    return set(names(query(emulator, metadata_relation=relations)))


@pytest.fixture
def fleet(emulator: Emulator) -> Emulator:
    push(
        emulator,
        metadata("a", event_severity="Critical", team="red", **{'od"d.key': "x"}),
        metadata("b", event_severity="Major", team="red"),
        metadata("c", event_severity="Minor", team="blue", **{"a.b": "dotted"}),
        metadata("d", event_severity="Info", note="Grüße AUS Berlin"),
    )
    return emulator


def test_a_criterion_with_several_values_matches_any_of_them(fleet: Emulator) -> None:
    assert matching(fleet, ("AND", "event_severity", ["Critical", "Info"])) == {"a", "d"}


def test_all_and_criteria_must_be_met(fleet: Emulator) -> None:
    assert matching(fleet, ("AND", "team", ["red"]), ("AND", "event_severity", ["Major", "Minor"])) == {"b"}


def test_one_of_the_or_criteria_must_be_met(fleet: Emulator) -> None:
    assert matching(fleet, ("OR", "team", ["blue"]), ("OR", "event_severity", ["Critical"])) == {"a", "c"}


def test_no_not_criterion_may_be_met(fleet: Emulator) -> None:
    assert matching(fleet, ("NOT", "team", ["red"])) == {"c", "d"}
    assert matching(fleet, ("NOT", "team", ["red"]), ("NOT", "event_severity", ["Info"])) == {"c"}


def test_the_relations_are_combined(fleet: Emulator) -> None:
    criteria = [("AND", "event_type", ["alarm"]), ("OR", "team", ["red"]), ("OR", "event_name", ["d"])]
    assert matching(fleet, *criteria, ("NOT", "event_name", ["a"])) == {"b", "d"}


@pytest.mark.parametrize(("key", "value", "name"), [('od"d.key', "x", "a"), ("a.b", "dotted", "c")])
def test_any_metadata_key_can_be_asked_for(fleet: Emulator, key: str, value: str, name: str) -> None:
    assert matching(fleet, ("AND", key, [value])) == {name}


def test_the_search_finds_part_of_a_value_whatever_its_case(fleet: Emulator) -> None:
    assert names(query(fleet, search="GRÜSSE aus")) == ["d"]
    assert query(fleet, search="nowhere") == []
    assert len(query(fleet, search="")) == 4


@pytest.mark.parametrize("emulator", [Settings(search_in="mandatory")], indirect=True)
def test_the_search_may_look_at_the_mandatory_values_only(fleet: Emulator) -> None:
    assert query(fleet, search="berlin") == []
    assert len(query(fleet, search="ecs")) == 4


@pytest.mark.parametrize(
    ("order_by", "order", "expected"),
    [
        (["event_name"], "asc", "abcd"),
        (["event_name"], "desc", "dcba"),
        (["team", "event_name"], "asc", "dcab"),
        (["metadata.event_name"], "asc", "abcd"),
        (["id"], "asc", "abcd"),
        ([], "asc", "abcd"),
    ],
)
def test_the_order_follows_the_fields(fleet: Emulator, order_by: list[str], order: str, expected: str) -> None:
    assert "".join(names(query(fleet, sort={"order_by": order_by, "order": order}))) == expected


def test_without_a_sort_the_newest_comes_first(emulator: Emulator) -> None:
    now = emulator.now()
    for name, age in (("b", 2), ("a", 1), ("c", 3)):
        push(emulator, name, starts_at=now - age * MINUTE)
    assert names(query(emulator)) == ["a", "b", "c"]


@pytest.mark.parametrize("sort", [None, {"order_by": ["team"], "order": "asc"}, {"order_by": ["ends_at", "team"]}])
def test_pages_give_each_alarm_once_and_end_with_an_empty_marker(emulator: Emulator, sort: object) -> None:
    push(emulator, *(metadata(f"n{number}", team=f"t{number % 3}") for number in range(25)))
    marker, seen, sizes = "0", [], []
    while True:
        page = query_raw(emulator, {"time_range": "-1.-1.60", "sort": sort}, limit=10, marker=marker).json()
        assert page["page_info"]["previous_marker"] == marker
        assert page["page_info"]["current_count"] == len(page["events"])
        seen += names(page["events"])
        sizes.append(len(page["events"]))
        marker = page["page_info"]["next_marker"]
        if not marker:
            break
    assert sizes == [10, 10, 5]
    assert sorted(seen) == sorted(f"n{number}" for number in range(25))


def test_a_page_that_is_just_full_is_the_last(emulator: Emulator) -> None:
    push(emulator, "a", "b")
    page = query_raw(emulator, {"time_range": "-1.-1.60"}, limit=2).json()
    assert page["page_info"] == {"current_count": 2, "previous_marker": "0", "next_marker": ""}


def test_what_is_cleared_between_two_pages_hides_nothing(emulator: Emulator) -> None:
    push(emulator, *"abcd")
    first = query_raw(emulator, {"time_range": "-1.-1.60"}, limit=2, type="active_alert").json()
    clear(emulator, names(first["events"])[0])
    marker = first["page_info"]["next_marker"]
    second = query_raw(emulator, {"time_range": "-1.-1.60"}, limit=2, marker=marker, type="active_alert").json()
    assert sorted(names(first["events"]) + names(second["events"])) == list("abcd")


@pytest.mark.parametrize("marker", ["7", "x", "!!", "WzFd"])
def test_a_marker_nobody_gave_is_refused(emulator: Emulator, marker: str) -> None:
    assert query_raw(emulator, {"time_range": "-1.-1.60"}, marker=marker).status_code == 400


def test_active_and_history_part_the_alarms_between_them(emulator: Emulator) -> None:
    push(emulator, "firing", "cleared")
    push(emulator, "expired", timeout=MINUTE)
    clear(emulator, "cleared")
    emulator.advance(MINUTE)
    assert names(query(emulator, "active_alert")) == ["firing"]
    assert set(names(query(emulator, "history_alert"))) == {"cleared", "expired"}
    assert set(names(query(emulator, "anything else"))) == {"firing", "cleared", "expired"}


@pytest.mark.parametrize(
    ("start", "end", "minutes", "found"),
    [
        (-1, -1, 5, ["now"]),
        (-1, -1, 15, ["now", "ten"]),
        (-12, -1, 5, ["ten"]),
        (-1, -8, 5, ["ten"]),
        (-1, -8, 30, ["ten", "thirty"]),
        (-31, -9, 21, ["ten", "thirty"]),
        (-1, 0, 1, ["now"]),
    ],
)
def test_the_time_range_picks_by_start(
    emulator: Emulator, start: int, end: int, minutes: int, found: list[str]
) -> None:
    emulator.set_clock(now=1_750_000_000_000, speed=0)
    now = emulator.now()
    push(emulator, "now")
    push(emulator, "ten", starts_at=now - 10 * MINUTE)
    push(emulator, "thirty", starts_at=now - 30 * MINUTE)
    bounds = [-1 if each == -1 else now + each * MINUTE for each in (start, end)]
    response = query_raw(emulator, {"time_range": f"{bounds[0]}.{bounds[1]}.{minutes}"})
    assert response.status_code == 200, response.text
    assert names(response.json()["events"]) == found


@pytest.mark.parametrize("emulator", [Settings(time_range_on="arrival")], indirect=True)
def test_the_time_range_may_pick_by_arrival(emulator: Emulator) -> None:
    push(emulator, "one", starts_at=emulator.now() - 10 * HOUR, timeout=20 * HOUR)
    assert names(query(emulator, minutes=1)) == ["one"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"time_range": 60},
        {"time_range": "-1.-1"},
        {"time_range": "-1.-1.0"},
        {"time_range": "-1.-1.-5"},
        {"time_range": "-2.-1.5"},
        {"time_range": "-1.-1.1441"},
        {"time_range": "-1.-1.43200", "step": 1_799_999},
        {"time_range": "1650852000000.1650852300000.3"},
        {"time_range": "1650852300000.1650852000000.5"},
        {"time_range": "-1.-1.5", "step": 0},
        {"time_range": "-1.-1.5", "step": "60000"},
        {"time_range": "-1.-1.5", "search": 1},
        {"time_range": "-1.-1.5", "sort": []},
        {"time_range": "-1.-1.5", "sort": {"order_by": "starts_at"}},
        {"time_range": "-1.-1.5", "sort": {"order": "up"}},
        {"time_range": "-1.-1.5", "metadata_relation": {}},
        {"time_range": "-1.-1.5", "metadata_relation": ["x"]},
        {"time_range": "-1.-1.5", "metadata_relation": [{"value": ["x"], "relation": "AND"}]},
        {"time_range": "-1.-1.5", "metadata_relation": [{"key": "k", "value": "x", "relation": "AND"}]},
        {"time_range": "-1.-1.5", "metadata_relation": [{"key": "k", "value": ["x"], "relation": "XOR"}]},
    ],
)
def test_an_illegal_body_is_refused_with_the_error_body_of_the_page(emulator: Emulator, body: object) -> None:
    for path in ("events", "events/statistic"):
        response = query_raw(emulator, body, path)
        error = response.json()
        assert response.status_code == 400
        assert (error["error_code"], error["error_type"]) == ("AOM.08032002", "SC_BAD_REQUEST")
        assert error["error_message"].startswith("The request body is illegal")


@pytest.mark.parametrize(
    "body",
    [
        {"time_range": "-1.-1.1440"},
        {"time_range": "-1.-1.43200", "step": 1_800_000},
        {"time_range": "1650852000000.1650852300000.4"},
        {"time_range": "1650852000000.1650852300000.5"},
        {"time_range": "-1.-1.5", "sort": None, "search": None, "metadata_relation": None},
        {"time_range": "-1.-1.5", "sort": {}, "metadata_relation": []},
    ],
)
def test_the_bounds_of_a_query_are_allowed(emulator: Emulator, body: object) -> None:
    assert query_raw(emulator, body).status_code == 200


@pytest.mark.parametrize("limit", ["0", "-1", "x", "1.5"])
def test_a_limit_is_a_whole_number_from_one(emulator: Emulator, limit: str) -> None:
    assert query_raw(emulator, {"time_range": "-1.-1.5"}, limit=limit).status_code == 400


def in_enterprise_project(emulator: Emulator, project: str | None) -> set[str]:
    headers = {"Enterprise-Project-Id": project} if project else {}
    return set(names(query_raw(emulator, {"time_range": "-1.-1.5"}, headers=headers).json()["events"]))


def test_enterprise_projects_part_the_alarms(emulator: Emulator) -> None:
    push(emulator, "default")
    event = {"starts_at": emulator.now(), "metadata": metadata("special")}
    push_raw(emulator, {"events": [event]}, headers={"enterprise-project-id": "e1"})
    assert in_enterprise_project(emulator, None) == {"default"}
    assert in_enterprise_project(emulator, "e1") == {"special"}
    assert in_enterprise_project(emulator, "all_granted_eps") == {"default", "special"}


@pytest.mark.parametrize(
    ("emulator", "keys"),
    [
        (Settings(error_text="page"), ("error_msg", "error_message")),
        (Settings(error_text="error_msg"), ("error_msg", "error_msg")),
        (Settings(error_text="error_message"), ("error_message", "error_message")),
    ],
    indirect=["emulator"],
)
def test_the_error_text_is_spelt_either_way(emulator: Emulator, keys: tuple[str, str]) -> None:
    assert keys[0] in push_raw(emulator, {}).json()
    assert keys[1] in query_raw(emulator, {}).json()


def statistic(emulator: Emulator, **body: Any) -> dict[str, Any]:
    response = query_raw(emulator, {"time_range": "-1.-1.10", "step": MINUTE, **body}, "events/statistic")
    assert response.status_code == 200, response.text
    return dict(response.json())


def test_statistics_count_each_severity_in_each_step(emulator: Emulator) -> None:
    emulator.set_clock(now=1_750_000_020_000, speed=0)
    now = emulator.now()
    push(emulator, metadata("a", event_severity="Critical"), starts_at=now - 5 * MINUTE)
    push(emulator, metadata("b", event_severity="Critical"), metadata("c", event_severity="Info"))
    counted = statistic(emulator)
    series = {each["event_severity"]: each["values"] for each in counted["series"]}
    assert counted["step"] == MINUTE
    assert len(counted["timestamps"]) == len(series["Critical"]) == 11
    assert series["Critical"][5] == series["Critical"][10] == series["Info"][10] == 1
    assert counted["summary"] == {"Critical": 2, "Major": 0, "Minor": 0, "Info": 1}
    assert statistic(emulator, search="b")["summary"] == {"Critical": 1, "Major": 0, "Minor": 0, "Info": 0}


def notified(emulator: Emulator, serial: str) -> list[dict[str, Any]]:
    url = f"{emulator.url}/v2/p/alarm-notified-histories"
    response = emulator.session.get(url, params={"event_sn": serial}, headers=HEADERS, timeout=10)
    assert response.status_code == 200, response.text
    return list(response.json()["notified_histories"])


def test_alarms_that_match_a_rule_are_notified_when_they_open(emulator: Emulator) -> None:
    emulator.notify("pager", topic="urn:smn:oncall", match={"event_severity": ["Critical", "Major"]})
    emulator.notify("mail", code=403, after=30_000, match={"team": "red"})
    push(emulator, metadata("a", team="red"), metadata("b", event_severity="Info", team="red"), "c")
    serial = {alarm["metadata"]["event_name"]: alarm["event_sn"] for alarm in query(emulator)}
    assert notified(emulator, serial["b"]) == []
    [history] = notified(emulator, serial["a"])
    [first] = history["notifications"]
    assert (first["action_rule"], first["notifier_channel"]) == ("pager", "SMN")
    assert (first["smn_channel"]["smn_response_code"], first["smn_channel"]["smn_topic"]) == ("200", "urn:smn:oncall")
    emulator.advance(30_000)
    [history] = notified(emulator, serial["a"])
    assert [each["smn_channel"]["smn_response_code"] for each in history["notifications"]] == ["200", "403"]
    assert len(notified(emulator, serial["c"])) == 1
    assert notified(emulator, "nobody's") == []


def test_a_refresh_notifies_nobody_again(emulator: Emulator) -> None:
    emulator.notify("pager")
    push(emulator, "a")
    push(emulator, "a")
    [alarm] = query(emulator)
    [history] = notified(emulator, alarm["event_sn"])
    assert len(history["notifications"]) == 1
