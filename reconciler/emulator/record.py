"""Recorded requests, for tests that compare what was sent with what was planned."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from urllib.parse import parse_qs

SECRET_HEADERS = frozenset({"authorization", "x-auth-token", "x-security-token", "cookie"})
WITHHELD = "(withheld)"


@dataclass(slots=True)
class RecordedRequest:
    """One request; ``status`` is None until the response is sent, and stays None if the connection was cut."""

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
    """The most recent requests, oldest first, without secrets."""

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
        """Record a request at an instant (epoch ms); the caller sets its status later."""
        self._count += 1
        shown = {name: WITHHELD if name in SECRET_HEADERS else value for name, value in headers}
        content = WITHHELD if operation == "token" else body.decode("utf-8", "replace")
        request = RecordedRequest(self._count, at, operation, method, path, query, shown, content)
        self._requests.append(request)
        return request

    def listing(self, operation: str | None = None, after: int = 0) -> list[RecordedRequest]:
        """The recorded requests of an operation (None: all) with a number above ``after``."""
        return [
            each
            for each in self._requests
            if each.number > after and (operation is None or each.operation == operation)
        ]

    def clear(self) -> None:
        self._requests.clear()


_CALLS: tuple[tuple[str, re.Pattern[str], str], ...] = tuple(
    (method, re.compile(pattern), operation)
    for method, pattern, operation in (
        ("PUT", r"/v2/[^/]+/push/events", "push"),
        ("POST", r"/v2/[^/]+/events", "query"),
        ("POST", r"/v2/[^/]+/events/statistic", "statistic"),
        ("GET", r"/v2/[^/]+/alarm-notified-histories", "notified"),
        ("POST", r"/v3/auth/tokens", "token"),
        ("GET", r"/v3/projects", "projects"),
        ("POST", r"/V1\.0/[^/]+/events", "ces-report"),
        ("GET", r"/V1\.0/[^/]+/events", "ces-list"),
        ("GET", r"/V1\.0/[^/]+/event/[^/]+", "ces-details"),
        ("POST", r"/ah-api/v1/alarmhouse/alarm/list", "bcm-list"),
        ("GET", r"/ah-api/v1/alarmhouse/alarm", "bcm-detail"),
        ("POST", r"/alertmanager(?:-\d)?/api/v2/alerts/?", "am-push"),
        ("GET", r"/alertmanager(?:-\d)?/api/v2/alerts/?", "am-query"),
        ("GET", r"/alertmanager(?:-\d)?/api/v2/alerts/groups/?", "am-groups"),
        ("GET", r"/alertmanager(?:-\d)?/api/v2/receivers/?", "am-receivers"),
        ("GET", r"/alertmanager(?:-\d)?/api/v2/status/?", "am-status"),
        ("POST", r"/alertmanager(?:-\d)?/api/v2/silences/?", "am-silence-put"),
        ("GET", r"/alertmanager(?:-\d)?/api/v2/silences/?", "am-silence-list"),
        ("GET", r"/alertmanager(?:-\d)?/api/v2/silence/[^/]+", "am-silence-get"),
        ("DELETE", r"/alertmanager(?:-\d)?/api/v2/silence/[^/]+", "am-silence-expire"),
    )
)


def operation_of(method: str, path: str, query: str) -> str | None:
    """The operation's name; None if there is no such call."""
    for each, pattern, operation in _CALLS:
        if each == method and pattern.fullmatch(path):
            if operation == "push" and parse_qs(query).get("action") == ["clear"]:
                return "clear"
            peer = re.match(r"/alertmanager-(\d)/", path)
            return f"{operation}@{peer[1]}" if peer else operation
    return None
