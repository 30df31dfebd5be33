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
from tests.ledger.samples import GONE, LIFETIME, NOW, acquire_lease

HERE = os.getpid()


class MachineClock:
    """The clock of a machine, which nobody can set."""

    def __init__(self) -> None:
        self.boot, self.at = "this boot", 5_000

    def __call__(self) -> BootTime:
        return BootTime(self.boot, self.at)


@pytest.fixture
def machine_clock() -> MachineClock:
    return MachineClock()


@pytest.fixture
def ledger(tmp_path: Path, machine_clock: MachineClock) -> Ledger:
    return open_ledger(tmp_path / ".reconciler" / "shop.db", clock=machine_clock)


def test_a_lapsed_lease_is_taken_over_and_its_holder_is_fenced_off(ledger: Ledger, machine_clock: MachineClock) -> None:
    first = acquire_lease(ledger, "ci-17", HERE)
    machine_clock.at += LIFETIME
    assert ledger.holder(NOW + LIFETIME) is None
    second = acquire_lease(ledger, "ci-18", HERE, NOW + LIFETIME)
    assert second.fence == first.fence + 1
    with pytest.raises(LeaseLostError, match="taken over by ci-18"):
        ledger.renew(first, NOW + LIFETIME, LIFETIME)


def test_a_wall_clock_that_is_set_neither_ends_nor_prolongs_a_lease(
    ledger: Ledger, machine_clock: MachineClock
) -> None:
    first = acquire_lease(ledger, "ci-17", HERE)
    machine_clock.at += LIFETIME - 1
    with pytest.raises(LeaseHeldError):
        acquire_lease(ledger, "ci-18", HERE, NOW + 2 * LIFETIME)
    assert ledger.holder(NOW + 2 * LIFETIME) == first
    machine_clock.at += 1
    assert acquire_lease(ledger, "ci-18", HERE, NOW - 3_600_000).fence == first.fence + 1


def test_after_a_restart_of_the_machine_a_lease_lapses_by_the_wall_clock(
    ledger: Ledger, machine_clock: MachineClock
) -> None:
    acquire_lease(ledger, "ci-17", HERE)
    machine_clock.boot, machine_clock.at = "another boot", 10 * LIFETIME
    with pytest.raises(LeaseHeldError):
        acquire_lease(ledger, "ci-18", HERE, NOW + LIFETIME - 1)
    assert acquire_lease(ledger, "ci-18", HERE, NOW + LIFETIME).owner == "ci-18"


def test_a_killed_process_that_nobody_has_waited_for_counts_as_dead(ledger: Ledger) -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        acquire_lease(ledger, "the child", child.pid)
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert acquire_lease(ledger, pid=HERE).owner == "ci"
    finally:
        child.kill()
        child.communicate()


def test_a_process_number_given_to_another_process_does_not_keep_the_lease(tmp_path: Path, ledger: Ledger) -> None:
    acquire_lease(ledger, pid=HERE)
    with sqlite3.connect(tmp_path / ".reconciler" / "shop.db") as file:
        (process,) = file.execute("SELECT process FROM lease").fetchone()
        where = process.rpartition(" ")[0]
        file.execute("UPDATE lease SET process = ?", (f"{where} 1",))
    file.close()
    assert acquire_lease(ledger, "next", pid=HERE).owner == "next"


def test_a_process_of_another_machine_or_container_is_never_taken_for_dead(tmp_path: Path, ledger: Ledger) -> None:
    acquire_lease(ledger, pid=GONE)
    with sqlite3.connect(tmp_path / ".reconciler" / "shop.db") as file:
        file.execute("UPDATE lease SET process = 'another-boot pid:[1] 1'")
    file.close()
    with pytest.raises(LeaseHeldError):
        acquire_lease(ledger, pid=HERE)
    with pytest.raises(LeaseHeldError):
        ledger.acquire("ci", "runner-2", HERE, NOW, LIFETIME)


def test_the_holder_on_this_host_is_gone_when_its_process_is(ledger: Ledger) -> None:
    ledger.acquire("ci", gethostname(), GONE, NOW, LIFETIME)
    assert ledger.holder(NOW) is None
