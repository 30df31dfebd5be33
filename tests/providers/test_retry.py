"""Requests that read are repeated, bounded in time as a whole, and encoded as the vendor encodes them."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event

import pytest

from reconciler.core.diagnostic import DiagnosticError
from reconciler.core.operation import ServiceErrorDetail
from reconciler.providers.protocol import ErrorKind, ServiceError
from reconciler.providers.retry import retry_read
from tests.providers.aom.objects import STACK, desired, opened, push
from tests.providers.service import Asked, Reply, in_turn, service
from tests.providers.test_http import client

NOTHING = Reply(200, {"events": [], "page_info": {"current_count": 0}})


class InstantClock:
    """Waits are over at once, and counted."""

    def __init__(self) -> None:
        self.waited: list[int] = []

    def now(self) -> int:
        return 0

    def monotonic(self) -> int:
        return 0

    def pause(self, milliseconds: int, stop: Event) -> bool:
        self.waited.append(milliseconds)
        return stop.is_set()


@pytest.mark.parametrize(
    "fault",
    [Reply(cut=True), Reply(200, b"{}", short=True), Reply(502), Reply(503), Reply(504), Reply(429)],
)
def test_a_query_that_meets_a_passing_fault_is_made_again(fault: Reply) -> None:
    clock = InstantClock()
    with service(in_turn(fault, fault, NOTHING)) as running:
        provider = opened(running.url)
        assert retry_read("aom", lambda: list(provider.observe(STACK, [])), clock) == []
        assert len(running.asked) == 3
    assert len(clock.waited) == 2


@pytest.mark.parametrize("fault", [Reply(400), Reply(401), Reply(500), Reply(302)])
def test_a_query_that_is_refused_is_not_made_again(fault: Reply) -> None:
    with service(in_turn(fault)) as running:
        provider = opened(running.url)
        with pytest.raises(ServiceError) as caught:
            retry_read("aom", lambda: list(provider.observe(STACK, [])), InstantClock())
        assert len(running.asked) == 1
    assert caught.value.reading


def test_a_query_is_not_repeated_without_end() -> None:
    def cut() -> None:
        raise ServiceError(ErrorKind.AMBIGUOUS, ServiceErrorDetail("cut"), cut=True)

    clock = InstantClock()
    with pytest.raises(ServiceError):
        retry_read("aom", cut, clock)
    assert len(clock.waited) == 5


def test_a_push_is_not_a_reading_request() -> None:
    with service(in_turn(Reply(502))) as running, pytest.raises(ServiceError) as caught:
        opened(running.url).send([push(desired())])
    assert (caught.value.kind, caught.value.reading) == (ErrorKind.AMBIGUOUS, False)


def test_a_query_is_encoded_as_the_vendor_encodes_it() -> None:
    lines: list[bytes] = []
    with raw_service(b"HTTP/1.1 204 No Content\r\n\r\n", lines) as url:
        client(url).send("GET", "/x", params=[("name", "a b+c/d~e*")])
    assert lines[0] == b"GET /x?name=a%20b%2Bc%2Fd~e%2A HTTP/1.1"


@contextmanager
def raw_service(answer: bytes, lines: list[bytes] | None = None, *, trickle: bool = False) -> Iterator[str]:
    """A server of one connection that sends these bytes, one by one without end if they trickle."""
    gone = Event()

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            head = connection.recv(65536)
            if lines is not None:
                lines.extend(head.split(b"\r\n"))
            connection.sendall(answer)
            while trickle and not gone.is_set():
                try:
                    connection.sendall(b"x")
                except OSError:
                    return
                gone.wait(0.01)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        gone.set()
        thread.join()


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nX-Long: ",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 500 Oh\r\n\r\n",
    ],
)
def test_an_answer_that_trickles_ends_with_the_timeout_as_a_whole(head: bytes) -> None:
    with raw_service(head, trickle=True) as url, pytest.raises(ServiceError) as caught:
        client(url, timeout_ms=150).send("PUT", "/x", body=b"{}")
    assert caught.value.kind is ErrorKind.AMBIGUOUS
    assert "in time" in caught.value.detail.message or "was cut" in caught.value.detail.message


def test_no_warning_of_a_library_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    with raw_service(b"HTTP/1.1 200 OK\r\nno colon here\r\nContent-Length: 2\r\n\r\n{}") as url:
        client(url).send("GET", "/x")
    assert not [record for record in caplog.records if record.name.startswith("urllib3")]


def test_json_that_nests_too_deeply_has_a_message_of_its_own() -> None:
    with (
        service(in_turn(Reply(200, b"[" * 100_000 + b"]" * 100_000))) as running,
        pytest.raises(ServiceError) as caught,
    ):
        list(opened(running.url).observe(STACK, []))
    assert "nested too deeply" in caught.value.detail.message


@pytest.mark.parametrize(
    ("allowed", "fine"),
    [
        ("https://aom.cn-north-4.myhuaweicloud.com", False),
        ("", False),
        ("127.0.0.1", False),
        ("{url}", True),
        ("https://other.example, {url}", True),
    ],
)
def test_credentials_go_to_allowed_endpoints_only(allowed: str, fine: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    with service(in_turn(NOTHING)) as running:
        monkeypatch.setenv("RECONCILER_ALLOWED_ENDPOINTS", allowed.format(url=running.url))
        if fine:
            assert list(opened(running.url).observe(STACK, [])) == []
        else:
            with pytest.raises(DiagnosticError, match="RECONCILER_ALLOWED_ENDPOINTS"):
                opened(running.url)
        assert bool(running.asked) is fine


@pytest.mark.parametrize(
    ("allowed", "fine"),
    [("*.myhuaweicloud.com", True), ("aom.cn-north-4.myhuaweicloud.com", True), ("*.myhuaweicloud.eu", False)],
)
def test_hosts_are_allowed_by_pattern(allowed: str, fine: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECONCILER_ALLOWED_ENDPOINTS", allowed)
    if fine:
        opened("https://aom.cn-north-4.myhuaweicloud.com").close()
    else:
        with pytest.raises(DiagnosticError):
            opened("https://aom.cn-north-4.myhuaweicloud.com")


def test_an_iam_elsewhere_gets_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECONCILER_ALLOWED_ENDPOINTS", "https://aom.example")
    iam = {"user": "u", "password": "p4ssw0rd", "domain": "d", "project": "p", "endpoint": "https://evil.example"}
    with pytest.raises(DiagnosticError, match=r"evil\.example"):
        opened("https://aom.example", auth={"iam": iam})


def test_a_temporary_access_key_sends_its_security_token() -> None:
    with service(in_turn(NOTHING)) as running:
        auth = {"ak": "an-access-key", "sk": "a-secret-key", "security_token": "a-security-token"}
        list(opened(running.url, auth=auth).observe(STACK, []))
    [asked] = running.asked
    assert asked.headers["X-Security-Token"] == "a-security-token"
    assert "x-security-token" in asked.headers["Authorization"].lower()


def test_an_agency_is_assumed_once_and_again_before_its_key_expires() -> None:
    at = [1_793_534_400_000]

    def reply(asked: Asked) -> Reply:
        if asked.path != "/v3.0/OS-CREDENTIAL/securitytokens":
            return NOTHING
        number = sum(one.path == asked.path for one in running.asked)
        credential = {
            "access": f"temporary-{number}",
            "secret": "temporary-secret",
            "securitytoken": f"security-{number}",
            "expires_at": "2026-11-01T13:00:00.000000Z" if number == 1 else "2026-11-01T15:00:00.000000Z",
        }
        return Reply(201, {"credential": credential})

    with service(reply) as running:
        agency = {"name": "alarms", "domain": "other", "endpoint": running.url}
        auth = {"ak": "an-access-key", "sk": "a-secret-key", "agency": agency}
        provider = opened(running.url, lambda: at[0], auth=auth)
        for _ in range(2):
            list(provider.observe(STACK, []))
        at[0] += 58 * 60_000
        list(provider.observe(STACK, []))
        provider.close()
    fetched = [asked for asked in running.asked if asked.path.endswith("securitytokens")]
    queried = [asked for asked in running.asked if asked not in fetched]
    assert [asked.headers["X-Security-Token"] for asked in queried] == ["security-1", "security-1", "security-2"]
    assert len(fetched) == 2
    assert "an-access-key" in fetched[0].headers["Authorization"]
    assert fetched[0].json()["auth"]["identity"]["assume_role"] == {
        "agency_name": "alarms",
        "domain_name": "other",
        "duration_seconds": 3600,
    }


@pytest.mark.parametrize("reply", [Reply(403), Reply(201, {"credential": {}}), Reply(201, b"<html>")])
def test_without_the_agency_nothing_is_sent(reply: Reply) -> None:
    with service(in_turn(reply)) as running:
        agency = {"name": "alarms", "domain": "other", "endpoint": running.url}
        provider = opened(running.url, auth={"ak": "an-access-key", "sk": "a-secret-key", "agency": agency})
        with pytest.raises(ServiceError):
            provider.send([push(desired())])
        assert [asked.path for asked in running.asked] == ["/v3.0/OS-CREDENTIAL/securitytokens"]


def test_a_short_credential_is_told_at_its_place(caplog: pytest.LogCaptureFixture) -> None:
    opened("https://aom.example", auth={"token": "t"}).close()
    assert "providers.aom.auth.token: shorter than 6 characters" in caplog.text
