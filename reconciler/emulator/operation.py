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
    """The operation's name, None where there is no such call."""
    for each, pattern, operation in _CALLS:
        if each == method and pattern.fullmatch(path):
            if operation == "push" and parse_qs(query).get("action") == ["clear"]:
                return "clear"
            peer = re.match(r"/alertmanager-(\d)/", path)
            return f"{operation}@{peer[1]}" if peer else operation
    return None
