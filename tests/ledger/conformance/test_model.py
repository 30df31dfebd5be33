"""Shared ledgers against the model of a ledger; a file is held against it in ``tests/ledger/test_model.py``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from reconciler.ledger.kinds import open_store
from reconciler.ledger.location import Location
from reconciler.ledger.protocol import Ledger
from reconciler.ledger.shared import SharedLedger
from tests.ledger.conformance.conftest import SHARED
from tests.ledger.test_model import Journal


def shared_journal(make: Callable[[Path], Path | str]) -> type[Journal]:
    """The model's machine for a store, with a snapshot at each close; the lease never lapses: nobody can turn the
    store's clock.
    """

    class SharedJournal(Journal):
        lapses = False

        def open(self) -> Ledger:
            if not hasattr(self, "location"):
                self.location = Location(make(self.directory), "shop")
            return SharedLedger(open_store(self.location), clock=self.boot_time, snapshot_bytes=0)

        def read(self) -> Ledger:
            return SharedLedger(open_store(self.location, reading=True), reading=True, clock=self.boot_time)

    return SharedJournal


@pytest.mark.parametrize("store", SHARED)
def test_whatever_is_done_in_whatever_order_the_ledger_and_the_model_say_the_same(store: str) -> None:
    examples = 2 if store == "moto" else 5  # each of its answers takes long
    run_state_machine_as_test(
        shared_journal(SHARED[store]), settings=settings(max_examples=examples, stateful_step_count=20, deadline=None)
    )
