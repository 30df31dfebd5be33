"""Operations: the name of the call a request makes, by which faults and records know it."""

from __future__ import annotations

import re
from urllib.parse import parse_qs

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
    )
)


def operation_of(method: str, path: str, query: str) -> str | None:
    """The operation's name, None where there is no such call."""
    for each, pattern, operation in _CALLS:
        if each == method and pattern.fullmatch(path):
            if operation == "push" and parse_qs(query).get("action") == ["clear"]:
                return "clear"
            return operation
    return None
