"""Responses of services: decode their JSON to plain values, and classify and describe their errors (rule 8)."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from pydantic_core import from_json

from reconciler.core.duration import SECOND, from_datetime
from reconciler.core.operation import ServiceErrorDetail
from reconciler.core.text import Redactor, carry, sanitize
from reconciler.providers.protocol import ErrorKind, ServiceError

_MAX_LEVELS = 200


class NestedTooDeeplyError(ValueError):
    """JSON whose lists and objects are nested more deeply than the parser supports, about 200 levels."""

    def __init__(self) -> None:
        super().__init__("nested too deeply")


def decode(body: bytes) -> object:
    """The plain values of a JSON text.

    Raises ValueError if it is not JSON, NestedTooDeeplyError if it exceeds about 200 levels.
    """
    try:
        return from_json(body)
    except ValueError as error:
        if "recursion limit" in str(error):
            raise NestedTooDeeplyError from None
    try:
        # The fast parser rejects lone surrogates; one object that has them must not make a whole page unreadable.
        return _carried(json.loads(body))
    except RecursionError:
        raise NestedTooDeeplyError from None


def _carried(value: object, level: int = 0) -> object:
    """A value whose lone surrogates are replaced by the characters of ``carry``."""
    if isinstance(value, str):
        return carry(value)
    if level > _MAX_LEVELS:
        raise NestedTooDeeplyError
    if isinstance(value, list):
        return [_carried(item, level + 1) for item in value]
    if isinstance(value, dict):
        return {carry(key): _carried(item, level + 1) for key, item in value.items()}
    return value


def integer(value: object) -> int | None:
    """A whole number, also from a text of digits or a float (truncated); None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return int(value) if math.isfinite(value) else None
    if isinstance(value, str) and value.isascii() and len(value) <= 20:
        try:
            return int(value)
        except ValueError:
            return None
    return None


def text(value: object) -> str:
    """A text unchanged, any other value as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)


def scalar_text(value: object) -> str | None:
    """A text, or a whole number as text; None for any other value."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def mapping(value: object) -> Mapping[str, object]:
    """A JSON object; empty for any other value."""
    return value if isinstance(value, dict) else {}


def mappings(value: object) -> list[Mapping[str, object]]:
    """The objects of a JSON list; none for any other value."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


_MESSAGES = ("error_msg", "error_message", "message", "msg", "details")
_CODES = ("error_code", "code", "errorCode")
_TRACES = ("trace_id", "request_id", "requestId")
_TRACE_HEADERS = ("X-Request-Id", "X-Trace-Id", "X-Openstack-Request-Id", "X-Bce-Request-Id")
_SHORT = 100


def classify(status: int) -> ErrorKind:
    """Classify a response with an HTTP status other than a success."""
    if status in (401, 403, 407):
        return ErrorKind.DENIED
    if status in (429, 503):
        return ErrorKind.BUSY
    if status == 408 or status >= 500 or status < 300:
        return ErrorKind.AMBIGUOUS
    return ErrorKind.REJECTED


def parse_error(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    request: str,
    secrets: Redactor,
    now: int,
    reading: bool = False,
) -> ServiceError:
    """The error that a response describes, with secrets redacted.

    ``headers`` must ignore case, ``request`` is the method and URL to show, ``now`` is in epoch ms. ``reading``: the
    request was a query, so it changed nothing.
    """
    code, message, trace = _said(body)
    trace = trace or next((headers[name] for name in _TRACE_HEADERS if headers.get(name)), None)
    if message is None:
        text = body[:4000].decode("utf-8", "replace").strip()
        message = f"the response is not from the service: {text}" if text else "the response has no body"
        if 300 <= status < 400:
            message = f"the response redirects to {headers.get('Location', 'nowhere')}: check the endpoint"
    detail = ServiceErrorDetail(
        sanitize(secrets.redact(message)),
        status,
        code and sanitize(secrets.redact(code), _SHORT),
        trace and sanitize(secrets.redact(trace), _SHORT),
        request,
    )
    return ServiceError(classify(status), detail, retry_after(headers, now), reading=reading, cut=status in (502, 504))


def retry_after(headers: Mapping[str, str], now: int) -> int | None:
    """Milliseconds to wait, from either form of ``Retry-After`` (RFC 9110, 10.2.3); None without a valid one.

    A date is compared with the response's ``Date``, or with ``now`` (epoch ms) if there is none.
    """
    value = headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return int(value[:9]) * SECOND
    until = _date(value)
    if until is None:
        return None
    sent = _date(headers.get("Date", ""))
    return max(0, until - (now if sent is None else sent))


def _date(value: str) -> int | None:
    """An HTTP date in epoch milliseconds."""
    try:
        return from_datetime(parsedate_to_datetime(value))
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _said(body: bytes) -> tuple[str | None, str | None, str | None]:
    """The code, message and trace id of an error body.

    AOM writes ``error_msg`` or ``error_message``; IAM and API gateways nest them under ``error`` or ``message``.
    """
    try:
        value = decode(body)
    except ValueError:
        return None, None, None
    if isinstance(value, str):  # Alertmanager's error is a JSON string
        return None, value or None, None
    found: dict[str, object] = {}
    for _ in range(3):
        if not isinstance(value, dict):
            break
        found = {**found, **{key: item for key, item in value.items() if item not in (None, "")}}
        value = value.get("error") or value.get("message")
    return _first(found, _CODES), _first(found, _MESSAGES), _first(found, _TRACES)


def _first(found: Mapping[str, object], keys: tuple[str, ...]) -> str | None:
    for key in keys:
        value = found.get(key)
        if isinstance(value, str | int) and not isinstance(value, bool):
            return str(value)
    return None
