"""The window, the filters and the pages of a query."""

from __future__ import annotations

import json
import logging
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.duration import DAY, HOUR, MINUTE
from reconciler.providers.aom.query import body, window
from reconciler.providers.protocol import ErrorKind, ServiceError
from tests.providers.aom.objects import ALARM, NOW, STACK, desired, marks, opened
from tests.providers.service import Asked, Reply, in_turn, service


@pytest.mark.parametrize(
    ("lookback", "expected"),
    [
        (1, ("-1.-1.1", MINUTE)),
        (HOUR, ("-1.-1.60", MINUTE)),
        (HOUR + 1, ("-1.-1.61", MINUTE)),
        (DAY, ("-1.-1.1440", MINUTE)),
        (DAY + MINUTE, ("-1.-1.1441", 2 * MINUTE)),
        (30 * DAY, ("-1.-1.43200", 30 * MINUTE)),
    ],
)
def test_a_window_reaches_back_as_far_as_asked(lookback: int, expected: tuple[str, int]) -> None:
    assert window(NOW, lookback) == expected


@given(st.integers(1, 3650 * DAY), st.lists(st.integers(0, 2 * NOW), max_size=3))
def test_every_window_keeps_the_rules_of_the_page(lookback: int, starts: list[int]) -> None:
    time_range, step = window(NOW, lookback, starts)
    start, end, minutes = re.fullmatch(r"(-1|\d+)\.(-1|\d+)\.(\d+)", time_range).groups()
    assert (start == "-1") == (end == "-1") == (not any(one > NOW for one in starts))
    since = NOW - int(minutes) * MINUTE if start == "-1" else int(start)
    until = NOW if end == "-1" else int(end)
    assert since <= max(0, NOW - lookback)
    assert all(since < one < until for one in starts if one > HOUR and one != NOW)
    assert int(minutes) > 0
    assert int(minutes) >= (until - since) / MINUTE - 1
    assert int(minutes) * 60 / (step / 1000) <= 1440


def test_a_query_filters_by_every_key_at_once() -> None:
    sent = json.loads(body(*window(NOW, HOUR), {"event_type": ["alarm"], "reconciler_address": ["b", "a"]}))
    assert sent == {
        "time_range": "-1.-1.60",
        "step": 60000,
        "search": "",
        "sort": {"order_by": ["starts_at"], "order": "desc"},
        "metadata_relation": [
            {"key": "event_type", "value": ["alarm"], "relation": "AND"},
            {"key": "reconciler_address", "value": ["a", "b"], "relation": "AND"},
        ],
    }


def shown(number: int, **changes: object) -> dict[str, object]:
    alarm = desired(f"a{number}")
    item = json.loads(ALARM.push(alarm, marks(alarm), NOW)[0])
    return {**item, "id": str(number), "ends_at": 0, **changes}


def page(events: object, following: object) -> Reply:
    return Reply(200, {"events": events, "page_info": {"next_marker": following, "previous_marker": "0"}})


def names(answer, **settings: object) -> tuple[list[str], list[Asked]]:
    with service(answer) as running:
        provider = opened(running.url, **settings)
        found = [item.marks.address.name for item in provider.observe(STACK, [])]
        provider.close()
    return found, running.asked


def test_pages_are_followed_until_there_is_no_marker() -> None:
    replies = in_turn(page([shown(1), shown(2)], "m1"), page([shown(3)], 7), page([], ""))
    found, asked = names(replies, page_size=2)
    assert found == ["a1", "a2", "a3"]
    assert [one.query for one in asked] == [
        {"type": "active_alert", "limit": "2", "marker": "0"},
        {"type": "active_alert", "limit": "2", "marker": "m1"},
        {"type": "active_alert", "limit": "2", "marker": "7"},
    ]
    assert len({one.body for one in asked}) == 1


@pytest.mark.parametrize("info", [None, {}, {"next_marker": None}, [], "x"])
def test_a_page_without_a_marker_is_the_last(info: object) -> None:
    found, asked = names(in_turn(Reply(200, {"events": [shown(1)], "page_info": info})))
    assert (found, len(asked)) == (["a1"], 1)


