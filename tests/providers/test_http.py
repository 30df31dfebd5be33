"""Requests over real connections, and what their failures mean."""

from __future__ import annotations

import gzip
import logging
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import trustme

from reconciler.core.target import is_loopback
from reconciler.core.text import Redactor
from reconciler.emulator.settings import wall_clock
from reconciler.providers import http
from reconciler.providers.auth import TokenAuth
from reconciler.providers.http import Client
from reconciler.providers.protocol import ErrorKind, ServiceError
from tests.providers.service import Reply, in_turn, service

TOKEN = "a-very-secret-token"  # noqa: S105 - made up


def client(url: str, timeout_ms: int = 5000, **settings) -> Client:
    return Client(
        url,
        auth=TokenAuth(TOKEN),
        secrets=Redactor([TOKEN]),
        user_agent="reconciler/test",
        parallelism=2,
        timeout_ms=timeout_ms,
        now=wall_clock,
        **settings,
    )


def error_of(url: str, **settings) -> ServiceError:
    made = client(url, **settings)
    try:
        with pytest.raises(ServiceError) as caught:
            made.send("PUT", "/v2/demo/push/events", body=b"{}")
    finally:
        made.close()
    assert TOKEN not in repr(caught.value)
    return caught.value


@contextmanager
def closed_port() -> Iterator[int]:
    """A port nobody listens on while it is held."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@contextmanager
def silent_port() -> Iterator[int]:
    """A port that accepts connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        yield held.getsockname()[1]


def test_a_success_gives_status_headers_and_body() -> None:
    with service(in_turn(Reply(200, {"a": 1}, {"X-Here": "yes"}))) as running:
        answer = client(running.url).send("POST", "/x", params=[("q", "a b")], headers={"X-There": "1"}, body=b"{}")
    assert (answer.status, answer.headers["x-here"], answer.json()) == (200, "yes", {"a": 1})
    [asked] = running.asked
    assert (asked.method, asked.path, asked.query, asked.body) == ("POST", "/x", {"q": "a b"}, b"{}")
    assert asked.headers["Content-Type"] == "application/json"
    assert asked.headers["User-Agent"] == "reconciler/test"
    assert asked.headers["X-There"] == "1"


def test_connections_are_kept() -> None:
    peers: set[int] = set()
    with service(in_turn(Reply(204))) as running:
        made = client(running.url)
        threads = [
            threading.Thread(target=lambda: [made.send("PUT", "/x", body=b"{}") for _ in range(5)]) for _ in "ab"
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        adapter = made._session.get_adapter(running.url)
        for pool in adapter.poolmanager.pools._container.values():
            peers.add(pool.num_connections)
        made.close()
    assert len(running.asked) == 10
    assert max(peers) <= 2


def test_a_refused_connection_was_not_sent() -> None:
    with closed_port() as port:
        met = error_of(f"http://127.0.0.1:{port}")
    assert met.kind is ErrorKind.UNSENT
    assert met.detail.message == f"no connection to 127.0.0.1:{port}: Connection refused"
    assert met.detail.request == f"PUT http://127.0.0.1:{port}/v2/demo/push/events"


def test_an_unknown_host_was_not_sent_to() -> None:
    met = error_of("https://no-such-host.invalid")
    assert met.kind is ErrorKind.UNSENT
    assert met.detail.message == "there is no host no-such-host.invalid"


def test_a_service_that_speaks_no_tls_was_not_sent_to() -> None:
    with service(in_turn(Reply(204))) as running:
        met = error_of(running.url.replace("http://", "https://"))
        assert met.kind is ErrorKind.UNSENT
        assert "no TLS connection" in met.detail.message
        assert not running.asked


def test_no_answer_in_time_is_ambiguous() -> None:
    with silent_port() as port:
        met = error_of(f"http://127.0.0.1:{port}", timeout_ms=50)
    assert met.kind is ErrorKind.AMBIGUOUS
    assert "in time" in met.detail.message


@pytest.mark.parametrize("reply", [Reply(cut=True), Reply(200, b"{}", short=True)])
def test_a_cut_connection_is_ambiguous(reply: Reply) -> None:
    with service(in_turn(reply)) as running:
        met = error_of(running.url)
        assert len(running.asked) == 1
    assert met.kind is ErrorKind.AMBIGUOUS
    assert "was cut" in met.detail.message


def test_a_failure_is_not_mistaken_for_the_one_being_handled() -> None:
    with closed_port() as port, silent_port() as silent:
        try:
            client(f"http://127.0.0.1:{port}").send("PUT", "/x", body=b"{}")
        except ServiceError as first:
            assert first.kind is ErrorKind.UNSENT
            assert error_of(f"http://127.0.0.1:{silent}", timeout_ms=50).kind is ErrorKind.AMBIGUOUS


def test_a_redirect_is_not_followed() -> None:
    with service(in_turn(Reply(307, b"", {"Location": "/elsewhere"}))) as running:
        met = error_of(running.url)
        assert [asked.path for asked in running.asked] == ["/v2/demo/push/events"]
    assert (met.kind, met.detail.status) == (ErrorKind.REJECTED, 307)


def test_an_endless_answer_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "MAX_BODY", 1024 * 1024)
    bomb = gzip.compress(b"x" * 5_000_000)
    with service(in_turn(Reply(200, bomb, {"Content-Encoding": "gzip"}))) as running:
        met = error_of(running.url)
    assert met.kind is ErrorKind.AMBIGUOUS
    assert "longer than 1 MiB: query fewer objects" in met.detail.message


