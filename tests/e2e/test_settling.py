"""What an apply and ``ledger settle`` say of operations that a killed run left open."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.e2e import release_stack
from tests.e2e.crash_harness import Death, Step
from tests.e2e.sent import sent
from tests.e2e.snapshot import Mode, Place, Snapshot

MIDWAY = Death(Step.AFTER_SENDING, 121)


@contextmanager
def killed(snapshot: Callable[[Mode], Snapshot]) -> Iterator[Place]:
    """A place where a run was killed when some of its requests had been answered, and others never sent."""
    with snapshot("merge").place() as place:
        place.apply(death=MIDWAY)
        place.emulator.forget_requests()
        yield place


def test_settle_says_what_arrived_and_what_never_did_and_sends_nothing(
    snapshot: Callable[[Mode], Snapshot],
) -> None:
    with killed(snapshot) as place:
        done = place.run("ledger", "settle")
        assert done.code == 0, done.err
        assert re.search(r"^An earlier run left \d+ operations open:$", done.out, re.M)
        assert re.search(r"^  \d+ had reached the service: aom_alarm\.", done.out, re.M)
        assert re.search(r"^  \d+ never arrived, and are planned again if still declared: aom_", done.out, re.M)
        assert not re.search(r", and \d+ more", done.out)
        assert done.out.endswith("Nothing is open any more.\n")
        assert sent(place.emulator) == []
        again = place.run("ledger", "settle")
        assert (again.code, again.out) == (0, "Nothing is open: the outcome of every operation is known.\n")
        assert place.apply().code == 0
        assert release_stack.shown(place.emulator) == release_stack.expected()


def test_apply_settles_first_and_says_what_it_found(snapshot: Callable[[Mode], Snapshot]) -> None:
    with killed(snapshot) as place:
        done = place.apply()
        assert done.code == 0
        assert re.search(r"An earlier run left \d+ operations open:\n  \d+ had reached the service: .*\n", done.err)
        assert re.search(r"never arrived, and are planned again if still declared: .*, and \d+ more", done.err)


def test_what_can_not_be_asked_about_stays_open_and_is_exit_code_4(snapshot: Callable[[Mode], Snapshot]) -> None:
    with killed(snapshot) as place:
        place.emulator.fault("query:status=500")
        done = place.run("ledger", "settle")
        assert done.code == 4
        assert "could not be queried and stay open: " in done.out
        assert "never arrived, and are planned again" in done.out  # never begun: known without a query
        place.emulator.clear_faults()
        document = json.loads(place.run("ledger", "settle", "--format", "json").out)
        assert document["open"] == []
        assert {item["verb"] for item in document["arrived"]} == {"push"}
        assert {"address", "provider", "key", "run", "intended_at"} < document["arrived"][0].keys()


def test_a_stack_that_was_never_applied_has_nothing_open_and_gets_no_ledger(
    snapshot: Callable[[Mode], Snapshot],
) -> None:
    with snapshot("merge").place() as place:
        ledger = place.stack / ".reconciler" / "fleet.db"
        ledger.unlink()
        done = place.run("ledger", "settle")
        assert (done.code, done.out) == (0, "Nothing is open: the outcome of every operation is known.\n")
        assert not ledger.exists()