def test_an_alarm_on_two_pages_is_one_alarm() -> None:
    found, _ = names(in_turn(page([shown(1), shown(2)], "m1"), page([shown(2), shown(3)], "")))
    assert found == ["a1", "a2", "a3"]


@pytest.mark.parametrize("markers", [["m1", "m1"], ["m1", "m2", "m1"], ["0"]])
def test_a_marker_that_repeats_is_an_error_and_not_a_loop(markers: list[str]) -> None:
    replies = in_turn(*[page([shown(n)], marker) for n, marker in enumerate(markers)])
    with pytest.raises(ServiceError, match=f"marker '{markers[-1]}' came twice") as caught:
        names(replies)
    assert caught.value.kind is ErrorKind.REJECTED


def test_pages_that_lead_nowhere_are_an_error_and_not_a_loop() -> None:
    count = iter(range(10_000))
    with pytest.raises(ServiceError, match="100 pages in a row brought nothing new"):
        names(lambda asked: page([shown(1)], f"m{next(count)}"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<html>sign in</html>", "not JSON"),
        (b"", "not JSON"),
        (b'{"events": [', "not JSON"),
        (b"[]", "not a page of events"),
        (b"null", "not a page of events"),
        (b'{"events": {"a": 1}}', "events are not a list"),
        (b'{"error_code": "AOM.1", "error_message": "no"}', "AOM.1: no"),
    ],
)
def test_an_answer_that_is_no_page_is_an_error(content: bytes, message: str) -> None:
    with pytest.raises(ServiceError, match=message) as caught:
        names(in_turn(Reply(200, content)))
    assert caught.value.kind is ErrorKind.AMBIGUOUS
    assert caught.value.detail.request is not None


def test_an_empty_project_has_no_events_key() -> None:
    assert names(in_turn(Reply(200, {})))[0] == []


def test_objects_a_service_shows_against_the_filter_are_not_seen(caplog: pytest.LogCaptureFixture) -> None:
    foreign = shown(1)
    foreign["metadata"] = {**foreign["metadata"], "reconciler_stack": "another"}
    unmarked = shown(2)
    unmarked["metadata"] = {"event_name": "disk full", "event_type": "alarm"}
    event = shown(3)
    event["metadata"] = {**event["metadata"], "event_type": "event", "reconciler_address": "aom_event.a3"}
    ended = shown(4, ends_at=NOW + 1)
    found, _ = names(in_turn(page([foreign, unmarked, event, ended, shown(5)], "")))
    assert found == ["a5"]
    assert caplog.records == []


def test_odd_events_are_left_out_and_the_others_seen(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    lost = shown(3)
    lost["metadata"] = {**lost["metadata"], "reconciler_address": "??"}
    nameless = shown(4, id=None)
    found, _ = names(
        in_turn(page([None, 7, {}, {"metadata": []}, shown(1), {**shown(2), "metadata": "x"}, lost, nameless], ""))
    )
    assert found == ["a1"]
    assert "2 of its events are not maps" in caplog.text
    assert "damaged or forged address (??)" in caplog.text
    assert "aom_alarm.a4: an alarm without an id" in caplog.text


def test_half_a_surrogate_pair_in_one_event_does_not_hide_the_page() -> None:
    odd = json.dumps({"events": [shown(1, event_sn="\ud800"), shown(2)], "page_info": {}}).encode()
    assert names(in_turn(Reply(200, odd)))[0] == ["a1", "a2"]


@pytest.mark.parametrize(
    "marker", ["x" * 5_000_000, {"a": 1}, ["1"], True, 10**4200], ids=["long", "object", "list", "true", "number"]
)
def test_an_odd_marker_is_not_followed(marker: object) -> None:
    reply = Reply(200, {"events": [], "page_info": {"next_marker": marker}})
    with service(in_turn(reply)) as running, pytest.raises(ServiceError, match="marker"):
        list(opened(running.url).observe(STACK, []))
    assert len(running.asked) == 1
