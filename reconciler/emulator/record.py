"""Records: what was asked of the emulator, for tests that compare what was sent with what was planned."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

SECRET_HEADERS = frozenset({"authorization", "x-auth-token", "x-security-token", "cookie"})
WITHHELD = "(withheld)"


@dataclass(slots=True)
class RecordedRequest:
    """One request; ``status`` is None until it is answered and stays so when the connection was cut."""

    number: int
    at: int
    operation: str | None
    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: str
    status: int | None = None


class Recorder:
    """The last requests, oldest first; secrets are left out."""

    def __init__(self, most: int) -> None:
        self._requests: deque[RecordedRequest] = deque(maxlen=most)
        self._count = 0

    def record(
        self,
        at: int,
        operation: str | None,
        method: str,
        path: str,
        query: str,
        headers: list[tuple[str, str]],
        body: bytes,
    ) -> RecordedRequest:
        self._count += 1
        shown = {name: WITHHELD if name in SECRET_HEADERS else value for name, value in headers}
        content = WITHHELD if operation == "token" else body.decode("utf-8", "replace")
        request = RecordedRequest(self._count, at, operation, method, path, query, shown, content)
        self._requests.append(request)
        return request

    def listing(self, operation: str | None = None, after: int = 0) -> list[RecordedRequest]:
        """The recorded requests of an operation (None: of all) with a number above ``after``."""
        return [
            each
            for each in self._requests
            if each.number > after and (operation is None or each.operation == operation)
        ]

    def clear(self) -> None:
        self._requests.clear()
