"""Whatever is sent, the emulator answers with one of its services' statuses and never fails itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.emulator.server import running
from reconciler.emulator.settings import Settings
from tests.emulator.calls import metadata

SIGNED = {"X-Auth-Token": "x", "Authorization": "bce-auth-v1/x", "Content-Type": "application/json"}

SESSION = requests.Session()
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3), max_leaves=6
)

CALLS: dict[str, tuple[str, str, Any]] = {
    "push": ("PUT", "/v2/p/push/events", {"events": [{"starts_at": 1, "timeout": 1, "metadata": metadata()}]}),
    "clear": ("PUT", "/v2/p/push/events?action=clear", {"events": [{"id": "1", "metadata": metadata()}]}),
    "query": (
        "POST",
        "/v2/p/events?type=active_alert&limit=5",
        {
            "time_range": "-1.-1.60",
            "step": 60_000,
            "search": "x",
            "sort": {"order_by": ["starts_at", "team"], "order": "asc"},
            "metadata_relation": [{"key": "team", "value": ["x"], "relation": "NOT"}],
        },
    ),
    "statistic": ("POST", "/v2/p/events/statistic", {"time_range": "-1.-1.60", "step": 60_000}),
    "token": (
        "POST",
        "/v3/auth/tokens",
        {
            "auth": {
                "identity": {
                    "methods": ["password"],
                    "password": {"user": {"name": "a", "password": "b", "domain": {"name": "c"}}},
                },
                "scope": {"project": {"name": "d"}},
            }
        },
    ),
    "report": (
        "POST",
        "/V1.0/p/events",
        [{"event_name": "a", "event_source": "abc.def", "time": 1, "detail": {"dimensions": [{"name": "a"}]}}],
    ),
    "bcm": (
        "POST",
        "/ah-api/v1/alarmhouse/alarm/list",
        {
            "userId": "u",
            "alarmType": "ALARM_TYPE_CLOUD",
            "pageNo": 1,
            "pageSize": 1,
            "states": ["OK"],
            "resources": [{"InstanceId": "i"}],
        },
    ),
    "seed": ("POST", "/admin/bcm/alarms", [{"id": "a", "startTime": "-1m", "actions": [{"executedTime": "now"}]}]),
    "rule": ("POST", "/admin/notifications", {"name": "a", "match": {"k": ["v"]}}),
    "faults": ("POST", "/admin/faults", {"faults": ["bcm-detail:delay=1ms,nth=1000"]}),
}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with running(Settings()) as url:
        yield url


@st.composite
def damaged(draw: st.DrawFn, value: Any) -> Any:
    """A value with anything else somewhere inside."""
    if not isinstance(value, dict | list) or not value or draw(st.integers(0, 3)) == 0:
        return draw(VALUES)
    if isinstance(value, list):
        place = draw(st.integers(0, len(value) - 1))
        return [draw(damaged(each)) if number == place else each for number, each in enumerate(value)]
    key = draw(st.sampled_from(sorted(value)))
    return {**value, key: draw(damaged(value[key])), **draw(st.dictionaries(st.text(), SCALARS, max_size=1))}


@pytest.mark.parametrize("call", CALLS)
@given(data=st.data())
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_damaged_body_never_makes_it_fail(url: str, call: str, data: st.DataObject) -> None:
    method, path, valid = CALLS[call]
    body = json.dumps(data.draw(damaged(valid))).encode()
    assert SESSION.request(method, url + path, data=body, headers=SIGNED, timeout=30).status_code < 500


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"[" * 100_000, b'{"a": 1e999}', b"null", b"NaN"])
def test_what_is_not_json_never_makes_it_fail(url: str, call: str, body: bytes) -> None:
    method, path, _ = CALLS[call]
    assert SESSION.request(method, url + path, data=body, headers=SIGNED, timeout=30).status_code < 500


@pytest.mark.parametrize(
    "path",
    [
        "/v2/p/events?limit=99999999999999999999&marker=" + "A" * 5_000,
        "/v2/%00/events",
        "/v2/%F0%9F%98%80/events?marker=%00",
        "/V1.0/p/events?from=99999999999999999999",
        "/V1.0/p/event/%00?start=%C2%B2",
        "/v2/p/alarm-notified-histories?event_sn=99999999999999999999",
        "/v2/p/alarm-notified-histories?event_sn=%C2%B2",
        "/ah-api/v1/alarmhouse/alarm?alarmId=%00&userId=%ED%A0%80",
        "/admin/requests?after=x",
        "/admin/faults/x",
        "/nowhere",
    ],
)
def test_an_odd_address_never_makes_it_fail(url: str, path: str) -> None:
    for method in ("GET", "POST", "PUT", "DELETE"):
        answer = SESSION.request(method, url + path, json={"time_range": "-1.-1.5"}, headers=SIGNED, timeout=30)
        assert answer.status_code < 500
