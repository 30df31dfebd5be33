"""The vendor's own SDKs as independent clients of AOM and CES."""

from __future__ import annotations

from typing import Any

import pytest
from huaweicloudsdkaom.v2 import (
    AomClient,
    CountEventsRequest,
    EventList,
    EventModel,
    EventQueryParam,
    EventQueryParam2,
    EventQueryParam2Sort,
    ListEventsRequest,
    ListNotifiedHistoriesRequest,
    PushEventsRequest,
    RelationModel,
)
from huaweicloudsdkces.v1 import (
    CesClient,
    CreateEventsRequest,
    CreateEventsRequestBody,
    EventItemDetail,
    MetricsDimension,
)
from huaweicloudsdkces.v1 import ListEventDetailRequest as ShowEventsRequest
from huaweicloudsdkces.v1 import ListEventsRequest as ListCesEventsRequest
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException

from reconciler.emulator.settings import Settings
from tests.emulator.calls import HOUR, metadata
from tests.emulator.handle import Emulator

KEYS = Settings(keys={"AK": "the secret key"})
pytestmark = pytest.mark.parametrize("emulator", [KEYS], indirect=True)


def client(kind: Any, emulator: Emulator, secret: str = "the secret key") -> Any:  # noqa: S107 - made up
    credentials = BasicCredentials("AK", secret, "project")
    return kind.new_builder().with_credentials(credentials).with_endpoint(emulator.url).build()


def push(aom: Any, emulator: Emulator, *several: dict[str, str], action: str | None = None, **fields: Any) -> None:
    events = [EventModel(starts_at=emulator.now(), timeout=HOUR, metadata=each, **fields) for each in several]
    answer = aom.push_events(PushEventsRequest(action=action, body=EventList(events=events)))
    assert answer.status_code == 204


def list_events(aom: Any, kind: str | None = None, **query: Any) -> list[Any]:
    body = EventQueryParam2(time_range="-1.-1.60", **query)
    return list(aom.list_events(ListEventsRequest(type=kind, body=body)).events)


def event_names(events: list[Any]) -> list[str]:
    return [event.metadata["event_name"] for event in events]


def test_what_the_sdk_pushes_it_lists_and_clears(emulator: Emulator) -> None:
    aom = client(AomClient, emulator)
    push(aom, emulator, metadata("one"), metadata("two"), annotations={"message": "m"}, attach_rule={})
    two, one = list_events(aom, "active_alert")
    assert event_names([one, two]) == ["one", "two"]
    assert (one.annotations, one.timeout, one.ends_at, one.enterprise_project_id) == ({"message": "m"}, HOUR, 0, "0")
    push(aom, emulator, metadata("one"), action="clear", id=one.id, ends_at=emulator.now())
    assert event_names(list_events(aom, "active_alert")) == ["two"]
    assert [each.id for each in list_events(aom, "history_alert")] == [one.id]
    assert len(list_events(aom)) == 2


def test_every_filter_of_the_sdk_is_understood(emulator: Emulator) -> None:
    aom = client(AomClient, emulator)
    push(aom, emulator, metadata("a", team="red"), metadata("b", team="blue"), metadata("c", event_severity="Info"))

    def related(relation: str, key: str, *values: str) -> list[str]:
        return sorted(event_names(list_events(aom, metadata_relation=[RelationModel(key, list(values), relation)])))

    assert related("AND", "team", "red", "blue") == ["a", "b"]
    assert related("NOT", "team", "red") == ["b", "c"]
    assert related("OR", "event_severity", "Info") == ["c"]
    assert event_names(list_events(aom, search="blu")) == ["b"]
    assert event_names(list_events(aom, sort=EventQueryParam2Sort(order_by=["event_name"], order="asc"))) == list("abc")
    assert len(list_events(aom, step=60_000)) == 3


def test_the_sdk_pages_through_alarms(emulator: Emulator) -> None:
    aom = client(AomClient, emulator)
    push(aom, emulator, *(metadata(str(number)) for number in range(7)))
    found, marker = [], "0"
    while marker:
        body = EventQueryParam2(time_range="-1.-1.60")
        page = aom.list_events(ListEventsRequest(limit=3, marker=marker, body=body))
        found += event_names(page.events)
        marker = page.page_info.next_marker
    assert sorted(found) == [str(number) for number in range(7)]


