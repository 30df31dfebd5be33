"""The receiver provider, against a running receiver."""

from __future__ import annotations

import time
from typing import Any

import pytest
from pydantic import ValidationError

from reconciler.core.delivery import DeliveryLog, DeliveryQuery, Uptime
from reconciler.core.duration import HOUR
from reconciler.emulator.settings import wall_clock
from reconciler.providers.protocol import ErrorKind, ProviderContext, ServiceError
from reconciler.providers.receiver import PROVIDER
from reconciler.providers.receiver.provider import ReceiverProvider
from reconciler.providers.receiver.query import FIELDS, DeliveriesQuery
from reconciler.providers.receiver.settings import ReceiverSettings
from tests.receive.receivers import ADDRESS, HOOK_TOKEN, KEY, TOKEN, Receiver, webhook


def opened(url: str, token: str = TOKEN, ahead: float = 0.0) -> ReceiverProvider:
    """A provider of a receiver, by a clock that is so many seconds ahead."""
    settings = PROVIDER.settings.model_validate({"endpoint": url, "auth": {"token": token}})
    provider = PROVIDER.open("receiver", settings, ProviderContext("test", lambda: wall_clock() + round(ahead * 1000)))
    assert isinstance(provider, ReceiverProvider)
    return provider


def found(provider: ReceiverProvider, **query: Any) -> list[Any]:
    return list(provider.query("deliveries", DeliveriesQuery.model_validate(query), ()))


def test_a_query_finds_one_item_for_each_alert_that_matches(receiver: Receiver) -> None:
    receiver.post("/alertmanager", webhook(truncatedAlerts=0))
    provider = opened(receiver.url)
    [item] = found(provider, address=ADDRESS, receiver="team.checkout-oncall", complete=False)
    assert item.keys() == FIELDS.keys()
    assert (item["status"], item["key"], item["event_name"]) == ("firing", KEY, "checkout_latency")
    assert (item["count"], item["alerts"], item["truncated"]) == (1, 2, 0)
    assert [each["status"] for each in found(provider, complete=False)] == ["firing", "resolved"]
    assert found(provider, source="smn", complete=False) == []


def test_a_query_reads_every_page(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reconciler.providers.receiver.provider.PAGE_SIZE", 3)
    for number in range(10):
        receiver.post(f"/hook/{HOOK_TOKEN}", {"reconciler_key": f"k{number}"})
    assert [each["key"] for each in found(opened(receiver.url), complete=False)] == [f"k{n}" for n in range(10)]


def test_a_query_fails_if_the_receiver_was_not_running_during_its_window(receiver: Receiver) -> None:
    with pytest.raises(ServiceError, match=r"the receiver was not running between .* complete: false") as caught:
        found(opened(receiver.url), lookback="1h")
    assert caught.value.kind is ErrorKind.REJECTED


def test_a_query_fails_if_a_sender_left_alerts_out(receiver: Receiver) -> None:
    receiver.post("/alertmanager", webhook(truncatedAlerts=3))
    provider = opened(receiver.url)
    with pytest.raises(ServiceError, match="truncated the alerts of 1 deliveries"):
        found(provider, lookback="1s")
    assert found(provider, lookback="1s", receiver="another") == []


def test_more_keys_than_one_query_takes_are_found_by_several(receiver: Receiver) -> None:
    keys = tuple(f"k{number}" for number in range(150))
    for key in keys[::49]:
        receiver.post(f"/hook/{HOOK_TOKEN}", {"reconciler_key": key, "status": "firing"})
    log = opened(receiver.url).deliveries(DeliveryQuery(keys))
    assert [each.key for each in log.arrivals] == ["k0", "k49", "k98", "k147"]
    assert {(each.status, each.receiver, each.times) for each in log.arrivals} == {("firing", "pager", 1)}


@pytest.mark.parametrize("ahead", [-HOUR / 1000, 0.0, HOUR / 1000])
def test_times_are_those_of_our_clock_however_far_it_is_from_the_receivers(receiver: Receiver, ahead: float) -> None:
    provider = opened(receiver.url, ahead=ahead)
    since = int((time.time() + ahead) * 1000)
    receiver.post("/alertmanager", webhook())
    log = provider.deliveries(DeliveryQuery((KEY,), since=since))
    [arrival] = log.arrivals
    assert abs(arrival.received_at - since) < HOUR / 4
    assert log.gap(since, log.asked_at) is None
    assert log.truncated == 1


def test_an_alarm_is_found_by_its_fingerprint_too(receiver: Receiver) -> None:
    receiver.post("/alertmanager", webhook())
    log = opened(receiver.url).deliveries(DeliveryQuery((), ("0123456789abcdef",), "team.checkout-oncall"))
    assert [each.status for each in log.arrivals] == ["resolved"]
    assert opened(receiver.url).deliveries(DeliveryQuery((KEY,), receiver="another")).arrivals == ()


def test_a_wrong_token_is_told_as_such(receiver: Receiver) -> None:
    with pytest.raises(ServiceError) as caught:
        found(opened(receiver.url, token="wrong-token-0123456789"))  # noqa: S106 - made up
    assert caught.value.kind is ErrorKind.DENIED
    assert "wrong-token" not in str(caught.value)


def test_another_server_is_not_taken_for_a_receiver(receiver: Receiver) -> None:
    with pytest.raises(ServiceError, match=r"404|not a receiver"):
        found(opened(f"{receiver.url}/healthz"))


@pytest.mark.parametrize(
    ("block", "said"),
    [
        ({"endpoint": "http://127.0.0.1:8090"}, "give auth"),
        ({"endpoint": "listen", "auth": {"token": "t"}}, "needs no auth"),
        ({"endpoint": "embedded"}, "an endpoint is listen, or a URL"),
    ],
)
def test_settings_that_do_not_fit_are_refused(block: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        ReceiverSettings.model_validate(block)


def test_a_receiver_to_listen_with_needs_the_command_to_start_it() -> None:
    with pytest.raises(ValueError, match="--listen HOST:PORT"):
        PROVIDER.open("receiver", ReceiverSettings(endpoint="listen"), ProviderContext("test", wall_clock))


@pytest.mark.parametrize(
    ("spans", "gap"),
    [
        ([], (10, 20)),
        ([(0, 30)], None),
        ([(0, 15), (15, 20)], None),
        ([(0, 12), (14, 30)], (12, 14)),
        ([(12, 30)], (10, 12)),
        ([(0, 5), (25, 30)], (10, 20)),
    ],
)
def test_the_first_gap_in_the_times_of_listening_is_found(
    spans: list[tuple[int, int]], gap: tuple[int, int] | None
) -> None:
    log = DeliveryLog(20, (), tuple(Uptime(*span) for span in spans))
    assert log.gap(10, 20) == gap