def test_a_response_of_nothing_but_compressed_nothing_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "MAX_RECEIVED", 1024 * 1024)
    empty = gzip.compress(b"") * 100_000
    with service(in_turn(Reply(200, empty, {"Content-Encoding": "gzip"}))) as running:
        met = error_of(running.url)
    assert met.kind is ErrorKind.AMBIGUOUS
    assert "longer than 1 MiB before decompression" in met.detail.message


def test_an_answer_that_can_not_be_unpacked_is_ambiguous() -> None:
    with service(in_turn(Reply(200, b"not gzip", {"Content-Encoding": "gzip"}))) as running:
        assert error_of(running.url).kind is ErrorKind.AMBIGUOUS


def test_proxies_of_the_environment_are_not_for_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    with closed_port() as port, service(in_turn(Reply(204))) as running:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port}")
        monkeypatch.delenv("no_proxy", raising=False)
        assert client(running.url).send("GET", "/x").status == 204


def test_proxies_of_the_environment_are_used_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    with service(in_turn(Reply(204))) as running:
        monkeypatch.setenv("http_proxy", running.url)
        monkeypatch.delenv("no_proxy", raising=False)
        assert client("http://aom.invalid").send("GET", "/x").status == 204
        assert running.asked[0].headers["Host"] == "aom.invalid"


def test_a_proxy_that_is_not_there_was_not_sent_to(monkeypatch: pytest.MonkeyPatch) -> None:
    with closed_port() as port:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port}")
        monkeypatch.delenv("no_proxy", raising=False)
        met = error_of("http://aom.invalid")
    assert met.kind is ErrorKind.UNSENT
    assert "the proxy to aom.invalid" in met.detail.message


def test_no_netrc_takes_the_place_of_a_token(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login me password mine\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with service(in_turn(Reply(204))) as running:
        client(running.url).send("GET", "/x")
    assert running.asked[0].headers["X-Auth-Token"] == TOKEN
    assert "Authorization" not in running.asked[0].headers


def test_certificates_that_can_not_be_read_are_told(tmp_path) -> None:
    empty = tmp_path / "ca.pem"
    empty.write_text("no certificate")
    with service(in_turn(Reply(204))) as running:
        met = error_of(running.url.replace("http://", "https://"), ca_file=str(empty))
    assert met.kind is ErrorKind.UNSENT


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def secured(authority: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


def test_a_certificate_nobody_vouches_for_is_not_sent_to(authority: trustme.CA) -> None:
    with service(in_turn(Reply(204)), secured(authority, "127.0.0.1")) as running:
        met = error_of(running.url)
        assert running.asked == []
    assert met.kind is ErrorKind.UNSENT
    assert "is not trusted" in met.detail.message
    assert "see ca_file" in met.detail.message


def test_a_certificate_of_another_host_is_not_sent_to(authority: trustme.CA, tmp_path) -> None:
    trusted = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(trusted)
    with service(in_turn(Reply(204)), secured(authority, "elsewhere.example")) as running:
        met = error_of(running.url, ca_file=str(trusted))
        assert running.asked == []
    assert met.kind is ErrorKind.UNSENT
    assert "is not trusted" in met.detail.message


def test_a_certificate_of_the_ca_file_is_trusted(authority: trustme.CA, tmp_path) -> None:
    trusted = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(trusted)
    with service(in_turn(Reply(204)), secured(authority, "127.0.0.1")) as running:
        assert client(running.url, ca_file=str(trusted)).send("GET", "/x").status == 204


def test_nothing_logged_holds_a_secret(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    echo = Reply(401, {"error_code": "AOM.0403", "error_msg": f"token {TOKEN} is bad"})
    with service(in_turn(echo)) as running:
        met = error_of(running.url)
    with closed_port() as port:
        error_of(f"http://127.0.0.1:{port}")
    assert met.detail.message == "token (sensitive) is bad"
    assert caplog.text
    assert TOKEN not in caplog.text


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("http://127.0.0.1:80", True),
        ("http://127.8.8.8", True),
        ("http://localhost:1", True),
        ("http://[::1]:80", True),
        ("https://aom.cn-north-4.myhuaweicloud.com", False),
        ("http://10.0.0.1", False),
        ("http://localhost.example", False),
    ],
)
def test_loopback_is_known_by_its_names(url: str, local: bool) -> None:
    assert is_loopback(url) is local
