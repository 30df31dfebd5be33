"""Which alerts are found in a body."""

from __future__ import annotations

import json
from typing import Any

import pytest

from reconciler.receive.payload import PayloadError, read_payload
from reconciler.receive.store import DeliveredAlert
from tests.receive.receivers import ADDRESS, KEY, WEBHOOK, webhook

MARKS = {"reconciler_stack": "checkout", "reconciler_address": ADDRESS, "reconciler_key": KEY}


def alerts(value: object) -> tuple[DeliveredAlert, ...]:
    return read_payload(value if isinstance(value, bytes) else json.dumps(value).encode()).alerts


def test_a_webhook_of_alertmanager_is_read_with_all_that_it_says() -> None:
    payload = read_payload(json.dumps(WEBHOOK).encode())
    assert (payload.receiver, payload.status, payload.truncated) == ("team.checkout-oncall", "firing", 3)
    assert payload.group_key == WEBHOOK["groupKey"]
    ours, foreign = payload.alerts
    assert (ours.status, ours.name, ours.fingerprint) == ("firing", "checkout_latency", "f6a1c2d3e4b5a697")
    assert (ours.stack, ours.address, ours.key) == ("checkout", ADDRESS, KEY)
    assert (ours.run, ours.digest) == ("r" * 32, "d" * 32)
    assert (ours.starts_at, ours.ends_at) == (1_777_636_800_123, None)
    assert (foreign.status, foreign.fingerprint, foreign.key) == ("resolved", "0123456789abcdef", None)
    assert foreign.ends_at in (1_777_636_799_999, 1_777_636_800_000)


def test_keys_that_a_newer_alertmanager_adds_do_no_harm() -> None:
    assert len(alerts(webhook(notification_reason="new", routeLabels={"team": "checkout"}))) == 2


@pytest.mark.parametrize(
    "value",
    [
        {"text": "latency", "fields": [{"labels": MARKS}], "status": "firing"},
        {
            "alarm": {"metadata": dict(list(MARKS.items())[:2]), "annotations": {"reconciler_key": KEY}},
            "status": "FIRING",
        },
        {"commonLabels": {"reconciler_stack": "checkout"}, "items": [MARKS], "status": "firing"},
        [{"event": json.dumps({"status": "firing", "deep": json.dumps(MARKS)})}],
        {"starts_at": 1, "ends_at": 0, "metadata": MARKS, "annotations": {}},
    ],
)
def test_marks_are_found_anywhere_in_json(value: Any) -> None:
    [alert] = alerts(value)
    assert (alert.stack, alert.address, alert.key, alert.status) == ("checkout", ADDRESS, KEY, "firing")


@pytest.mark.parametrize(
    "text",
    [
        f"[RESOLVED] latency reconciler_stack=checkout, reconciler_address=a.b, reconciler_key={KEY}.",
        f"resolved\nreconciler_stack: checkout\nreconciler_address: a.b\nreconciler_key: {KEY}\n",
        f"status resolved map[reconciler_address:a.b reconciler_key:{KEY} reconciler_stack:checkout]",
        f"&quot;reconciler_stack&quot;: &quot;checkout&quot;, &#34;reconciler_address&#34;:&#34;a.b&#34; "
        f"<b>reconciler_key</b> reconciler_key = {KEY}<br> is resolved",
        '{"broken": "resolved", "reconciler_stack": "checkout", "reconciler_address": "a.b", "reconciler_key": '
        f'"{KEY}"',
    ],
)
def test_marks_are_found_in_text(text: str) -> None:
    [alert] = alerts(text.encode())
    assert (alert.stack, alert.address, alert.key, alert.status) == ("checkout", "a.b", KEY, "resolved")


@pytest.mark.parametrize("levels", [0, 1, 2])
def test_an_address_with_a_quoted_key_is_found_in_text_at_any_level_of_quoting(levels: int) -> None:
    address = 'aom_alarm.latency["ecs 1"]'
    text = f"reconciler_address={address} reconciler_key={KEY}"
    for _ in range(levels):
        text = json.dumps(text)
    [alert] = alerts(f"seen: {text}".encode())
    assert alert.address == address


def test_each_alert_of_a_text_is_found() -> None:
    text = "firing: reconciler_key=k1 reconciler_stack=a, firing: reconciler_key=k2 reconciler_stack=a"
    assert [alert.key for alert in alerts(text.encode())] == ["k1", "k2"]


def test_a_text_that_speaks_of_both_states_has_none() -> None:
    [alert] = alerts(b"firing 1, resolved 1: reconciler_key=k1")
    assert alert.status is None


@pytest.mark.parametrize("body", [b"", b"\xff\xfe\x00", b"null", b"[]", b"12", b'"text"', b"{}", b'{"alerts": 3}'])
def test_a_body_without_alerts_has_none(body: bytes) -> None:
    assert alerts(body) == ()


@pytest.mark.parametrize("depth", [33, 5_000, 500_000])
def test_a_body_nested_too_deeply_is_refused(depth: int) -> None:
    with pytest.raises(PayloadError):
        read_payload(b"[" * depth + b"]" * depth)
    with pytest.raises(PayloadError):
        read_payload(b'{"a":' * depth + b"1" + b"}" * depth)


def test_an_end_that_no_calendar_holds_is_none() -> None:
    [alert] = alerts(webhook(alerts=[WEBHOOK["alerts"][1] | {"endsAt": "9999-99-99T00:00:00Z", "startsAt": 7}]))
    assert (alert.starts_at, alert.ends_at) == (7, None)


@pytest.mark.parametrize(
    "body",
    [
        b'reconciler_address=a.b["' + b"\\" * 200_000,
        b'reconciler_address="' + b"\\" * 200_000,
        b'reconciler_address=a.b["x' * 20_000,
        b"reconciler_key=" * 20_000,
        json.dumps([{"reconciler_key": str(n)} for n in range(20_000)]).encode(),
        json.dumps([{"reconciler_stack": str(n)} for n in range(20_000)]).encode(),
    ],
)
def test_a_hostile_body_ends(body: bytes) -> None:
    assert len(alerts(body)) <= 10_000
