"""The lease: one writer to a stack, and a fence against those who lost it."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from socket import gethostname

import pytest

from reconciler.ledger.lease import BootTime
from reconciler.ledger.protocol import LeaseHeldError, LeaseLostError, Ledger
from reconciler.ledger.sqlite import open_ledger
from tests.ledger.samples import GONE, HOST, LIFETIME, NOW, operations, run, take

HERE = os.getpid()


class Machine:
    """The clock of a machine, which nobody can set."""

    def __init__(self) -> None:
        self.boot, self.at = "this boot", 5_000

    def __call__(self) -> BootTime:
        return BootTime(self.boot, self.at)


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def ledger(tmp_path: Path, machine: Machine) -> Ledger:
    return open_ledger(tmp_path / ".reconciler" / "shop.db", clock=machine)


def test_a_second_run_is_told_who_holds_the_lease(ledger: Ledger) -> None:
    first = take(ledger, "ci-17", HERE)
    with pytest.raises(LeaseHeldError, match=f"held by ci-17 on runner-1 \\(process {HERE}\\)") as held:
        take(ledger, "ci-18", HERE, NOW + LIFETIME - 1)
    assert held.value.holder == first
    assert ledger.holder(NOW + LIFETIME - 1) == first


def test_a_lapsed_lease_is_taken_over_and_its_holder_is_fenced_off(ledger: Ledger, machine: Machine) -> None:
    first = take(ledger, "ci-17", HERE)
    machine.at += LIFETIME
    assert ledger.holder(NOW + LIFETIME) is None
    second = take(ledger, "ci-18", HERE, NOW + LIFETIME)
    assert second.fence == first.fence + 1
    with pytest.raises(LeaseLostError, match="taken over by ci-18"):
        ledger.renew(first, NOW + LIFETIME, LIFETIME)


def test_a_wall_clock_that_is_set_neither_ends_nor_prolongs_a_lease(ledger: Ledger, machine: Machine) -> None:
    first = take(ledger, "ci-17", HERE)
    machine.at += LIFETIME - 1
    with pytest.raises(LeaseHeldError):
        take(ledger, "ci-18", HERE, NOW + 2 * LIFETIME)
    assert ledger.holder(NOW + 2 * LIFETIME) == first
    machine.at += 1
    assert take(ledger, "ci-18", HERE, NOW - 3_600_000).fence == first.fence + 1


def test_after_a_restart_of_the_machine_a_lease_lapses_by_the_wall_clock(ledger: Ledger, machine: Machine) -> None:
    take(ledger, "ci-17", HERE)
    machine.boot, machine.at = "another boot", 10 * LIFETIME
    with pytest.raises(LeaseHeldError):
        take(ledger, "ci-18", HERE, NOW + LIFETIME - 1)
    assert take(ledger, "ci-18", HERE, NOW + LIFETIME).owner == "ci-18"


def test_nothing_begins_to_be_sent_under_a_lease_that_has_lapsed_or_was_broken(
    ledger: Ledger, machine: Machine
) -> None:
    holder = take(ledger, "ci-17", HERE)
    ledger.begin(holder, run())
    ledger.record_intents(holder, "run-1", operations("a", "b"), NOW)
    ledger.begin_attempts(holder, ["a"], NOW)
    machine.at += LIFETIME
    with pytest.raises(LeaseLostError, match="has lapsed"):
        ledger.begin_attempts(holder, ["b"], NOW)
    ledger.renew(holder, NOW, LIFETIME)
    ledger.begin_attempts(holder, ["a"], NOW)
    ledger.unlock()
    with pytest.raises(LeaseLostError, match="was broken"):
        ledger.begin_attempts(holder, ["b"], NOW)
    assert set(ledger.in_flight(NOW)) == {"a"}


def test_a_renewed_lease_lasts_longer(ledger: Ledger) -> None:
    renewed = ledger.renew(take(ledger, pid=HERE), NOW + 50_000, LIFETIME)
    assert renewed.expires_at == NOW + 50_000 + LIFETIME
    assert ledger.holder(NOW + LIFETIME) == renewed


def test_a_lease_given_back_is_free_and_the_next_fence_is_higher(ledger: Ledger) -> None:
    first = take(ledger, pid=HERE)
    ledger.release(first)
    assert ledger.holder(NOW) is None
    assert take(ledger, pid=HERE).fence == first.fence + 1


def test_giving_back_a_lease_that_was_taken_over_leaves_the_new_holder_alone(ledger: Ledger) -> None:
    first = take(ledger, pid=HERE)
    ledger.unlock()
    second = take(ledger, pid=HERE)
    ledger.release(first)
    assert ledger.holder(NOW) == second


def test_unlock_breaks_a_living_lease_and_names_its_holder(ledger: Ledger) -> None:
    first = take(ledger, pid=HERE)
    assert ledger.unlock() == first
    assert ledger.unlock() is None
    with pytest.raises(LeaseLostError, match="broken or given back"):
        ledger.renew(first, NOW, LIFETIME)


def test_the_lease_of_a_process_that_died_on_this_host_is_taken_over(ledger: Ledger) -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        take(ledger, "the child", child.pid)
        with pytest.raises(LeaseHeldError):
            take(ledger, pid=HERE)
    finally:
        child.kill()
        child.communicate()
    assert take(ledger, pid=HERE).owner == "ci"


def test_a_killed_process_that_nobody_has_waited_for_counts_as_dead(ledger: Ledger) -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        take(ledger, "the child", child.pid)
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert take(ledger, pid=HERE).owner == "ci"
    finally:
        child.kill()
        child.communicate()


def test_a_process_number_given_to_another_process_does_not_keep_the_lease(tmp_path: Path, ledger: Ledger) -> None:
    take(ledger, pid=HERE)
    with sqlite3.connect(tmp_path / ".reconciler" / "shop.db") as file:
        (process,) = file.execute("SELECT process FROM lease").fetchone()
        where = process.rpartition(" ")[0]
        file.execute("UPDATE lease SET process = ?", (f"{where} 1",))
    file.close()
    assert take(ledger, "next", pid=HERE).owner == "next"


def test_a_process_of_another_machine_or_container_is_never_taken_for_dead(tmp_path: Path, ledger: Ledger) -> None:
    take(ledger, pid=GONE)
    with sqlite3.connect(tmp_path / ".reconciler" / "shop.db") as file:
        file.execute("UPDATE lease SET process = 'another-boot pid:[1] 1'")
    file.close()
    with pytest.raises(LeaseHeldError):
        take(ledger, pid=HERE)
    with pytest.raises(LeaseHeldError):
        ledger.acquire("ci", "runner-2", HERE, NOW, LIFETIME)


def test_of_many_processes_racing_for_a_lease_exactly_one_wins(tmp_path: Path, ledger: Ledger) -> None:
    script = (
        "import os, sys; from pathlib import Path\n"
        "from reconciler.ledger.protocol import LeaseHeldError\n"
        "from reconciler.ledger.sqlite import open_ledger\n"
        "ledger = open_ledger(Path(sys.argv[1])); print('ready', flush=True); input()\n"
        f"try: ledger.acquire('racer', {HOST!r}, {HERE}, {NOW}, {LIFETIME}); print('won')\n"
        "except LeaseHeldError: print('held')\n"
    )
    path = tmp_path / ".reconciler" / "shop.db"
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
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
    assert sorted(racer.communicate()[0] for racer in racers) == ["held\n", "held\n", "won\n"]


def test_the_holder_on_this_host_is_gone_when_its_process_is(ledger: Ledger) -> None:
    ledger.acquire("ci", gethostname(), GONE, NOW, LIFETIME)
    assert ledger.holder(NOW) is None
