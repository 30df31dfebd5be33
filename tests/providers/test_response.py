"""What an error of a service says, and what it means."""

from __future__ import annotations

import json

import pytest
from requests.structures import CaseInsensitiveDict

from reconciler.core.text import Redactor
from reconciler.providers.protocol import ErrorKind, ServiceError
from reconciler.providers.response import parse_error, retry_after

REQUEST = "PUT https://aom.example/v2/demo/push/events"


def met(status: int, body: object = b"", secrets: Redactor | None = None, **headers: str) -> ServiceError:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = CaseInsensitiveDict({name.replace("_", "-"): value for name, value in headers.items()})
    return parse_error(status, named, content, REQUEST, secrets or Redactor(), now=0)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (301, ErrorKind.REJECTED),
        (302, ErrorKind.REJECTED),
        (400, ErrorKind.REJECTED),
        (401, ErrorKind.DENIED),
        (403, ErrorKind.DENIED),
        (404, ErrorKind.REJECTED),
        (405, ErrorKind.REJECTED),
        (407, ErrorKind.DENIED),
        (408, ErrorKind.AMBIGUOUS),
        (409, ErrorKind.REJECTED),
        (413, ErrorKind.REJECTED),
        (422, ErrorKind.REJECTED),
        (429, ErrorKind.BUSY),
        (500, ErrorKind.AMBIGUOUS),
        (501, ErrorKind.AMBIGUOUS),
        (502, ErrorKind.AMBIGUOUS),
        (503, ErrorKind.BUSY),
        (504, ErrorKind.AMBIGUOUS),
        (599, ErrorKind.AMBIGUOUS),
    ],
)
def test_each_status_has_its_meaning(status: int, kind: ErrorKind) -> None:
    assert met(status).kind is kind
    assert met(status).detail.status == status


@pytest.mark.parametrize(
    ("body", "code", "message", "trace"),
    [
        (
            {"error_code": "AOM.0400", "error_msg": "parse eventParam failed", "error_type": "SC_BAD_REQUEST"},
            "AOM.0400",
            "parse eventParam failed",
            None,
        ),
        (
            {"error_code": "AOM.0403", "error_message": "auth failed.", "trace_id": None},
            "AOM.0403",
            "auth failed.",
            None,
        ),
        ({"error_code": "A", "error_msg": "b", "trace_id": "t-1"}, "A", "b", "t-1"),
        ({"error_msg": "busy", "error_code": "APIG.0308", "request_id": "r-1"}, "APIG.0308", "busy", "r-1"),
        ({"error": {"code": 401, "message": "wrong password", "title": "Unauthorized"}}, "401", "wrong password", None),
        ({"http_code": 400, "message": {"code": "ces.0014", "details": "bad time"}}, "ces.0014", "bad time", None),
    ],
)
def test_each_way_of_writing_an_error_is_read(body: object, code: str, message: str, trace: str | None) -> None:
    answer = met(400, body).detail
    assert (answer.code, answer.message, answer.trace_id, answer.request) == (code, message, trace, REQUEST)


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b'{"error_msg": ["x"]}', b"\xff\xfe", b"<html>Bad Gateway</html>", b"[" * 100_000, b'{"a'],
)
def test_a_strange_body_still_gives_a_readable_error(body: bytes) -> None:
    answer = met(502, body).detail
    assert answer.message
    assert answer.message.isprintable()
    assert len(answer.message) <= 500
    assert answer.code is None


def test_the_text_of_a_gateway_is_shown() -> None:
    assert "<html>Bad Gateway</html>" in met(502, b"<html>\x00Bad\nGateway</html>".replace(b"\x00", b"")).detail.message


def test_a_redirect_says_where_to() -> None:
    answer = met(302, b"", Location="https://login.example/").detail
    assert "redirects to https://login.example/" in answer.message


def test_a_trace_id_is_taken_from_the_headers_where_the_body_has_none() -> None:
    assert met(500, {"trace_id": None}, x_request_id="r-7").detail.trace_id == "r-7"


def test_a_secret_that_is_echoed_is_hidden() -> None:
    body = {"error_code": "s3cret-code", "error_msg": "token s3cret is bad", "trace_id": "s3cret"}
    failure = met(401, body, Redactor(["s3cret"]))
    assert "s3cret" not in f"{failure!r} {failure} {failure.detail}"
    assert failure.detail.message == "token (sensitive) is bad"


@pytest.mark.parametrize(
    ("value", "milliseconds"),
    [
        ("7", 7_000),
        (" 12 ", 12_000),
        ("Thu, 01 Jan 1970 00:01:00 GMT", 60_000),
        ("Wed, 31 Dec 1969 23:59:00 GMT", 0),
        ("", None),
        ("soon", None),
        ("-3", None),
        ("nan", None),
        ("²", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str, milliseconds: int | None) -> None:
    assert retry_after(CaseInsensitiveDict({"Retry-After": value}), now=0) == milliseconds


def test_a_date_to_wait_for_is_read_by_the_clock_of_the_service() -> None:
    headers = {"Retry-After": "Thu, 01 Jan 2026 00:00:30 GMT", "Date": "Thu, 01 Jan 2026 00:00:00 GMT"}
    assert retry_after(CaseInsensitiveDict(headers), now=0) == 30_000
