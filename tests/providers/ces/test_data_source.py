"""The data source of CES: against the emulator, and against answers that could be less than the truth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from reconciler.core.data_source import Item
from reconciler.core.duration import HOUR, MINUTE
from reconciler.providers.ces.data_source import FIELDS, CesEventsQuery
from reconciler.providers.protocol import Provider, Queryable, ServiceError
from tests.emulator.handle import Emulator
from tests.providers.ces.objects import desired, opened, record
from tests.providers.service import Asked, Reply, service


def find(provider: Provider, **filters: Any) -> Sequence[Item]:
    assert isinstance(provider, Queryable)
    return provider.query("ces_events", CesEventsQuery.model_validate(filters), ())


@pytest.fixture
def recorded(emulator: Emulator) -> Provider:
    """A service with two events of one name and one of another."""
    provider = opened(emulator.url)
    now = emulator.now()
    events = [
        desired("released", occurrence="1", event_level="Info", event_state="normal", content="one"),
        desired("released", occurrence="2", event_level="Major", event_state="incident", resource_id="r1"),
        desired("rolled_back", occurrence="1", event_source="checkout.rollback", event_user="ann", content="1"),
    ]
    provider.send([record(each, key=str(number), begins_at=now) for number, each in enumerate(events)])
    return provider


def test_every_event_is_an_item_with_the_documented_fields(recorded: Provider) -> None:
    found = find(recorded)
    assert sorted(str(item["event_name"]) for item in found) == ["released", "released", "rolled_back"]
    assert all(set(item) == set(FIELDS) for item in found)
    [one] = [item for item in found if item["content"] == "one"]
    assert (one["event_level"], one["event_state"], one["event_source"]) == ("Info", "normal", "checkout.deploy")


@pytest.mark.parametrize(
    ("filters", "count"),
    [
        ({"event_name": "released"}, 2),
        ({"event_name": "release"}, 0),
        ({"event_level": "Major"}, 1),
        ({"event_state": "incident"}, 1),
        ({"event_source": "checkout.rollback"}, 1),
        ({"event_user": "ann"}, 1),
        ({"event_type": "EVENT.SYS"}, 0),
        ({"lookback": "1m"}, 3),
    ],
)
def test_events_are_found_by_every_filter(recorded: Provider, filters: dict[str, Any], count: int) -> None:
    assert len(find(recorded, **filters)) == count


def test_a_window_leaves_out_what_lies_outside(emulator: Emulator, recorded: Provider) -> None:
    now = emulator.now()
    assert find(recorded, start=now - HOUR, end=now - MINUTE) == []
    assert len(find(recorded, start=now - HOUR, end=now + MINUTE)) == 3


def pages(listed: object, details: object = None) -> Callable[[Asked], Reply]:
    return lambda asked: Reply(body=listed if asked.path.endswith("/events") else details)


@pytest.mark.parametrize(
    ("listed", "details", "said"),
    [
        ({}, None, "holds no list"),
        ({"events": None, "meta_data": {"total": 2}}, None, "holds no list"),
        ({"events": ["x"]}, None, "cannot be read"),
        ({"events": [], "meta_data": {"total": 2}}, None, "counts 2 events and shows 0"),
        ({"events": [{"event_name": "a"}], "meta_data": {"total": 1}}, {}, "holds no list"),
        ({"events": [{"event_name": "a"}], "meta_data": {"total": 1}}, b"<html/>", "not JSON"),
    ],
)
def test_an_answer_that_could_be_less_than_the_truth_is_an_error(listed: object, details: object, said: str) -> None:
    with service(pages(listed, details)) as running, pytest.raises(ServiceError, match=said):
        find(opened(running.url))


def test_an_answer_that_says_there_are_none_is_believed() -> None:
    with service(pages({"events": [], "meta_data": {"total": 0}})) as running:
        assert find(opened(running.url)) == []


def test_an_odd_event_becomes_an_item_of_nones() -> None:
    listed = {"events": [{"event_name": "a"}], "meta_data": {"total": 1}}
    details = {"event_info": [{"event_name": "a", "time": "soon", "detail": 5}], "meta_data": {"total": 1}}
    with service(pages(listed, details)) as running:
        [found] = find(opened(running.url))
    assert (found["event_name"], found["time"], found["event_level"], found["dimensions"]) == ("a", None, None, [])
