"""What a journal store promises to the shared ledger that is made of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from reconciler.core.operation import Outcome, Status
from reconciler.ledger.codec import Row
from reconciler.ledger.kinds import list_stacks, open_store
from reconciler.ledger.location import Location
from reconciler.ledger.probe import examine_shared, probe
from reconciler.ledger.protocol import LeaseLostError
from reconciler.ledger.shared import SharedLedger
from reconciler.ledger.store import Claim, Fence, JournalStore, Snapshot, Stored
from tests.ledger.conformance.conftest import SHARED
from tests.ledger.conformance.place import Place, now
from tests.ledger.samples import NOW, acquire_lease, event, operations, run

Open = Callable[[], JournalStore]


@pytest.fixture(params=SHARED)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(SHARED[request.param](tmp_path))


@pytest.fixture
def store(url: str) -> Iterator[JournalStore]:
    with closing(open_store(Location(url, "shop"))) as opened:
        yield opened


def claim(id: str) -> Claim:
    return Claim(id, "ci", "runner-1", 1, None, None, None)


def row(text: str) -> Row:
    return Row("end", "run-1", NOW, f'["{text}"]').sealed()


def test_every_promise_of_a_store_is_kept(url: str, store: JournalStore) -> None:
    tried = list(probe(store, lambda: open_store(Location(url, "shop")), now()))
    assert len(tried) == 9
    assert [found for found in tried if found.problem] == []


def test_the_same_claim_takes_the_lease_once_however_often_it_is_made(store: JournalStore) -> None:
    first = store.take(claim("a"), 60_000)
    assert first is not None
    assert store.take(claim("a"), 60_000) == first
    assert store.take(claim("b"), 60_000) is None
    taken = store.take(claim("b"), 60_000, over=first.fence)
    assert taken is not None
    assert taken.fence > first.fence


def test_rows_get_the_numbers_that_follow_and_are_fetched_by_them(store: JournalStore) -> None:
    assert store.append([row("a"), row("b")], 0, None)
    assert not store.append([row("c")], 0, None)
    assert store.append([row("c")], 2, None)
    assert [(found.number, found.row) for found in store.read(1).rows] == [(2, row("b")), (3, row("c"))]
    assert store.fetch([1, 3, 9]) == {1: row("a"), 3: row("c")}


def test_the_later_snapshot_is_kept(store: JournalStore) -> None:
    store.append([row("a"), row("b")], 0, None)
    assert store.snapshot() is None
    for snapshot in (Snapshot(2, b"later"), Snapshot(1, b"earlier")):
        store.save_snapshot(snapshot)
    assert store.snapshot() == Snapshot(2, b"later")


def test_compaction_replaces_rows_and_never_gives_a_number_again(store: JournalStore) -> None:
    holder = store.take(claim("a"), 60_000)
    assert holder is not None
    store.append([row(text) for text in "abc"], 0, None)
    kept, fence = [Stored(2, NOW, row("B"))], Fence(holder.fence, running=True)
    assert not store.compact(kept, Snapshot(4, b"s"), fence._replace(number=holder.fence + 1))
    assert not store.compact(kept, Snapshot(3, b"s"), fence)
    assert store.compact(kept, Snapshot(4, b"s"), fence)
    assert [(found.number, found.row) for found in store.read(0).rows] == [(2, row("B"))]
    assert (store.snapshot(), store.read(2).last) == (Snapshot(4, b"s"), 4)
    assert not any(store.append([row("z")], after, None) for after in (0, 2, 3))
    assert store.append([row("d")], 4, None)
    assert [found.number for found in store.read(4).rows] == [5]


def test_an_attempt_of_the_next_holder_is_not_taken_for_ones_own(url: str) -> None:
    """Both attempts are alike but for their holder, as those of one plan are where no clock tells them apart."""
    opened = (SharedLedger(open_store(Location(url, "shop")), clock=lambda: None) for _ in range(2))
    with closing(next(opened)) as first, closing(next(opened)) as second:
        lost = acquire_lease(first)
        first.begin(lost, run())
        first.record_intents(lost, "run-1", operations("a"), NOW)
        second.unlock()
        holder = acquire_lease(second)
        second.begin_attempts(holder, ["a"], NOW)
        second.release(holder)
        with pytest.raises(LeaseLostError):
            first.begin_attempts(lost, ["a"], NOW)


def test_documents_are_kept_by_name(store: JournalStore) -> None:
    store.put_document("drills/2", "two")
    store.put_document("drills/1", "one")
    store.put_document("drills/1", "once more")
    store.put_document("other/1", "x")
    assert store.document("drills/1") == "once more"
    assert dict(store.documents("drills/")) == {"drills/1": "once more", "drills/2": "two"}
    store.delete_document("drills/1")
    store.delete_document("drills/1")
    assert store.document("drills/1") is None


def test_the_stacks_of_a_place_are_listed_by_name_until_they_are_dropped(url: str) -> None:
    place = Place(url)
    with place.begun(stack="web") as (_, holder), place.opened("api"):
        found = list(list_stacks(url))
        assert [each.stack for each in found] == ["api", "web"]
        assert [each.holder for each in found] == [None, holder]
    with closing(open_store(Location(url, "web"))) as store:
        store.drop()
    assert [each.stack for each in list_stacks(url)] == ["api"]


def test_the_doctor_finds_a_sound_ledger_sound_and_leaves_no_trace(url: str) -> None:
    with Place(url).begun() as (ledger, holder):
        ledger.record_intents(holder, "run-1", [*operations("a"), event("e", "v1")], NOW)
        ledger.record_outcomes([Outcome("e", Status.DONE)], NOW)
    found = examine_shared(url, None, now())
    assert found.is_sound, found
    assert (found.stacks, found.rows) == (1, 3)


def test_the_doctor_names_a_row_that_is_not_what_was_written(url: str) -> None:
    with closing(open_store(Location(url, "shop"))) as store:
        store.append([row("a"), row("b")._replace(body='["x"]')], 0, None)
    found = examine_shared(url, "shop", now())
    assert list(found.complaints) == ["stack shop: row 2: a row was altered"]
    assert not found.is_sound
