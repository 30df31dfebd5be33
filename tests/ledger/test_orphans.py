"""Which alarms a ledger knows to have been left at providers that are not configured any more."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import pytest

from reconciler.core.duration import DAY, HOUR, MINUTE
from reconciler.core.operation import Operation, Outcome, Status, Verb
from reconciler.ledger.protocol import Ledger
from tests.ledger.samples import NOW, begun, operation, run

ADDRESS = operation("any").address


def push(key: str, provider: str = "west", **fields: object) -> Operation:
    given = {"address": ADDRESS, "provider": provider, "begins_at": NOW, "send_by": NOW + HOUR, **fields}
    return operation(key, **given)


def clear(key: str, provider: str = "west", **fields: object) -> Operation:
    return push(key, provider, verb=Verb.CLEAR, target="1", digest=None, begins_at=None, send_by=None, **fields)


def orphan_keys(ledger: Ledger, providers: Collection[str] = ("aom",), now: int = NOW + MINUTE) -> list[str]:
    return [item.key for item in ledger.view(now, 0, dict.fromkeys(providers, "somewhere")).orphans]


def after(path: Path, *runs: list[Operation], status: Status = Status.DONE) -> list[str]:
    """What is left once these were done, each list by a run of its own, a second apart."""
    with begun(path) as (ledger, holder):
        for number, operations in enumerate(runs):
            ledger.begin(holder, run(f"run-{number}"))
            for place, one in enumerate(operations):
                at = NOW + 1000 * number + place
                ledger.record_intents(holder, f"run-{number}", [one], at)
                ledger.record_outcomes([Outcome(one.key, status)], at)
        return orphan_keys(ledger)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "shop.db"


def test_what_was_pushed_and_not_cleared_is_left(path: Path) -> None:
    assert after(path, [push("p")]) == ["p"]


def test_what_was_cleared_is_not(path: Path) -> None:
    assert after(path, [push("p")], [clear("c")]) == []


def test_a_replaced_alarm_leaves_its_successor_in_either_order(path: Path, tmp_path: Path) -> None:
    assert after(path, [push("p")], [clear("c"), push("q", depends_on="c")]) == ["q"]
    assert after(tmp_path / "other.db", [push("p")], [push("q"), clear("c", depends_on="q")]) == ["q"]


def test_the_clear_of_a_doubled_alarm_leaves_the_one_that_stays(path: Path) -> None:
    assert after(path, [push("p")], [push("q")], [clear("c", depends_on="q", only_if_duplicate=True)]) == ["q"]


def test_a_renewed_alarm_is_one_alarm(path: Path) -> None:
    assert after(path, [push("p")], [push("q", begins_at=NOW + HOUR, send_by=NOW + 2 * HOUR)], [clear("c")]) == []


@pytest.mark.parametrize("status", [Status.FAILED, Status.UNKNOWN])
def test_what_is_not_known_to_be_done_is_not_told(path: Path, status: Status) -> None:
    assert after(path, [push("p")], status=status) == []


def test_an_event_is_a_fact_and_not_left_behind(path: Path) -> None:
    assert after(path, [push("p", occurrence="v1")]) == []


def test_an_alarm_of_a_provider_that_only_got_another_key_is_not_left(path: Path, tmp_path: Path) -> None:
    assert after(path, [push("p", "west")], [push("q", "aom")]) == []  # updated: it keeps its beginning
    assert after(tmp_path / "cleared.db", [push("p", "west")], [clear("c", "aom")]) == []


def test_an_alarm_raised_anew_elsewhere_does_not_hide_the_one_left_behind(path: Path) -> None:
    assert after(path, [push("p", "west")], [push("q", "aom", begins_at=NOW + MINUTE)], [clear("c", "aom")]) == ["p"]


def test_an_alarm_is_over_when_its_time_has_passed_since_it_was_sent(path: Path) -> None:
    with begun(path) as (ledger, holder):
        timeless = push("t", address=ADDRESS._replace(name="timeless"), send_by=None)
        ledger.record_intents(holder, "run-1", [push("p"), timeless], NOW)
        ledger.record_outcomes([Outcome("p", Status.DONE), Outcome("t", Status.DONE)], NOW + 10)
        assert orphan_keys(ledger, now=NOW + HOUR + 9) == ["p", "t"]
        assert orphan_keys(ledger, now=NOW + HOUR + 10) == ["t"]
        assert orphan_keys(ledger, now=NOW + 31 * DAY) == []


def test_nothing_is_left_at_a_provider_that_is_configured(path: Path) -> None:
    with begun(path) as (ledger, holder):
        mine, other = push("p"), push("q", "aom", address=ADDRESS._replace(name="other"))
        ledger.record_intents(holder, "run-1", [mine, other], NOW)
        ledger.record_outcomes([Outcome("p", Status.DONE), Outcome("q", Status.DONE)], NOW)
        assert orphan_keys(ledger, ("aom", "west")) == []
        assert orphan_keys(ledger, ("aom",)) == ["p"]
        assert orphan_keys(ledger, ()) == ["p", "q"]
        assert ledger.view(NOW, 0).orphans == ()
