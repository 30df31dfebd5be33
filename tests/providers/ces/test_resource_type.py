"""From fields to desired values, and from there to the item that is reported, to the byte."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.core.address import Address
from reconciler.core.desired import Kind, Lifecycle
from reconciler.core.duration import HOUR, MINUTE, SECOND
from reconciler.core.observed import Marks, State
from reconciler.providers.ces.match import EventMatcher, Wanted
from reconciler.providers.ces.resource_type import comparable_content, short_mark, wire_content
from tests.providers.ces.objects import EVENT, NOW, STACK, desired, record


def sent(**fields: object) -> dict[str, object]:
    return json.loads(record(desired(**fields)).payload)


def test_an_event_is_a_fact_identified_by_what_the_service_compares() -> None:
    event = desired(event_level="Info", event_state="normal", resource_id="r-1", content="v1", group_id="g" * 24)
    assert event.kind is Kind.EVENT
    assert event.identity == {
        "event_name": "released",
        "event_source": "checkout.deploy",
        "event_type": "EVENT.CUSTOM",
        "sub_event_type": "SUB_EVENT.CUSTOM",
        "event_state": "normal",
        "event_level": "Info",
        "resource_id": "r-1",
    }
    assert event.attributes == {"content": "v1", "group_id": "g" * 24}


def test_an_item_is_reported_to_the_byte() -> None:
    event = desired(
        occurrence="v1", event_level="Info", content="über", dimensions=[{"name": "instance_id", "value": "i-1"}]
    )
    operation = record(event)
    mark = short_mark(STACK, event.address, "v1")
    assert operation.payload == (
        '{"detail":{"content":"über","dimensions":[{"name":"instance_id","value":"i-1"}],"event_level":"Info",'
        f'"event_type":"EVENT.CUSTOM","event_user":"{mark}","sub_event_type":"SUB_EVENT.CUSTOM"}},'
        f'"event_name":"released","event_source":"checkout.deploy","time":{NOW}}}'
    )
    assert operation.send_by == NOW + HOUR - 10 * SECOND


def test_the_mark_fits_and_tells_stacks_addresses_and_occurrences_apart() -> None:
    address, other = Address("ces_event", "a"), Address("ces_event", "a", "k")
    marks = {
        short_mark(*of) for of in [("s", address, "1"), ("t", address, "1"), ("s", other, "1"), ("s", address, "2")]
    }
    assert len(marks) == 4
    assert all(re.fullmatch(r"reconciler-[0-9a-f]{8}-[0-9a-f]{16}", mark) for mark in marks)
    assert short_mark("s", address, "1") == short_mark("s", address, "1")


def test_a_user_of_ones_own_takes_the_place_of_the_mark() -> None:
    assert sent(event_user="ops")["detail"]["event_user"] == "ops"


def test_a_subcategory_may_be_left_out() -> None:
    assert "sub_event_type" not in sent(sub_event_type=None)["detail"]


def test_an_event_is_told_from_another_occurrence_by_the_mark_or_by_what_it_says() -> None:
    assert desired(occurrence="v2")
    assert desired(event_user="ops")
    assert desired(occurrence="v2", event_user="ops", content="release v2 started")
    assert desired(occurrence="v2", event_user="ops", time=NOW)
    with pytest.raises(ValueError, match=r"content must contain the occurrence \('v2'\)"):
        desired(occurrence="v2", event_user="ops", content="release started")


def test_an_occurrence_defaults_to_the_content() -> None:
    assert desired(content="a").occurrence == desired(content="a").digest != desired(content="b").occurrence


@pytest.mark.parametrize("name", ["release-started", "_x", "x" * 65])
def test_a_name_that_is_no_event_name_asks_for_one(name: str) -> None:
    with pytest.raises(ValueError, match="write event_name, or name it otherwise"):
        desired(name)
    assert desired(name, event_name="fine").identity["event_name"] == "fine"


def test_a_time_of_ones_own_is_kept_and_closes_the_window() -> None:
    operation = record(desired(time=NOW - 20 * MINUTE))
    assert json.loads(operation.payload)["time"] == NOW - 20 * MINUTE
    assert operation.send_by == NOW + 40 * MINUTE - 10 * SECOND


def test_a_time_too_long_ago_shows_as_a_window_that_has_closed() -> None:
    assert record(desired(time=NOW - 2 * HOUR)).send_by == NOW - HOUR - 10 * SECOND


def test_a_time_too_far_ahead_is_an_error_that_says_by_how_much() -> None:
    assert record(desired(time=NOW + 10 * MINUTE - 10 * SECOND))
    with pytest.raises(ValueError, match=r"lies 30m ahead: .* at most 9m50s; it can be planned in 20m10s"):
        record(desired(time=NOW + 30 * MINUTE))


def test_a_retry_says_the_very_same() -> None:
    event = desired()
    assert record(event, begins_at=NOW).payload == record(event, key="key-2", begins_at=NOW).payload


def test_an_event_is_neither_renewed_nor_cleared() -> None:
    with pytest.raises(ValueError, match="does not expire"):
        desired(lifecycle=Lifecycle.model_validate({"renew_before": "1m"}))
    event = desired()
    marks = Marks(STACK, event.address, event.digest, "", "", event.occurrence)
    [found] = EventMatcher([Wanted(json.loads(record(event).payload), marks, None)]).match(
        {**json.loads(record(event).payload), "event_id": "evd1"}, "ces"
    )
    with pytest.raises(ValueError, match="cannot be cleared"):
        EVENT.clear(found, NOW)


@pytest.mark.parametrize(
    ("content", "wire"),
    [
        ("one line", "one line"),
        ("one\ntwo", "one \n two"),
        ("one\r\ntwo\rthree\n", "one \n two \n three"),
        ("one\n\nthree", "one \n  \n three"),
        ("", ""),
    ],
)
def test_line_breaks_read_well_as_breaks_and_as_two_characters(content: str, wire: str) -> None:
    assert wire_content(content) == wire
    assert wire_content(wire) == wire or "\n" in wire
    shown = wire.replace("\n", "\\n")
    assert comparable_content(shown) == comparable_content(wire) == " ".join(content.split())


allowed = st.text("abcdefgXYZ019_", max_size=10)


@settings(max_examples=60)
@given(
    key=st.none() | st.text(min_size=1, max_size=8),
    occurrence=st.none() | st.text(min_size=1, max_size=8),
    content=st.none() | st.text(st.characters(codec="utf-8"), max_size=30),
    fields=st.fixed_dictionaries(
        {},
        optional={
            "event_state": st.sampled_from(["normal", "warning", "incident"]),
            "event_level": st.sampled_from(["Critical", "Major", "Minor", "Info"]),
            "resource_id": allowed.filter(bool),
            "resource_name": allowed.filter(bool),
        },
    ),
    user=st.none() | allowed.filter(bool),
    escaped=st.booleans(),
)
def test_what_is_reported_is_found_again(key, occurrence, content, fields, user, escaped) -> None:
    if user is not None:
        content = f"{content or ''} {occurrence or ''}"
    wanted = desired("n", key, occurrence, content=content, event_user=user, **fields)
    payload = json.loads(record(wanted).payload)
    shown = json.loads(record(wanted).payload)
    if escaped and "content" in shown["detail"]:
        shown["detail"]["content"] = shown["detail"]["content"].replace("\n", "\\n")
    marks = Marks(STACK, wanted.address, wanted.digest, "", "", wanted.occurrence)
    [found] = EventMatcher([Wanted(payload, marks, None)]).match({**shown, "event_id": "evd1"}, "ces")
    assert found.marks == marks
    assert found.state is State.RECORDED
    assert found.identity == wanted.identity
    assert found.starts_at == NOW
