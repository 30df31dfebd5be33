"""Crashes: a process killed at any instant leaves a ledger that is whole, and has what it was told was written."""

from __future__ import annotations

import subprocess
import sys

import pytest

from reconciler.core.operation import Status
from tests.ledger.conformance.place import Place
from tests.ledger.samples import GONE, HOST, LIFETIME, NOW

WORK = """
import os, sys
from pathlib import Path
from tests.ledger.samples import *
from tests.ledger.conformance.place import Place, now
from reconciler.core.operation import Outcome, Status

ledger = Place(Path(sys.argv[1]) if sys.argv[2] == "file" else sys.argv[1]).open()
holder = acquire_lease(ledger, pid=os.getpid(), now=now())
ledger.begin(holder, run())
for number in range(10_000):
    sent = operations(*(f"{number}-{each}" for each in range(20)))
    ledger.record_intents(holder, "run-1", sent, NOW)
    print("intended", number, flush=True)
    with ledger.batch():
        ledger.record_outcomes([Outcome(one.key, Status.DONE) for one in sent[:10]], NOW)
        ledger.record_outcomes([Outcome(one.key, Status.UNKNOWN) for one in sent[10:]], NOW)
    print("settled", number, flush=True)
    if number % 7 == 6:
        ledger.statuses(["0-0"])
        print("folded", number, flush=True)
"""


@pytest.mark.parametrize("lines", [1, 2, 15, 16, 44])
def test_a_process_killed_while_journalling_leaves_all_it_was_told_was_written(place: Place, lines: int) -> None:
    kind = "url" if isinstance(place.where, str) else "file"
    child = subprocess.Popen([sys.executable, "-c", WORK, str(place.where), kind], stdout=subprocess.PIPE, text=True)  # noqa: S603 - a command of ours
    assert child.stdout is not None
    told = [child.stdout.readline() for _ in range(lines)]
    child.kill()
    told += child.communicate()[0].splitlines(keepends=True)
    intended = sum(line.startswith("intended") for line in told)
    settled = sum(line.startswith("settled") for line in told)

    with place.opened() as ledger:
        # Taken first: a database may still commit what it had received, until another holds the lease.
        assert ledger.acquire("next", HOST, GONE, NOW, LIFETIME).fence == 2
        entries = ledger.entries("run-1")
        assert len(entries) in (20 * intended, 20 * (intended + 1))
        written = [entry.status for entry in entries]
        whole = [*[Status.DONE] * 10, *[Status.UNKNOWN] * 10]
        batches = [written[start : start + 20] for start in range(0, len(written), 20)]
        assert batches[:settled] == [whole] * settled
        assert all(batch in ([None] * 20, whole) for batch in batches[settled:])
        assert len(batches) - settled <= 2
        is_open = [entry.operation for entry in entries if entry.status is not Status.DONE]
        assert [entry.operation for entry in ledger.open_intents()] == is_open
