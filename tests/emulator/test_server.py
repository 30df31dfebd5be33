"""The server, its clock and its database."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from reconciler.emulator.server import running
from reconciler.emulator.settings import Settings
from tests.emulator.calls import HOUR, MINUTE, clear, metadata, names, push, query
from tests.emulator.handle import Emulator


class FakeClock:
    def __init__(self, now: int) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


NOON = 1_777_636_800_000


def test_the_clock_can_be_handed_in(start_emulator: Callable[[Settings], Emulator]) -> None:
    clock = FakeClock(NOON)
    emulator = start_emulator(Settings(clock=clock))
    push(emulator, "one", timeout=MINUTE)
    clock.now += MINUTE - 1
    assert names(query(emulator)) == ["one"]
    clock.now += 1
    assert query(emulator) == []


def test_the_clock_can_be_set_moved_and_scaled(start_emulator: Callable[[Settings], Emulator]) -> None:
    clock = FakeClock(NOON)
    emulator = start_emulator(Settings(clock=clock))
    assert emulator.advance(HOUR) == NOON + HOUR
    assert emulator.set_clock(offset=-HOUR) == NOON - HOUR
    assert emulator.set_clock(now=5, speed=60) == 5
    clock.now += 1_000
    assert emulator.now() == 5 + 60_000
    emulator.set_clock(speed=0)
    clock.now += 1_000
    assert emulator.now() == 5 + 60_000
    emulator.reset()
    assert emulator.now() == clock.now


@pytest.mark.parametrize(
    "body", [{}, {"now": 1, "offset": 2}, {"speed": -1}, {"speed": "fast"}, {"now": "noon"}, {"then": 1}, []]
)
def test_a_wrong_clock_setting_is_refused(emulator: Emulator, body: object) -> None:
    answer = requests.post(f"{emulator.url}/admin/clock", json=body, timeout=10)
    assert (answer.status_code, "error" in answer.json()) == (400, True)


def test_a_file_keeps_what_one_server_stored_for_the_next(tmp_path: Path) -> None:
    settings = Settings(db=tmp_path / "deep" / "emulator.db")
    with running(settings) as url:
        push(Emulator(url), "one")
        Emulator(url).set_clock(offset=MINUTE)
        shown = query(Emulator(url))
    with running(settings) as url:
        assert query(Emulator(url)) == shown
        assert Emulator(url).now() > Emulator(url).set_clock(offset=0)


def test_two_servers_share_one_file_at_once(tmp_path: Path) -> None:
    settings = Settings(db=tmp_path / "emulator.db")
    with running(settings) as first, running(settings) as second:
        one, two = Emulator(first), Emulator(second)

        def push_ten(emulator: Emulator, prefix: str) -> None:
            for number in range(10):
                push(emulator, f"{prefix}{number}", "shared")

        with ThreadPoolExecutor(2) as pool:
            for done in [pool.submit(push_ten, one, "a"), pool.submit(push_ten, two, "b")]:
                done.result()
        assert len(query(one)) == len(query(two)) == 21
        clear(two, "shared")
        assert len(query(one)) == 20


def test_an_address_in_use_is_an_error_at_once(emulator: Emulator) -> None:
    port = int(emulator.url.rsplit(":", 1)[1])
    with pytest.raises(OSError, match="in use"), running(Settings(), port=port):
        pass


def test_nothing_listens_and_no_thread_lives_after_the_block() -> None:
    with running(Settings()) as url:
        session = requests.Session()
        assert session.get(f"{url}/admin/clock", timeout=10).ok
    assert "emulator" not in [thread.name for thread in threading.enumerate()]
    host, port = url.removeprefix("http://").split(":")
    with socket.socket() as probe:
        assert probe.connect_ex((host, int(port))) != 0


@pytest.mark.parametrize("emulator", [Settings(max_body=1_000)], indirect=True)
def test_a_body_that_is_too_large_is_refused(emulator: Emulator) -> None:
    url = f"{emulator.url}/v2/p/push/events"
    assert requests.put(url, data="x" * 1_001, headers={"X-Auth-Token": "x"}, timeout=10).status_code == 413


@pytest.mark.parametrize("emulator", [Settings(recorded_requests=2)], indirect=True)
def test_only_the_last_requests_are_kept(emulator: Emulator) -> None:
    for _ in range(3):
        query(emulator)
    assert [each["number"] for each in emulator.requests()] == [2, 3]


def test_a_reset_empties_it(emulator: Emulator) -> None:
    push(emulator, "one", metadata("two", event_type="event"))
    emulator.notify("pager")
    emulator.put_bcm_alarms({"id": "a", "startTime": "now"})
    emulator.reset()
    assert (emulator.alarms(), emulator.requests(), emulator.ces_events()) == ([], [], [])
