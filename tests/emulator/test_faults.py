"""Faults: what they do to requests, and how they are written."""

from __future__ import annotations

from email.utils import parsedate_to_datetime

import pytest
import requests

from reconciler.emulator.fault import FaultInjector, parse_fault
from reconciler.emulator.settings import Settings
from tests.emulator.calls import metadata, names, push, push_raw, query, query_raw
from tests.emulator.handle import Emulator


def attempt(emulator: Emulator, name: str = "one") -> int | None:
    """The status of a push, None when the connection was cut."""
    try:
        body = {"events": [{"starts_at": emulator.now(), "metadata": metadata(name)}]}
        return push_raw(emulator, body).status_code
    except requests.ConnectionError:
        return None


def test_a_refused_push_stores_nothing(emulator: Emulator) -> None:
    emulator.fault("push:status=503,retry_after=2")
    response = push_raw(emulator, {"events": [{"starts_at": 1, "metadata": metadata()}]})
    assert (response.status_code, response.headers["Retry-After"]) == (503, "2")
    assert response.json()["error_code"] == "AOM.0503"
    assert emulator.alarms() == []


def test_retry_after_can_be_a_date(emulator: Emulator) -> None:
    emulator.fault("query:status=429,retry_after=date+60")
    response = query_raw(emulator, {"time_range": "-1.-1.5"})
    assert response.status_code == 429
    ahead = parsedate_to_datetime(response.headers["Retry-After"]).timestamp() * 1000 - emulator.now()
    assert 0 < ahead <= 60_000


def test_a_push_can_be_stored_and_still_answered_with_500(emulator: Emulator) -> None:
    emulator.fault("push:store-then-500")
    assert attempt(emulator) == 500
    assert names(query(emulator)) == ["one"]


def test_a_push_can_be_stored_and_the_connection_cut(emulator: Emulator) -> None:
    emulator.fault("push:store-then-cut")
    assert attempt(emulator) is None
    assert names(query(emulator)) == ["one"]
    assert [each["status"] for each in emulator.requests("push")] == [None]


def test_a_connection_can_be_cut_before_anything_is_stored(emulator: Emulator) -> None:
    emulator.fault("push:cut,nth=1")
    assert attempt(emulator) is None
    assert emulator.alarms() == []
    assert attempt(emulator) == 204


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        ("nth=2", [204, 503, 204, 204, 204, 204]),
        ("first=2", [503, 503, 204, 204, 204, 204]),
        ("every=3", [204, 204, 503, 204, 204, 503]),
        ("rate=0", [204] * 6),
        ("rate=1", [503] * 6),
    ],
)
def test_a_fault_meets_the_requests_it_names(emulator: Emulator, which: str, expected: list[int]) -> None:
    emulator.fault(f"push:status=503,{which}")
    assert [attempt(emulator) for _ in range(6)] == expected


def test_a_rate_is_repeatable_by_its_seed() -> None:
    def pattern(seed: int) -> list[str]:
        book = FaultInjector((parse_fault(f"push:cut,rate=0.5,seed={seed}"),))
        return [book.decide("push").effect for _ in range(40)]

    assert pattern(7) == pattern(7)
    assert {"cut", "pass"} == set(pattern(7))
    assert pattern(7) != pattern(8)


def test_a_fault_leaves_other_operations_alone(emulator: Emulator) -> None:
    emulator.fault("clear|token:status=500")
    push(emulator, "one")
    assert names(query(emulator)) == ["one"]
    event = {"metadata": metadata("one")}
    assert push_raw(emulator, {"events": [event]}, action="clear").status_code == 500
    assert names(query(emulator)) == ["one"]


def test_writes_can_be_hidden_for_a_while(emulator: Emulator) -> None:
    emulator.fault("hide=5s,first=1")
    push(emulator, "one")
    assert query(emulator) == []
    emulator.advance(5_000)
    assert names(query(emulator)) == ["one"]


def test_faults_are_listed_with_their_counts_and_removed(emulator: Emulator) -> None:
    first, second = emulator.fault("push:status=503,nth=2", "query:delay=1ms")
    attempt(emulator)
    attempt(emulator)
    assert emulator.faults() == [
        {"id": first, "fault": "push:status=503,nth=2", "seen": 2, "met": 1},
        {"id": second, "fault": "query:delay=1ms", "seen": 0, "met": 0},
    ]
    url = f"{emulator.url}/admin/faults/{first}"
    assert requests.delete(url, timeout=10).status_code == 204
    assert requests.delete(url, timeout=10).status_code == 404
    emulator.clear_faults()
    assert emulator.faults() == []


@pytest.mark.parametrize("emulator", [Settings(faults=("push:status=403,first=1",))], indirect=True)
def test_faults_of_the_settings_hold_again_after_a_reset(emulator: Emulator) -> None:
    assert [attempt(emulator), attempt(emulator)] == [403, 204]
    emulator.reset()
    assert [attempt(emulator), attempt(emulator)] == [403, 204]


def test_an_answer_can_be_html_or_half(emulator: Emulator) -> None:
    emulator.fault("query:html,nth=1", "query:cut-body,nth=2")
    page = query_raw(emulator, {"time_range": "-1.-1.5"})
    assert page.headers["Content-Type"].startswith("text/html")
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        query_raw(emulator, {"time_range": "-1.-1.5"})


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "has no effect"),
        ("push:", "has no effect"),
        ("push:nth=3", "has no effect"),
        ("pull:cut", "there is no operation 'pull'"),
        ("push:explode", "'explode' is not an effect"),
        ("push:status=999", "'999' is not an HTTP status"),
        ("push:store-then-x", "'x' is not an HTTP status"),
        ("push:cut,status=500", "both cut and a status"),
        ("push:cut,html", "both cut and html"),
        ("push:cut,nth=1,rate=0.1", "selects requests in two ways (nth and rate)"),
        ("push:cut,nth=0", "nth counts from 1"),
        ("push:cut,nth=x", "nth is a whole number"),
        ("push:cut,rate=2", "rate is a share between 0 and 1"),
        ("push:cut,rate=often", "rate is a share between 0 and 1"),
        ("push:cut,seed=1", "a seed goes with a rate"),
        ("push:cut,retry_after=1", "retry_after goes with a status"),
        ("push:status=503,retry_after=soon", "retry_after is seconds"),
        ("push:delay=5", "delay is a time like 500ms or 5s"),
        ("push:speed=5", "unknown setting 'speed'"),
        ("push:delay=1s,delay=2s", "gives delay twice"),
    ],
)
def test_a_wrong_fault_is_explained(emulator: Emulator, text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match="fault") as caught:
        parse_fault(text)
    assert sentence in str(caught.value)
    answer = requests.post(f"{emulator.url}/admin/faults", json={"faults": ["push:cut", text]}, timeout=10)
    assert (answer.status_code, sentence in answer.json()["error"]) == (400, True)
    assert emulator.faults() == []