def test_the_sdk_keeps_enterprise_projects_apart(emulator: Emulator) -> None:
    aom = client(AomClient, emulator)
    event = EventModel(starts_at=emulator.now(), metadata=metadata("special"))
    aom.push_events(PushEventsRequest(enterprise_project_id="e1", body=EventList(events=[event])))
    body = EventQueryParam2(time_range="-1.-1.60")
    assert aom.list_events(ListEventsRequest(body=body)).events == []
    for each in ("e1", "all_granted_eps"):
        assert event_names(aom.list_events(ListEventsRequest(enterprise_project_id=each, body=body)).events) == [
            "special"
        ]


def test_the_sdk_counts(emulator: Emulator) -> None:
    aom = client(AomClient, emulator)
    push(aom, emulator, metadata("a"), metadata("b", event_severity="Critical"))
    body = EventQueryParam(time_range="-1.-1.10", step=60_000)
    counted = aom.count_events(CountEventsRequest(type="active_alert", body=body))
    assert counted.step == 60_000
    assert {each.event_severity: sum(each.values) for each in counted.series} == counted.summary
    assert counted.summary == {"Critical": 1, "Major": 1, "Minor": 0, "Info": 0}


def test_the_sdk_reads_who_was_notified(emulator: Emulator) -> None:
    emulator.notify("pager", topic="urn:smn:oncall")
    aom = client(AomClient, emulator)
    push(aom, emulator, metadata("a"))
    [alarm] = list_events(aom)
    [history] = aom.list_notified_histories(ListNotifiedHistoriesRequest(event_sn=alarm.event_sn)).notified_histories
    [notification] = history.notifications
    assert notification.action_rule == "pager"
    assert notification.smn_channel.smn_response_code == "200"
    assert notification.smn_channel.smn_topic == "urn:smn:oncall"


def test_a_signature_by_another_key_is_refused(emulator: Emulator) -> None:
    for call in (
        lambda: list_events(client(AomClient, emulator, "wrong")),
        lambda: client(CesClient, emulator, "wrong").list_events(ListCesEventsRequest()),
    ):
        with pytest.raises(ClientRequestException) as caught:
            call()
        assert caught.value.status_code == 401


def test_a_refusal_reaches_the_sdk_with_its_code(emulator: Emulator) -> None:
    with pytest.raises(ClientRequestException) as caught:
        push(client(AomClient, emulator), emulator, {"event_name": "alone"})
    assert caught.value.status_code == 400
    assert caught.value.error_code == "AOM.0400"
    assert "metadata is invalid" in caught.value.error_msg


def test_the_sdk_reports_lists_and_shows_custom_events(emulator: Emulator) -> None:
    ces = client(CesClient, emulator)
    now = emulator.now()

    def event_item(name: str, age: int, **detail: Any) -> CreateEventsRequestBody:
        return CreateEventsRequestBody(name, "checkout.deploy", now - age, EventItemDetail(**detail))

    items = [
        event_item("started", 2_000, content="a\nb", event_level="Info", event_state="normal", event_user="me"),
        event_item("ended", 1_000, event_level="Major", dimensions=[MetricsDimension("instance_id", "i-1")]),
        event_item("started", 0, event_level="Info", event_state="warning"),
    ]
    reported = ces.create_events(CreateEventsRequest(body=items))
    assert reported.status_code == 201
    assert [each.event_name for each in reported.body] == ["started", "ended", "started"]
    assert len({each.event_id for each in reported.body}) == 3

    summary = ces.list_events(ListCesEventsRequest(event_type="EVENT.CUSTOM", _from=now - HOUR, to=now + 1))
    assert [(each.event_name, each.event_count, each.latest_occur_time) for each in summary.events] == [
        ("started", 2, now),
        ("ended", 1, now - 1_000),
    ]
    assert summary.meta_data.total == 2

    shown = ces.list_event_detail(
        ShowEventsRequest("started", "EVENT.CUSTOM", event_source="checkout.deploy", event_state="normal")
    )
    [event] = shown.event_info
    assert (event.event_id, event.time, event.detail.content) == (reported.body[0].event_id, now - 2_000, "a\nb")
    assert (shown.event_users, shown.event_sources, shown.meta_data.total) == (["me"], ["checkout.deploy"], 1)
