"""Who is let in: tokens, IAM, and both vendors' signatures."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from reconciler.emulator.access import SignedRequest, verify_baidu, verify_huawei
from reconciler.emulator.settings import HOUR, Settings, User
from tests.emulator.calls import metadata, push_raw, query_raw
from tests.emulator.handle import Emulator


def status(emulator: Emulator, headers: dict[str, str]) -> int:
    url = f"{emulator.url}/v2/p/events"
    return requests.post(url, json={"time_range": "-1.-1.5"}, headers=headers, timeout=10).status_code


def ask_token(emulator: Emulator, user: str = "ann", password: str = "secret", **changes: Any) -> requests.Response:  # noqa: S107 - made up
    auth = {
        "identity": {
            "methods": ["password"],
            "password": {"user": {"name": user, "password": password, "domain": {"name": "acme"}}},
        },
        "scope": {"project": {"name": "cn-north-4"}},
        **changes,
    }
    return requests.post(f"{emulator.url}/v3/auth/tokens", json={"auth": auth}, timeout=10)


def test_without_token_or_signature_nothing_is_answered(emulator: Emulator) -> None:
    for headers in ({}, {"X-Auth-Token": ""}, {"Authorization": "Basic eDp5"}):
        assert status(emulator, headers) == 401
    answer = requests.post(f"{emulator.url}/v2/p/events", timeout=10)
    assert answer.json() == {
        "error_code": "AOM.0403",
        "error_message": "auth failed.",
        "error_type": "AUTH_FAILED",
        "trace_id": None,
    }
    pushed = requests.put(f"{emulator.url}/v2/p/push/events", timeout=10)
    assert (pushed.status_code, pushed.json()["error_msg"]) == (401, "auth failed.")


def test_any_token_or_signature_will_do_by_default(emulator: Emulator) -> None:
    assert status(emulator, {"X-Auth-Token": "x"}) == 200
    assert status(emulator, {"Authorization": "SDK-HMAC-SHA256 Access=a, SignedHeaders=host, Signature=0"}) == 200


@pytest.mark.parametrize("emulator", [Settings(token="the one")], indirect=True)  # noqa: S106 - made up
def test_one_token_can_be_demanded(emulator: Emulator) -> None:
    assert status(emulator, {"X-Auth-Token": "the one"}) == 200
    assert status(emulator, {"X-Auth-Token": "another"}) == 401
    assert status(emulator, {"X-Auth-Token": "ünïcode".encode().decode("latin-1")}) == 401
    assert status(emulator, {"Authorization": "SDK-HMAC-SHA256 Access=a, SignedHeaders=host, Signature=0"}) == 401


@pytest.mark.parametrize("emulator", [Settings(token="the one", projects={"cn-north-4": "0123"})], indirect=True)  # noqa: S106 - made up
def test_a_token_of_iam_is_let_in_until_it_expires(emulator: Emulator) -> None:
    answer = ask_token(emulator)
    assert answer.status_code == 201
    token = answer.headers["X-Subject-Token"]
    body = answer.json()["token"]
    assert body["expires_at"].endswith("Z")
    assert body["expires_at"] > body["issued_at"]
    assert body["project"]["id"] == "0123"
    assert status(emulator, {"X-Auth-Token": token}) == 200
    emulator.advance(24 * HOUR)
    assert status(emulator, {"X-Auth-Token": token}) == 401


def test_an_expired_token_is_refused_even_where_any_other_would_do(emulator: Emulator) -> None:
    token = ask_token(emulator).headers["X-Subject-Token"]
    emulator.advance(24 * HOUR)
    assert status(emulator, {"X-Auth-Token": token}) == 401


@pytest.mark.parametrize("emulator", [Settings(users=(User("ann", "secret", "acme"),))], indirect=True)
def test_only_known_users_get_a_token(emulator: Emulator) -> None:
    assert ask_token(emulator).status_code == 201
    assert ask_token(emulator, password="guess").status_code == 401  # noqa: S106 - made up
    refused = ask_token(emulator, user="bob")
    assert refused.status_code == 401
    assert refused.json()["error"]["title"] == "Unauthorized"


@pytest.mark.parametrize(
    "changes",
    [
        {"identity": {}},
        {"identity": {"methods": ["password"]}},
        {
            "identity": {
                "methods": ["token"],
                "password": {"user": {"name": "a", "password": "b", "domain": {"name": "c"}}},
            }
        },
        {"scope": {}},
        {"scope": {"project": {}}},
        {"scope": {"project": {"id": 5}}},
    ],
)
def test_a_malformed_request_for_a_token_is_refused(emulator: Emulator, changes: dict[str, Any]) -> None:
    answer = ask_token(emulator, **changes)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"].startswith("Invalid input: ")


def test_iam_names_the_id_of_a_project(emulator: Emulator) -> None:
    url = f"{emulator.url}/v3/projects"
    listed = requests.get(url, params={"name": "cn-north-4"}, headers={"X-Auth-Token": "x"}, timeout=10).json()
    assert [each["id"] for each in listed["projects"]] == ["cn-north-4"]
    assert requests.get(url, timeout=10).status_code == 401


def test_no_secret_is_in_the_recorded_requests(emulator: Emulator) -> None:
    ask_token(emulator, password="very secret")  # noqa: S106 - made up
    status(emulator, {"X-Auth-Token": "very secret"})
    status(emulator, {"Authorization": "very secret"})
    recorded = emulator.requests()
    assert [each["operation"] for each in recorded] == ["token", "query", "query"]
    assert "very secret" not in str(recorded)


def test_requests_are_recorded_with_their_bodies(emulator: Emulator) -> None:
    body = {"events": [{"starts_at": 1, "metadata": metadata()}]}
    push_raw(emulator, body)
    push_raw(emulator, body, action="clear")
    query_raw(emulator, {"time_range": "-1.-1.5"}, limit=5)
    assert emulator.bodies("push") == emulator.bodies("clear") == [body]
    [query] = emulator.requests("query")
    assert (query["method"], query["path"], query["query"], query["status"]) == ("POST", "/v2/p/events", "limit=5", 200)
    emulator.forget_requests()
    assert emulator.requests() == []


# Taken from the vendors' signers for the key pair AK and SK, at a fixed time.
HUAWEI = SignedRequest(
    method="POST",
    path="/v2/p/events",
    query="limit=5&marker=",
    headers={
        "host": "aom.example",
        "x-sdk-date": "20260501T120000Z",
        "content-type": "application/json",
    },
    body=b"{}",
)
NOON = 1_777_636_800_000


def signed(request: SignedRequest, authorization: str) -> SignedRequest:
    headers = {**request.headers, "authorization": authorization}
    return SignedRequest(request.method, request.path, request.query, headers, request.body)


def huawei_signature() -> str:
    from huaweicloudsdkcore.auth.credentials import BasicCredentials
    from huaweicloudsdkcore.sdk_request import SdkRequest
    from huaweicloudsdkcore.signer.signer import Signer

    request = SdkRequest(
        method="POST",
        schema="https",
        host="aom.example",
        resource_path="/v2/p/events",
        uri="",
        query_params=[("limit", "5"), ("marker", "")],
        header_params={"Content-Type": "application/json", "X-Sdk-Date": "20260501T120000Z"},
        body="{}",
        stream=False,
        signing_algorithm=None,
    )
    return str(Signer(BasicCredentials("AK", "SK", "p")).sign(request).header_params["Authorization"])


def test_a_huawei_signature_covers_everything_that_was_sent() -> None:
    request = signed(HUAWEI, huawei_signature())
    keys = {"AK": "SK"}
    assert verify_huawei(request, keys, None)
    assert verify_huawei(request, keys, NOON + 60_000)
    assert not verify_huawei(request, keys, NOON + HOUR)
    assert not verify_huawei(request, {"AK": "other"}, None)
    assert not verify_huawei(request, {"other": "SK"}, None)
    for changed in (
        {"method": "PUT"},
        {"path": "/v2/q/events"},
        {"query": "limit=6&marker="},
        {"body": b"{ }"},
        {"headers": {**request.headers, "x-sdk-date": "20260501T120001Z"}},
        {"headers": {**request.headers, "host": "elsewhere"}},
    ):
        parts = {name: getattr(request, name) for name in ("method", "path", "query", "headers", "body")}
        assert not verify_huawei(SignedRequest(**{**parts, **changed}), keys, None)


@pytest.mark.parametrize("header", ["", "SDK-HMAC-SHA256", "SDK-HMAC-SHA256 Access=AK", "bce-auth-v1/AK/x/y//z"])
def test_what_is_no_signature_verifies_nowhere(header: str) -> None:
    assert not verify_huawei(signed(HUAWEI, header), {"AK": "SK"}, None)
    assert not verify_baidu(signed(HUAWEI, header), {"AK": "SK"}, None)


@pytest.mark.parametrize("named", [None, {b"host", b"x-bce-date"}])
def test_a_baidu_signature_lasts_as_long_as_it_says(named: set[bytes] | None) -> None:
    from baidubce.auth.bce_credentials import BceCredentials
    from baidubce.auth.bce_v1_signer import sign

    headers = {b"host": b"bcm.example", b"x-bce-date": b"2026-05-01T12:00:00Z", b"x-bce-other": b"1"}
    authorization = sign(
        BceCredentials("AK", "SK"), b"GET", b"/ah-api/v1/alarmhouse/alarm", headers, {b"userId": b"u v"},
        timestamp=NOON // 1000, expiration_in_seconds=1800, headers_to_sign=named,
    )  # fmt: skip
    plain = {key.decode(): value.decode() for key, value in headers.items()}
    base = SignedRequest("GET", "/ah-api/v1/alarmhouse/alarm", "userId=u%20v", plain, b"")
    request = signed(base, authorization.decode())
    assert verify_baidu(request, {"AK": "SK"}, None)
    assert verify_baidu(request, {"AK": "SK"}, NOON + 1_799_000)
    assert not verify_baidu(request, {"AK": "SK"}, NOON + 1_801_000)
    assert not verify_baidu(request, {"AK": "other"}, None)
