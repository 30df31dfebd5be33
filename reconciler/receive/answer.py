"""Answers: JSON without a word of what was sent."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic_core import to_json
from starlette.responses import Response

HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


def answer(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(to_json(value), status, media_type="application/json", headers={**HEADERS, **(headers or {})})


class RefusedError(Exception):
    """Ends a request; ``reason`` is one of few words, for the metrics."""

    def __init__(self, status: int, reason: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.response = answer({"error": message}, status, headers)


def busy(reason: str, message: str) -> RefusedError:
    """A refusal that makes a sender try again: Alertmanager and SMN do so after 5xx only, not after 429."""
    return RefusedError(503, reason, message, {"Retry-After": "1"})
