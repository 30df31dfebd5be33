"""The lease: one writer to a stack, and a fence against those who lost it; lapsing goes by the store's own clock."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from reconciler.ledger.protocol import LeaseHeldError, LeaseLostError
from tests.ledger.conformance.place import Place, now, wait_until_free
from tests.ledger.samples import HOST, LIFETIME, NOW, acquire_lease, operations, run

HERE = os.getpid()
SHORT = 1  # ms: it has lapsed as soon as anybody looks


def test_a_second_run_is_told_who_holds_the_lease(place: Place) -> None:
    with place.opened() as first, place.opened() as second:
        holder = first.acquire("ada", HOST, HERE, now(), LIFETIME, pipeline="https://ci.example.com/7", commit="c0ffee")
        with pytest.raises(LeaseHeldError, match=f"held by ada on runner-1 \\(process {HERE}\\), pipeline") as held:
            acquire_lease(second, "ci-18", HERE, now())
        assert held.value.holder == holder
        assert second.holder(now()) == holder
        with place.opened("other stack") as other:
            assert other.holder(now()) is None
            assert acquire_lease(other, "ci-18", HERE, now()).fence == 1


def test_a_lapsed_lease_is_taken_over_and_its_holder_is_fenced_off(place: Place) -> None:
    with place.opened() as first, place.opened() as second:
        holder = first.acquire("ci-17", HOST, HERE, now(), LIFETIME)
        first.begin(holder, run())
        first.record_intents(holder, "run-1", operations("a", "b"), now())
        first.begin_attempts(holder, ["a"], now())
        first.renew(holder, now(), SHORT)
        wait_until_free(second)
        assert acquire_lease(second, "ci-18", HERE, now()).fence == holder.fence + 1
        for write in (
            lambda: first.renew(holder, now(), LIFETIME),
            lambda: first.begin(holder, run("run-2")),
            lambda: first.record_intents(holder, "run-1", operations("c"), now()),
            lambda: first.begin_attempts(holder, ["b"], now()),
        ):
            with pytest.raises(LeaseLostError, match="taken over by ci-18"):
                write()
        assert set(second.in_flight(now())) == {"a"}
        assert [entry.operation.key for entry in second.open_intents()] == ["a", "b"]
        assert [known.id for known in second.runs()] == ["run-1"]


def test_nothing_begins_to_be_sent_under_a_lease_that_has_lapsed_or_was_broken(place: Place) -> None:
    with place.opened() as ledger:
        holder = ledger.acquire("ci-17", HOST, HERE, now(), LIFETIME)
        ledger.begin(holder, run())
        ledger.record_intents(holder, "run-1", operations("a", "b"), now())
        ledger.begin_attempts(holder, ["a"], now())
        ledger.renew(holder, now(), SHORT)
        wait_until_free(ledger)
        with pytest.raises(LeaseLostError, match="has expired"):
            ledger.begin_attempts(holder, ["b"], now())
        ledger.renew(holder, now(), LIFETIME)
        ledger.begin_attempts(holder, ["a"], now())
        ledger.unlock()
        with pytest.raises(LeaseLostError, match="was broken"):
            ledger.begin_attempts(holder, ["b"], now())
        assert set(ledger.in_flight(now())) == {"a"}


def test_a_renewed_lease_lasts_longer(place: Place) -> None:
    with place.opened() as ledger:
        first = ledger.acquire("ci", HOST, HERE, now(), LIFETIME)
        renewed = ledger.renew(first, now(), 2 * LIFETIME)
        assert renewed.expires_at >= first.expires_at + LIFETIME
        assert ledger.holder(now()) == renewed


def test_a_lease_given_back_is_free_and_the_next_fence_is_higher(place: Place) -> None:
    with place.opened() as ledger:
        first = acquire_lease(ledger, pid=HERE, now=now())
        ledger.release(first)
        assert ledger.holder(now()) is None
        assert acquire_lease(ledger, pid=HERE, now=now()).fence == first.fence + 1


def test_giving_back_a_lease_that_was_taken_over_leaves_the_new_holder_alone(place: Place) -> None:
    with place.opened() as ledger:
        first = acquire_lease(ledger, pid=HERE, now=now())
        assert ledger.unlock() == first
        assert ledger.unlock() is None
        second = acquire_lease(ledger, pid=HERE, now=now())
        ledger.release(first)
        assert ledger.holder(now()) == second


def test_the_lease_of_a_process_that_died_on_this_host_is_taken_over(place: Place) -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    with place.opened() as ledger:
        try:
            acquire_lease(ledger, "the child", child.pid, now())
            with pytest.raises(LeaseHeldError):
                acquire_lease(ledger, pid=HERE, now=now())
        finally:
            child.kill()
            child.communicate()
        with pytest.raises(LeaseHeldError):
            ledger.acquire("ci", "runner-2", HERE, now(), LIFETIME)
        assert acquire_lease(ledger, pid=HERE, now=now()).owner == "ci"


RACER = f"""
import sys
from pathlib import Path
from tests.ledger.conformance.place import *
from reconciler.ledger.protocol import LeaseHeldError
place = Place(Path(sys.argv[1]) if sys.argv[2] == "file" else sys.argv[1])
ledger = place.open()
print("ready", flush=True)
input()
try:
    ledger.acquire("racer", {HOST!r}, {HERE}, now(), {LIFETIME})
    print("won", flush=True)
except LeaseHeldError:
    print("held", flush=True)
input()
"""


def test_of_many_processes_racing_for_a_lease_exactly_one_wins(place: Place) -> None:
    kind = "url" if isinstance(place.where, str) else "file"
    racers = [
        subprocess.Popen(  # noqa: S603 - a command of ours
            [sys.executable, "-c", RACER, str(place.where), kind],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    answers = [racer.stdout.readline() for racer in racers if racer.stdout is not None]
    for racer in racers:  # only now: the lease of a process that is gone is free
        racer.communicate("end\n")
    assert sorted(answers) == ["held\n", "held\n", "won\n"]


def test_what_is_not_there_reads_as_an_empty_ledger_and_cannot_be_written(place: Place) -> None:
    reader = place.read()
    assert (reader.runs(), reader.open_intents(), reader.holder(now()), reader.unlock()) == ([], [], None, None)
    assert reader.statuses(["a"]) == {}
    assert reader.view(NOW, 1).recorded == frozenset()
    reader.close()
