"""The data sources of AOM: against the emulator, and against answers that could be less than the truth."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

import pytest
from pydantic import ValidationError

from reconciler.core.data_source import Item
from reconciler.core.duration import DAY, HOUR, MINUTE
from reconciler.emulator.settings import Settings
from reconciler.providers.aom import PROVIDER
from reconciler.providers.aom.data_sources import ALARM_FIELDS, ALARMS, EVENTS, STATISTIC_FIELDS, STATISTICS
from reconciler.providers.aom.provider import AomProvider
from reconciler.providers.protocol import Queryable, ServiceError
from tests.emulator.handle import Emulator
from tests.providers.aom.objects import EVENT, NOW, desired, opened, push
from tests.providers.service import Asked, Reply, in_turn, service

SOURCES = {source.name: source for source in (ALARMS, EVENTS, STATISTICS)}


def find(provider: object, source: str = "aom_alarms", details: Collection[str] = (), **filters: Any) -> Sequence[Item]:
    assert isinstance(provider, Queryable)
    return provider.query(source, SOURCES[source].model.model_validate(filters), details)


def names(found: Sequence[Item]) -> list[object]:
    return sorted(str(item["event_name"]) for item in found)


@pytest.fixture
def provider(emulator: Emulator) -> Iterator[AomProvider]:
    made = opened(emulator.url)
    assert isinstance(made, AomProvider)
    yield made
    made.close()


def raise_alarms(emulator: Emulator, provider: AomProvider) -> None:
    now = emulator.now()
    alarms = [
        desired("a", event_severity="Critical", metadata={"team": "checkout"}),
        desired("b", event_severity="Minor", metadata={"team": "search"}),
        desired("c", event_severity="Minor", metadata={"team": "checkout"}, resource_id="ecs-2"),
    ]
    provider.send([push(each, key=each.address.name, starts_at=now) for each in alarms])
    provider.send([push(desired("e", type_=EVENT, occurrence="1"), starts_at=now)])


def test_the_protocols_are_met() -> None:
    assert set(PROVIDER.data_sources) == set(SOURCES)


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, ["a", "b", "c"]),
        ({"event_severity": "Critical"}, ["a"]),
        ({"event_severity": ["Critical", "Minor"], "metadata": {"team": "checkout"}}, ["a", "c"]),
        ({"event_name": ["a", "b"], "resource_id": "ecs-1"}, ["a", "b"]),
        ({"search": "search"}, ["b"]),
        ({"metadata_relation": [{"key": "team", "value": ["search"], "relation": "NOT"}]}, ["a", "c"]),
        ({"resource_type": "other"}, []),
        ({"type": "history_alert"}, []),
        ({"type": "any"}, ["a", "b", "c"]),
    ],
)
def test_alarms_are_found_by_every_filter_of_the_page(
    emulator: Emulator, provider: AomProvider, filters: dict[str, Any], expected: list[str]
) -> None:
    raise_alarms(emulator, provider)
    assert names(find(provider, **filters)) == expected


def test_alarms_that_are_not_ours_are_found_too(emulator: Emulator, provider: AomProvider) -> None:
    foreign = push(desired("foreign"), starts_at=emulator.now(), stack="another")
    provider.send([foreign])
    [found] = find(provider)
    assert set(found) == set(ALARM_FIELDS) - {"notifications"}
    assert (found["active"], found["event_severity"], found["ends_at"]) == (True, "Major", None)


def test_events_are_found_apart_from_alarms(emulator: Emulator, provider: AomProvider) -> None:
    raise_alarms(emulator, provider)
    assert names(find(provider, "aom_events")) == ["e"]


def test_statistics_count_by_severity(emulator: Emulator, provider: AomProvider) -> None:
    raise_alarms(emulator, provider)
    found = find(provider, "aom_statistics", count="alarm", lookback="1h")
    assert {item["event_severity"]: item["total"] for item in found} == {
        "Critical": 1,
        "Major": 0,
        "Minor": 2,
        "Info": 0,
    }
    assert all(set(item) == set(STATISTIC_FIELDS) for item in found)


def test_a_notification_is_delivered_where_the_message_service_said_so(
    emulator: Emulator, provider: AomProvider
) -> None:
    emulator.notify("pager", match={"event_severity": "Critical"}, topic="urn:ops")
    emulator.notify("broken", match={"event_severity": "Minor"}, code="500")
    raise_alarms(emulator, provider)
    found = {item["event_name"]: item["notifications"] for item in find(provider, details=["notifications"])}
    [told] = found["a"]  # type: ignore[misc]  # a list, by its field
    assert (told["rule"], told["channel"], told["topic"], told["delivered"]) == ("pager", "SMN", "urn:ops", True)
    assert [sent["delivered"] for sent in found["b"]] == [False]  # type: ignore[attr-defined]  # as above
    emulator.forget_requests()
    find(provider)
    assert emulator.requests("notified") == []


@pytest.mark.parametrize("span", [{"lookback": "30d"}, {"start": NOW - 20 * DAY, "end": NOW}, {"end": NOW}])
def test_every_window_is_one_the_service_takes(emulator: Emulator, provider: AomProvider, span: dict[str, Any]) -> None:
    assert find(provider, **span) == []


def test_a_window_leaves_out_what_lies_outside(emulator: Emulator, provider: AomProvider) -> None:
    now = emulator.now()
    provider.send([push(desired("old", timeout="2d"), key="old", starts_at=now - 3 * HOUR)])
    assert names(find(provider, lookback="4h")) == ["old"]
    assert find(provider, lookback="2h") == []
    assert names(find(provider, start=now - 4 * HOUR)) == ["old"]
    assert find(provider, start=now - 4 * HOUR, end=now - 3 * HOUR - MINUTE) == []


def test_all_pages_are_read(emulator: Emulator) -> None:
    provider = opened(emulator.url, page_size=2)
    assert isinstance(provider, AomProvider)
    raise_alarms(emulator, provider)
    assert names(find(provider)) == ["a", "b", "c"]


@pytest.mark.parametrize("emulator", [Settings()], indirect=True)
def test_an_enterprise_project_can_be_chosen_for_a_query(emulator: Emulator, provider: AomProvider) -> None:
    other = opened(emulator.url, enterprise_project_id="e1")
    other.send([push(desired("there"), starts_at=emulator.now())])
    assert find(provider) == []
    assert names(find(provider, enterprise_project_id="all_granted_eps")) == ["there"]


@pytest.mark.parametrize(
    "filters",
    [
        {"lookback": "1h", "start": NOW},
        {"start": NOW, "end": NOW},
        {"metadata_relation": [{"key": "a", "value": ["b"], "relation": "XOR"}]},
        {"colour": "red"},
        {"event_name": []},
    ],
)
def test_a_query_that_means_nothing_is_refused(filters: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ALARMS.model.model_validate(filters)


def event(**changes: Any) -> dict[str, Any]:
    return {"id": "1", "metadata": {"event_name": "a", "event_type": "alarm"}, "ends_at": 0, **changes}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "holds no list of events"),
        ({"page_info": {}}, "holds no list of events"),
        ({"events": None, "page_info": {"current_count": 3}}, "holds no list of events"),
        ({"events": [event(), "x"]}, "1 of the answer's events cannot be read"),
        ({"events": [event()], "page_info": {"current_count": 2, "next_marker": ""}}, "counts 2 events and holds 1"),
        ({"events": [event(id=str(number)) for number in range(5)]}, "does not say whether there are more"),
        ({"events": {}}, "not a list"),
        ([], "not a page"),
        (b"<html/>", "not JSON"),
        (b'{"events": [', "not JSON"),
    ],
)
def test_an_answer_that_could_be_less_than_the_truth_is_an_error(body: object, said: str) -> None:
    with service(lambda _: Reply(body=body)) as running, pytest.raises(ServiceError, match=said):
        find(opened(running.url, page_size=5))


@pytest.mark.parametrize("body", [{"events": []}, {"events": None, "page_info": {"current_count": 0}}])
def test_an_answer_that_says_there_are_none_is_believed(body: object) -> None:
    with service(lambda _: Reply(body=body)) as running:
        assert find(opened(running.url)) == []


def test_an_odd_event_is_kept_and_one_that_was_surely_not_asked_for_is_not() -> None:
    events = [event(metadata=None), event(id="2", metadata={"event_type": "event"}), {"id": 3, "ends_at": "soon"}]
    with service(lambda _: Reply(body={"events": events})) as running:
        found = find(opened(running.url))
    assert [item["id"] for item in found] == ["1", "3"]
    assert [item["active"] for item in found] == [True, True]


@pytest.mark.parametrize(
    ("source", "details", "replies", "said"),
    [
        ("aom_statistics", (), [{}], "no series"),
        ("aom_statistics", (), [{"series": [{"event_severity": "Major"}]}], "lacks its severity or its numbers"),
        ("aom_statistics", (), [{"series": ["x"]}], "lacks its severity or its numbers"),
        ("aom_alarms", ["notifications"], [{"events": [event()]}], "has no event_sn"),
        ("aom_alarms", ["notifications"], [{"events": [event(event_sn="5")]}, {}], "not a notification history"),
    ],
)
def test_what_a_detail_or_statistic_lacks_is_an_error(
    source: str, details: list[str], replies: list[object], said: str
) -> None:
    answers = in_turn(*(Reply(body=body) for body in replies))

    def reply(asked: Asked) -> Reply:
        return answers(asked)

    with service(reply) as running, pytest.raises(ServiceError, match=said):
        find(opened(running.url), source, details)
