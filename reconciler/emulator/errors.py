"""Error bodies: how each service reports an error."""

from __future__ import annotations

import secrets
from http import HTTPStatus

from starlette.responses import Response

from reconciler.emulator.fault import OPERATIONS
from reconciler.emulator.settings import Settings
from reconciler.emulator.wire import json_response

_AOM = {
    400: ("AOM.0400", "SC_BAD_REQUEST"),
    401: ("AOM.0403", "AUTH_FAILED"),
    403: ("AOM.0403", "AUTH_FAILED"),
    500: ("APM.00000500", None),
    503: ("AOM.0503", "SC_NOT_IMPLEMENTED"),
}
"""Codes and types by status, as in the examples of the push and query pages; that of 503 says SC_NOT_IMPLEMENTED."""
_CES = {400: "ces.0014", 401: "ces.0015", 403: "ces.0016", 429: "ces.0429", 500: "ces.0007"}
_AOM_TEXT = {401: "auth failed.", 403: "auth failed.", 503: "SC_NOT_IMPLEMENTED"}


def aom_error(settings: Settings, operation: str, status: int, message: str | None = None) -> Response:
    """AOM's error body: the text is ``error_msg`` in responses to pushes, ``error_message`` elsewhere."""
    code, kind = _AOM.get(status, (f"AOM.0{status}", "SC_ERROR"))
    if status == 400 and operation not in ("push", "clear"):
        code = "AOM.08032002"
    if settings.error_text == "page":
        key = "error_msg" if operation in ("push", "clear") else "error_message"
    else:
        key = settings.error_text
    body: dict[str, object] = {"error_code": code, key: message or _AOM_TEXT.get(status) or _phrase(status)}
    if kind:
        body["error_type"] = kind
    body["trace_id"] = None if status in (401, 403) else secrets.token_hex(16)
    return json_response(body, status)


def ces_error(status: int, message: str | None = None) -> Response:
    """CES's error body; its page lists only the statuses, so the shape is an assumption."""
    details = {"code": _CES.get(status, f"ces.{status}"), "details": message or _phrase(status)}
    return json_response({"http_code": status, "message": details, "encoded_authorization_message": None}, status)


def iam_error(status: int, message: str | None = None) -> Response:
    """The error body of a Keystone-like token service (an assumption: no page is available)."""
    title = _phrase(status)
    return json_response({"error": {"code": status, "message": message or title, "title": title}}, status)


def bcm_error(status: int, message: str | None = None) -> Response:
    """BCM's response to a failed request: ``success`` false, with the reason in ``msg``.

    With an error status it also has the vendor's usual ``code``, ``message`` and ``requestId``, which its client
    requires.
    """
    reason = message or _phrase(status)
    body: dict[str, object] = {"success": False, "msg": reason, "result": None}
    if status >= 400:
        code = {401: "AccessDenied", 403: "SignatureDoesNotMatch"}.get(status, _phrase(status).replace(" ", ""))
        body |= {"code": code, "message": reason, "requestId": secrets.token_hex(16)}
    return json_response(body, status)


def alertmanager_error(status: int, message: str | None = None, code: int | None = None) -> Response:
    """Alertmanager's response to a failed request: an object from its API, plain text from the server around it."""
    if status in (401, 403, 429, 502, 503, 504):
        return Response(f"{message or _phrase(status)}\n", status, media_type="text/plain")
    if status >= 500:
        return json_response(message or _phrase(status), status)
    return json_response({"code": code or status, "message": message or _phrase(status)}, status)


def error_of(settings: Settings, operation: str, status: int) -> Response:
    """The error body of a service for a status, for faults."""
    if operation in OPERATIONS["ces"]:
        return ces_error(status)
    if operation in OPERATIONS["iam"]:
        return iam_error(status)
    if operation in OPERATIONS["bcm"]:
        return bcm_error(status)
    if operation in OPERATIONS["alertmanager"]:
        return alertmanager_error(status)
    return aom_error(settings, operation, status)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return f"status {status}"
