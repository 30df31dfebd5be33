"""The emulator is not for web pages: it knows the names it serves, and its admin endpoints know who calls."""

from __future__ import annotations

import pytest
import requests

from reconciler.emulator.settings import Settings


def call(url: str, method: str = "GET", path: str = "/admin/faults", body: bytes | None = None, **headers: str) -> int:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return requests.request(method, url + path, data=body, headers=named, timeout=10).status_code


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "169.254.169.254", ""])
@pytest.mark.parametrize("path", ["/admin/faults", "/v2/p/events", "/openapi.json", "/v3/auth/tokens"])
def test_a_name_that_is_not_served_is_refused(emulator, host: str, path: str) -> None:
    assert call(emulator.url, path=path, Host=host) == 421


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "[::1]:80", "127.0.0.1"])
def test_the_names_of_loopback_are_served(emulator, host: str) -> None:
    assert call(emulator.url, Host=host) == 200


@pytest.mark.parametrize("emulator", [Settings(hosts=frozenset({"emulator", "fe80::1"}))], indirect=True)
@pytest.mark.parametrize("host", ["emulator", "Emulator:8080", "[fe80::1]:8080"])
def test_a_name_it_was_told_is_served(emulator, host: str) -> None:
    assert call(emulator.url, Host=host) == 200


@pytest.mark.parametrize(
    "headers", [{"Origin": "http://evil.example"}, {"Origin": "null"}, {"Sec_Fetch_Site": "cross-site"}]
)
@pytest.mark.parametrize("path", ["/admin/reset", "/v2/p/push/events"])
def test_another_web_site_is_refused(emulator, headers: dict[str, str], path: str) -> None:
    assert call(emulator.url, "POST", path, **headers) == 403


def test_its_own_origin_is_no_other_site(emulator) -> None:
    assert call(emulator.url, Origin=emulator.url, Sec_Fetch_Site="same-origin") == 200


@pytest.mark.parametrize(
    "content_type", ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x", None]
)
def test_an_admin_call_that_is_no_json_changes_nothing(emulator, content_type: str | None) -> None:
    headers = {} if content_type is None else {"Content_Type": content_type}
    assert call(emulator.url, "POST", body=b'{"fault": "push:status=503"}', **headers) == 415
    assert emulator.faults() == []


def test_json_is_taken_whatever_its_charset(emulator) -> None:
    body = b'{"fault": "push:status=503"}'
    assert call(emulator.url, "POST", body=body, Content_Type="application/json; charset=utf-8") == 201


@pytest.mark.parametrize("emulator", [Settings(token="a-secret-token")], indirect=True)  # noqa: S106 - made up
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"X_Auth_Token": "another"}, 401),
        ({"Authorization": "Bearer another"}, 401),
        ({"Authorization": "Basic a-secret-token"}, 401),
        ({"X_Auth_Token": "a-secret-token"}, 200),
        ({"Authorization": "Bearer a-secret-token"}, 200),
    ],
)
def test_the_token_guards_the_admin_endpoints(emulator, headers: dict[str, str], status: int) -> None:
    assert call(emulator.url, **headers) == status
