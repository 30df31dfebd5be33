"""The writer: what is answered is durable, and nothing that fails takes a sender with it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event, Thread

import pytest

from reconciler.receive.sqlite import SqliteDeliveryStore
from reconciler.receive.store import Delivery, DeliveryQuery, DeliverySource, RetentionLimits, StoreError
from reconciler.receive.writer import BusyError, GroupWriter
from tests.receive import load
from tests.receive.receivers import TOKEN, Receiver

LIMITS = RetentionLimits(10**9, 10**9, 10**9)


class _Gated(SqliteDeliveryStore):
    """A store that holds each batch until it is released, and fails on request."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.begun, self.go, self.fails = Event(), Event(), False
        self.batches: list[int] = []

    def add(self, batch: Sequence[Delivery]) -> list[bool]:
        self.begun.set()
        self.go.wait(30)
        self.batches.append(len(batch))
        if self.fails:
            raise StoreError("the disk is full")
        return super().add(batch)


def delivery(number: int) -> Delivery:
    return Delivery(DeliverySource.HOOK, str(number), 1, None, 0)


def with_writer(path: Path, work: Callable[[GroupWriter, _Gated], object], max_pending: int = 100) -> _Gated:
    store = _Gated(path)
    writer = GroupWriter(store, LIMITS, lambda: 1, max_pending, lambda _count, _seconds: None)
    try:
        asyncio.run(work(writer, store))  # type: ignore[arg-type]
    finally:
        store.go.set()
        writer.close()
    return store


async def waiting(writer: GroupWriter, many: int) -> None:
    while writer.pending < many:
        await asyncio.sleep(0.001)


def test_deliveries_that_come_while_one_is_stored_are_stored_together(tmp_path: Path) -> None:
    async def work(writer: GroupWriter, store: _Gated) -> None:
        first = asyncio.create_task(writer.add(delivery(0)))
        await asyncio.sleep(0)
        await asyncio.to_thread(store.begun.wait, 30)
        others = [asyncio.create_task(writer.add(delivery(number))) for number in range(1, 21)]
        await waiting(writer, 20)
        assert not any(task.done() for task in (first, *others)), "nothing is answered before it is stored"
        store.go.set()
        assert await asyncio.gather(first, *others) == [True] * 21

    assert with_writer(tmp_path / "r.db", work).batches == [1, 20]


def test_more_than_may_wait_are_refused(tmp_path: Path) -> None:
    async def work(writer: GroupWriter, store: _Gated) -> None:
        tasks = [asyncio.create_task(writer.add(delivery(0)))]
        await asyncio.sleep(0)
        await asyncio.to_thread(store.begun.wait, 30)
        tasks += [asyncio.create_task(writer.add(delivery(number))) for number in range(1, 4)]
        await waiting(writer, 3)
        with pytest.raises(BusyError):
            await writer.add(delivery(9))
        store.go.set()
        await asyncio.gather(*tasks)

    with_writer(tmp_path / "r.db", work, max_pending=3)


def test_a_store_that_fails_is_told_and_tried_again(tmp_path: Path) -> None:
    async def work(writer: GroupWriter, store: _Gated) -> None:
        store.go.set()
        store.fails = True
        with pytest.raises(StoreError):
            await writer.add(delivery(1))
        assert not writer.healthy
        store.fails = False
        assert await writer.add(delivery(1)) is True
        assert writer.healthy

    with_writer(tmp_path / "r.db", work)


def test_a_receiver_whose_database_fails_answers_503_and_is_not_healthy(
    start_receiver: Callable[..., Receiver], monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver = start_receiver()
    with monkeypatch.context() as broken:

        def fail(*_: object) -> list[bool]:
            raise StoreError("the disk is full")

        broken.setattr(SqliteDeliveryStore, "add", fail)
        assert receiver.post("/alertmanager", {}).status_code == 503
        assert receiver.get("/healthz").status_code == 503
    assert receiver.post("/alertmanager", {}).status_code == 200
    assert receiver.get("/healthz").status_code == 200
    assert len(receiver.deliveries()) == 1


def serving(path: Path) -> tuple[subprocess.Popen[str], str]:
    """The command as a process of its own, and its address."""
    process = subprocess.Popen(  # noqa: S603 - a command of ours
        [sys.executable, "-m", "reconciler", "receive", "--listen", "127.0.0.1:0", "--db", str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "RECONCILER_RECEIVER_TOKEN": TOKEN},
    )
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def test_a_receiver_that_is_killed_loses_nothing_that_it_answered(tmp_path: Path) -> None:
    answered: list[str] = []
    for life in range(2):
        process, url = serving(tmp_path / "receiver.db")
        Thread(target=_kill_after, args=(process, 0.5 + 0.3 * life), daemon=True).start()
        answered += load.send(url, f"life{life}", connections=16, seconds=30).answered
        assert process.wait(30) == -signal.SIGKILL
        assert process.stdout is not None
        process.stdout.close()
    assert len(answered) > 100
    stored = load.stored_keys(tmp_path / "receiver.db")
    assert set(answered) <= stored
    assert len(stored) <= len(answered) + 2 * 16, "at most one unanswered for each connection"


def test_a_thousand_deliveries_a_second_are_stored_without_loss_in_bounded_memory(tmp_path: Path) -> None:
    """The benchmarks send for thirty seconds, and check the same."""
    process, url = serving(tmp_path / "receiver.db")
    sent = load.send(url, "steady", connections=32, seconds=3, rate=1_000)
    memory = load.peak(process.pid)
    process.terminate()
    process.communicate(timeout=30)
    assert (sent.refused, len(sent.answered) > 100) == (0, True)
    assert load.stored_keys(tmp_path / "receiver.db") == set(sent.answered)
    assert memory is None or memory < 256 * 1024


def _kill_after(process: subprocess.Popen[str], seconds: float) -> None:
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)


def test_a_receiver_that_is_told_to_stop_answers_what_it_has_taken(tmp_path: Path) -> None:
    process, url = serving(tmp_path / "receiver.db")
    Thread(target=lambda: (time.sleep(0.5), process.terminate()), daemon=True).start()
    answered = load.send(url, "term", connections=8, seconds=30).answered
    assert process.wait(30) == 0
    assert process.stdout is not None
    process.stdout.close()
    store = SqliteDeliveryStore(tmp_path / "receiver.db")
    assert len(store.find(DeliveryQuery(limit=100_000)).deliveries) >= len(answered) > 0
    store.close()
