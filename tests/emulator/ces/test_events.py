"""CES's custom events, by the report page."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from reconciler.emulator.settings import Settings
from tests.emulator.calls import HEADERS
from tests.emulator.handle import Emulator


def event_item(emulator: Emulator, age: int = 0, **changes: Any) -> dict[str, Any]:
    detail = {"event_level": "Info", "event_state": "normal", **changes.pop("detail", {})}
    return {
        "event_name": "deployed",
        "event_source": "checkout.deploy",
        "time": emulator.now() - age,
        "detail": detail,
        **changes,
    }


def report(emulator: Emulator, *items: object) -> requests.Response:
    return requests.post(f"{emulator.url}/V1.0/p/events", json=list(items), headers=HEADERS, timeout=10)


def get(emulator: Emulator, path: str = "events", **options: Any) -> requests.Response:
    return requests.get(f"{emulator.url}/V1.0/p/{path}", params=options, headers=HEADERS, timeout=10)


def test_an_equal_item_is_one_event_with_one_id(emulator: Emulator) -> None:
    same = event_item(emulator, detail={"content": "first", "event_user": "me"})
    again = {**same, "detail": {**same["detail"], "content": "second", "group_id": "g" * 24, "dimensions": []}}
    ids = [each["event_id"] for each in report(emulator, same, again).json() + report(emulator, same).json()]
    assert len(ids) == 3
    assert len(set(ids)) == 1
    [stored] = emulator.ces_events()
    assert (stored["event_id"], stored["detail"]["content"]) == (ids[0], "first")


@pytest.mark.parametrize(
    "change",
    [
        {"time": 1},
        {"event_source": "checkout.other"},
        {"event_name": "other"},
        {"detail": {"event_state": "warning"}},
        {"detail": {"event_level": "Major"}},
        {"detail": {"event_user": "other"}},
        {"detail": {"resource_id": "other"}},
        {"detail": {"resource_name": "other"}},
    ],
)
def test_an_item_that_differs_in_its_identity_is_another_event(emulator: Emulator, change: dict[str, Any]) -> None:
    first = event_item(emulator, age=1_000)
    second = {**first, **change, "detail": {**first["detail"], **change.get("detail", {})}}
    second["time"] = first["time"] + change.get("time", 0)
    assert report(emulator, first, second).status_code == 201
    assert len(emulator.ces_events()) == 2


@pytest.mark.parametrize(
    ("age", "status"),
    [(3_590_000, 201), (3_590_001, 400), (-590_000, 201), (-590_001, 400)],
)
def test_the_time_must_lie_in_the_window(emulator: Emulator, age: int, status: int) -> None:
    emulator.set_clock(speed=0)
    assert report(emulator, event_item(emulator, age=age)).status_code == status


WIDEST: dict[str, Any] = {
    "event_name": "A" + "b_9" * 21,
    "event_source": f"{'s' * 32}.{'i_9'}",
    "detail": {
        "content": "x" * 4_096,
        "group_id": "g" * 24,
        "resource_id": "a-_:9" * 25,
        "resource_name": "a-_.9" * 25,
        "event_state": "incident",
        "event_level": "Critical",
        "event_user": "a b-_9" * 10,
        "event_type": "EVENT.CUSTOM",
        "sub_event_type": "SUB_EVENT.CUSTOM",
        "dimensions": [{"name": "n" * 32, "value": "v" * 256}] * 4,
    },
}


def test_the_limits_themselves_are_allowed(emulator: Emulator) -> None:
    response = report(emulator, event_item(emulator, **WIDEST))
    assert response.status_code == 201, response.text


@pytest.mark.parametrize(
    "change",
    [
        {"event_name": ""},
        {"event_name": "9a"},
        {"event_name": "a" * 65},
        {"event_name": "a-b"},
        {"event_name": "a\n"},
        {"event_source": "checkout"},
        {"event_source": "ab.cde"},
        {"event_source": f"abc.{'d' * 33}"},
        {"event_source": "abc.def.ghi"},
        {"time": "1"},
        {"time": None},
        {"detail": None},
        {"detail": {"content": "x" * 4_097}},
        {"detail": {"content": 1}},
        {"detail": {"group_id": "short"}},
        {"detail": {"resource_id": "a/b"}},
        {"detail": {"resource_id": "a" * 129}},
        {"detail": {"resource_name": "a:b"}},
        {"detail": {"event_state": "fine"}},
        {"detail": {"event_level": "major"}},
        {"detail": {"event_user": "a@b"}},
        {"detail": {"event_user": "a" * 65}},
        {"detail": {"event_type": "EVENT.SYS"}},
        {"detail": {"sub_event_type": "SUB_EVENT.OPS"}},
        {"detail": {"dimensions": [{"name": "n", "value": "v"}] * 5}},
        {"detail": {"dimensions": [{"name": "n"}]}},
        {"detail": {"dimensions": [{"name": "n" * 33, "value": "v"}]}},
        {"detail": {"dimensions": [{"name": "n", "value": "v" * 257}]}},
    ],
)
def test_a_bad_item_is_refused_and_nothing_is_stored(emulator: Emulator, change: dict[str, Any]) -> None:
    bad = {**event_item(emulator), **change}
    response = report(emulator, event_item(emulator), bad)
    assert response.status_code == 400
    assert response.json()["message"]["details"].startswith("[1]: ")
    assert emulator.ces_events() == []


@pytest.mark.parametrize(("count", "status"), [(0, 400), (1, 201), (100, 201), (101, 400)])
def test_a_report_has_one_to_a_hundred_items(emulator: Emulator, count: int, status: int) -> None:
    items = [event_item(emulator, event_name=f"n{number}") for number in range(count)]
    response = report(emulator, *items)
    assert response.status_code == status
    if status == 201:
        assert [each["event_name"] for each in response.json()] == [each["event_name"] for each in items]


def test_the_body_is_a_bare_array(emulator: Emulator) -> None:
    url = f"{emulator.url}/V1.0/p/events"
    assert requests.post(url, json={"events": [event_item(emulator)]}, headers=HEADERS, timeout=10).status_code == 400


def test_details_are_paged_with_the_latest_first(emulator: Emulator) -> None:
    report(emulator, *(event_item(emulator, age=number * 1_000) for number in range(7)))
    times = []
    for start in (0, 3, 6):
        page = get(emulator, "event/deployed", event_type="EVENT.CUSTOM", start=start, limit=3).json()
        assert page["meta_data"] == {"total": 7}
        times += [each["time"] for each in page["event_info"]]
    assert times == sorted(times, reverse=True)
    assert len(set(times)) == 7


def test_a_listing_can_be_narrowed(emulator: Emulator) -> None:
    report(emulator, event_item(emulator), event_item(emulator, event_name="other"))
    now = emulator.now()
    assert get(emulator, event_name="other").json()["meta_data"] == {"total": 1}
    assert get(emulator, **{"from": now - 600_000, "to": now - 300_000}).json()["events"] == []
    assert get(emulator, event_type="EVENT.SYS").json() == {"events": [], "meta_data": {"total": 0}}
    assert get(emulator, "event/deployed", event_level="Major").json()["event_info"] == []


@pytest.mark.parametrize(
    "options",
    [
        {"limit": 0},
        {"limit": 101},
        {"limit": "x"},
        {"start": -1},
        {"event_type": "EVENT.OTHER"},
        {"from": 1_750_000_000_000, "to": 1_750_000_000_000},
    ],
)
def test_a_wrong_query_parameter_is_refused(emulator: Emulator, options: dict[str, Any]) -> None:
    assert get(emulator, **options).status_code == 400
    assert get(emulator, "event/deployed", **options).status_code == 400


@pytest.mark.parametrize("status", [400, 401, 403, 408, 429, 500, 503])
def test_every_status_of_the_page_can_be_had(emulator: Emulator, status: int) -> None:
    emulator.fault(f"ces-report:status={status}")
    response = report(emulator, event_item(emulator))
    assert (response.status_code, response.json()["http_code"]) == (status, status)
    assert emulator.ces_events() == []


def test_an_event_can_be_stored_and_the_answer_lost(emulator: Emulator) -> None:
    emulator.fault("ces-report:store-then-cut,nth=1")
    same = event_item(emulator)
    with pytest.raises(requests.ConnectionError):
        report(emulator, same)
    assert report(emulator, same).status_code == 201
    assert len(emulator.ces_events()) == 1


@pytest.mark.parametrize(
    "emulator", [Settings(visible_after=5_000, ces_status=200, ces_newlines="escape")], indirect=True
)
def test_events_may_show_late_and_with_escaped_newlines(emulator: Emulator) -> None:
    assert report(emulator, event_item(emulator, detail={"content": "a\nb"})).status_code == 200
    assert get(emulator).json()["events"] == []
    emulator.advance(5_000)
    [event] = get(emulator, "event/deployed").json()["event_info"]
    assert event["detail"]["content"] == "a\\nb"


def test_ces_wants_a_token_or_signature(emulator: Emulator) -> None:
    assert requests.get(f"{emulator.url}/V1.0/p/events", timeout=10).status_code == 401
