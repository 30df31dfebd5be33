"""What a web page or a text could do to a server of ours: drawn at random, refused or kept as it is."""

from __future__ import annotations

import json
import string
from collections.abc import Iterator

import pytest
import requests
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from reconciler.emulator.server import running
from reconciler.emulator.settings import Settings
from reconciler.serving import LOOPBACK_HOSTS
from reconciler.session.receiver import run_receiver
from tests.emulator.calls import MINUTE, metadata, push, query, query_raw
from tests.emulator.handle import Emulator

MANY = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
LABELS = st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=12)
FOREIGN = st.builds(
    lambda before, label, end, port: f"{before}{label}{end}{port}",
    st.sampled_from(["", "127.0.0.1.", "localhost.", "0x7f.", "www."]),
    LABELS,
    st.sampled_from([".example", ".local", ".com", ".localhost.example"]),
    st.sampled_from(["", ":80", ":8080"]),
)
CALLS = st.sampled_from(
    [
        ("POST", "/admin/reset"),
        ("POST", "/admin/faults"),
        ("PUT", "/admin/clock"),
        ("DELETE", "/admin/faults"),
        ("GET", "/admin/requests"),
        ("PUT", "/v2/p/push/events"),
        ("POST", "/V1.0/p/events"),
        ("POST", "/api/v2/alerts"),
        ("GET", "/openapi.json"),
        ("POST", "/hook/pager"),
        ("GET", "/deliveries"),
        ("GET", "/metrics"),
    ]
)
FORM_TYPES = ("application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x", "text/json", "*/*")


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[str, str]]:
    """The base URLs of an emulator and of a receiver."""
    with running(Settings()) as emulator, run_receiver() as receiver:
        yield emulator, "/".join(receiver.hook_url.split("/", 3)[:3])


@MANY
@given(call=CALLS, host=FOREIGN, which=st.integers(0, 1))
def test_no_server_answers_to_a_name_that_it_was_not_told(
    servers: tuple[str, str], call: tuple[str, str], host: str, which: int
) -> None:
    method, path = call
    response = requests.request(method, servers[which] + path, headers={"Host": host}, json={}, timeout=10)
    assert response.status_code == 421, (call, host)


@MANY
@given(call=CALLS, origin=FOREIGN, scheme=st.sampled_from(["http://", "https://", "file://"]), which=st.integers(0, 1))
def test_no_server_answers_to_another_web_site(
    servers: tuple[str, str], call: tuple[str, str], origin: str, scheme: str, which: int
) -> None:
    method, path = call
    response = requests.request(method, servers[which] + path, headers={"Origin": scheme + origin}, json={}, timeout=10)
    assert response.status_code == 403, (call, origin)


@MANY
@given(
    path=st.sampled_from(["/admin/reset", "/admin/faults", "/admin/clock", "/admin/notifications"]),
    method=st.sampled_from(["POST", "PUT", "DELETE", "PATCH"]),
    content_type=st.sampled_from(FORM_TYPES) | st.text(string.ascii_letters + "/;=+-", min_size=1, max_size=30),
    body=st.binary(min_size=1, max_size=30),
)
def test_no_admin_call_is_taken_in_another_content_type(
    servers: tuple[str, str], path: str, method: str, content_type: str, body: bytes
) -> None:
    assume(content_type.partition(";")[0].strip().lower() != "application/json")
    headers = {"Content-Type": content_type}
    assert requests.request(method, servers[0] + path, data=body, headers=headers, timeout=10).status_code == 415


def test_the_names_of_loopback_are_the_only_ones_that_a_server_knows_by_itself() -> None:
    assert {"localhost", "127.0.0.1", "::1"} <= LOOPBACK_HOSTS
    assert "0.0.0.0" not in LOOPBACK_HOSTS  # noqa: S104 - compared with, not listened on


FRAGMENTS = (
    *("'", '"', "`", ";", "--", "/*", "*/", "%", "_", "\\", " OR 1=1", "); DROP TABLE aom_event;", " UNION SELECT "),
    *("?", ":now", "$1", "NULL", "char(0)", "''", "x'41'", "PRAGMA user_version", "{}", "\n"),
)
PIECES = st.sampled_from(FRAGMENTS) | st.text(string.ascii_letters + "äß漢😀", max_size=4)
SQL = st.lists(PIECES, min_size=1, max_size=6).map("".join)
FIELDS = ("event_name", "resource_provider", "resource_type", "resource_id", "event_id", "team")


@MANY
@given(text=SQL, field=st.sampled_from(FIELDS), key=SQL)
def test_sql_in_any_field_stays_text(emulator: Emulator, text: str, field: str, key: str) -> None:
    assume(text.strip() and key.strip())
    emulator.reset()
    push(emulator, "other")
    push(emulator, metadata("named") | {field: text}, annotations={"message": text})
    found = [item for item in query(emulator) if item["metadata"].get(field) == text]
    assert [item["annotations"]["message"] for item in found] == [text]
    for body in (
        {"search": text},
        {"metadata_relation": [{"key": key, "value": [text], "relation": "AND"}]},
        {"metadata_relation": [{"key": field, "value": [text], "relation": "AND"}]},
        {"sort": {"order_by": [key], "order": "desc"}},
    ):
        response = query_raw(emulator, {"time_range": "-1.-1.60", **body}, type="active_alert", marker=text)
        assert response.status_code < 500, (body, response.text)
    headers = {"X-Auth-Token": "any"}
    for path in (f"/V1.0/{key}/events", f"/ah-api/v1/alarmhouse/alarm?alarmId={key}", f"/admin/faults/{key}"):
        assert (
            requests.get(emulator.url + path, params={"event_name": text}, headers=headers, timeout=10).ok is not None
        )
    assert len(query(emulator)) == 2
    assert json.loads(json.dumps(found[0]["metadata"]))[field] == text
    assert emulator.now() - found[0]["starts_at"] < MINUTE
