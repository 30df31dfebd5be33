"""SMN's calls. What its messages look like to a subscriber is tested in tests/receive/smn/test_messages.py."""

from __future__ import annotations

import time
from typing import Any

import pytest
import requests

from reconciler.emulator.settings import Settings
from tests.emulator.handle import Emulator

TOPIC = "urn:smn:cn-north-4:p1:alarms"
PATH = f"/topics/{TOPIC}"


def call(emulator: Emulator, method: str, path: str, body: object = None, token: str = "t") -> requests.Response:  # noqa: S107 - made up
    url = f"{emulator.url}/v2/p1/notifications{path}"
    return requests.request(method, url, json=body, headers={"X-Auth-Token": token}, timeout=30)


def create(emulator: Emulator) -> str:
    return str(call(emulator, "POST", "/topics", {"name": "alarms", "display_name": ""}).json()["topic_urn"])


def attempts(emulator: Emulator) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = requests.get(f"{emulator.url}/admin/smn/attempts", timeout=30).json()["attempts"]
    return found


def test_a_topic_has_the_urn_of_its_region_and_project(emulator: Emulator) -> None:
    assert [create(emulator), create(emulator)] == [TOPIC, TOPIC]


def test_an_endpoint_is_subscribed_once_and_gets_nothing_before_it_confirms(emulator: Emulator) -> None:
    create(emulator)
    body = {"protocol": "http", "endpoint": "http://127.0.0.1:1/smn"}
    answers = [call(emulator, "POST", f"{PATH}/subscriptions", body) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 200]
    listed = call(emulator, "GET", f"{PATH}/subscriptions").json()
    assert (listed["subscription_count"], listed["subscriptions"][0]["status"]) == (1, 0)
    assert call(emulator, "POST", f"{PATH}/publish", {"subject": "s", "message": "m"}).status_code == 200
    deadline = time.monotonic() + 20
    while len(attempts(emulator)) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert [(each["type"], each["status"]) for each in attempts(emulator)] == [("SubscriptionConfirmation", None)] * 2
    emulator.reset()
    assert attempts(emulator) == []
    assert call(emulator, "GET", f"{PATH}/subscriptions").status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/topics", {"name": "not a name"}, 400),
        ("POST", "/topics", [], 400),
        ("POST", "/topics/urn:smn:cn-north-4:p1:none/publish", {"message": "m"}, 404),
        ("POST", f"{PATH}/publish", {"message": ""}, 400),
        ("POST", f"{PATH}/publish", {"message": "m" * 300_000}, 400),
        ("POST", f"{PATH}/subscriptions", {"protocol": "sms", "endpoint": "+861"}, 400),
        ("POST", f"{PATH}/subscriptions", {"protocol": "https", "endpoint": "http://127.0.0.1:1"}, 400),
        ("DELETE", "/subscriptions/none", None, 404),
    ],
)
def test_a_wrong_request_is_refused(emulator: Emulator, method: str, path: str, body: object, status: int) -> None:
    create(emulator)
    answer = call(emulator, method, path, body)
    assert answer.status_code == status
    assert {"code", "message", "request_id"} <= answer.json().keys()


@pytest.mark.parametrize("emulator", [Settings(token="right")], indirect=True)  # noqa: S106 - made up
def test_calls_need_the_token_and_links_do_not(emulator: Emulator) -> None:
    assert call(emulator, "POST", "/topics", {"name": "alarms"}, token="wrong").status_code == 401  # noqa: S106 - made up
    assert call(emulator, "POST", "/topics", {"name": "alarms"}, token="right").status_code == 201  # noqa: S106 - made up
    assert requests.get(f"{emulator.url}/smn/other.pem", timeout=30).status_code == 404
    confirm = f"{emulator.url}/smn/subscription/confirm?token=x&topic_urn={TOPIC}"
    assert requests.get(confirm, timeout=30).status_code == 404
