"""JSON in requests and responses, and responses that end a request early."""

from __future__ import annotations

from pydantic_core import from_json, to_json
from starlette.requests import Request
from starlette.responses import Response

JSON = "application/json"


LARGEST = 2**62
"""Larger integers are rejected, since they would not fit the database."""


class HttpError(Exception):
    """Raised anywhere in a route to end the request with this response."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status_code)
        self.response = response


def parse(body: bytes) -> object:
    """The JSON value of a body. Raises ValueError if it is invalid."""
    value: object = from_json(body, allow_inf_nan=False)
    return value


def dump(value: object) -> bytes:
    return to_json(value)


def text(value: object) -> str:
    """Compact JSON as text, for the database."""
    return to_json(value).decode()


def json_response(value: object, status: int = 200) -> Response:
    return Response(dump(value), status, media_type=JSON)


def is_json(request: Request) -> bool:
    """Whether the request declares its body as JSON."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower() == JSON


def is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= LARGEST
