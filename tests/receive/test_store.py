"""The stores: what is kept, found and removed. Each test runs against SQLite, and against PostgreSQL if it is there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.receive.store import (
    DeliveredAlert,
    Delivery,
    DeliveryQuery,
    DeliverySource,
    DeliveryStore,
    RetentionLimits,
    open_store,
)
from tests.servers.postgres import server

KEPT = RetentionLimits(retention=1_000, body_retention=100, deliveries=1_000)


def delivery(number: int, at: int = 1_000, **changes: object) -> Delivery:
    alerts = (DeliveredAlert("firing", key=f"k{number}"),)
    made = Delivery(DeliverySource.HOOK, f"id-{number}", at, b"body", 4, alerts, "pager")
    return replace(made, **changes)  # type: ignore[arg-type]


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DeliveryStore]:
    opened = open_store(tmp_path / "receiver.db" if request.param == "sqlite" else server().database())
    yield opened
    opened.close()


def keys(store: DeliveryStore, query: DeliveryQuery | None = None) -> list[str | None]:
    return [alert.key for each in store.find(query or DeliveryQuery(limit=2_000)).deliveries for alert in each.alerts]


def test_a_batch_tells_new_deliveries_from_those_sent_again(store: DeliveryStore) -> None:
    assert store.add([delivery(2), delivery(1), delivery(2, at=2_000)]) == [True, True, False]
    assert store.add([delivery(1, at=3_000), delivery(3)]) == [False, True]
    found = {each.alerts[0].key: each for each in store.find(DeliveryQuery()).deliveries}
    assert [(found[key].count, found[key].received_at, found[key].last_received_at) for key in ("k1", "k2", "k3")] == [
        (2, 1_000, 3_000),
        (2, 1_000, 2_000),
        (1, 1_000, 1_000),
    ]


def test_everything_that_a_delivery_says_is_kept(store: DeliveryStore) -> None:
    alert = DeliveredAlert("resolved", "naïve\0", "f", "s", 'a.b["ü"]', "k", "r", "d", 1, 2)
    full = Delivery(
        DeliverySource.SMN,
        "i",
        5,
        b"\x00\xff",
        2,
        (alert, DeliveredAlert()),
        "topic",
        "firing",
        "m",
        "g",
        7,
        4,
        "agent",
        "10.0.0.1",
    )
    store.add([full])
    [found] = store.find(DeliveryQuery()).deliveries
    assert found.alerts == (replace(alert, name="naïve"), DeliveredAlert())
    assert (found.source, found.receiver, found.status, found.message_id, found.group_key) == (
        DeliverySource.SMN,
        "topic",
        "firing",
        "m",
        "g",
    )
    assert (found.truncated, found.sent_at, found.sender, found.peer, found.size, found.total) == (
        7,
        4,
        "agent",
        "10.0.0.1",
        2,
        2,
    )
    assert store.body(found.id) == b"\x00\xff"


def test_half_of_a_surrogate_pair_is_stored_as_something_else(store: DeliveryStore) -> None:
    store.add([delivery(1, receiver="half \ud800")])
    assert store.find(DeliveryQuery()).deliveries[0].receiver == "half ?"


def test_bodies_go_before_deliveries_do(store: DeliveryStore) -> None:
    store.add([delivery(1, at=1_000), delivery(2, at=1_900)])
    numbers = [each.id for each in store.find(DeliveryQuery()).deliveries]
    assert store.expire(1_950, KEPT) is False
    assert [store.body(number) for number in numbers] == [None, b"body"]
    assert keys(store) == ["k1", "k2"]
    store.expire(2_001, KEPT)
    assert keys(store) == ["k2"]


def test_a_delivery_is_kept_since_it_last_arrived(store: DeliveryStore) -> None:
    store.add([delivery(1, at=1_000), delivery(2, at=1_000)])
    store.add([delivery(1, at=1_900)])
    store.expire(2_100, KEPT)
    assert keys(store) == ["k1"]


def test_no_more_deliveries_are_kept_than_there_may_be(store: DeliveryStore) -> None:
    store.add([delivery(number) for number in range(10)] * 3)
    store.expire(1_000, replace(KEPT, deliveries=4))
    assert keys(store) == ["k6", "k7", "k8", "k9"], "those sent again do not count"


def test_what_has_expired_is_removed_bit_by_bit(store: DeliveryStore) -> None:
    store.add([delivery(number) for number in range(1_500)])
    assert store.expire(9_000, KEPT) is True
    assert len(keys(store)) == 500
    assert store.expire(9_000, KEPT) is False
    assert keys(store) == []


def test_the_times_of_listening_are_kept(store: DeliveryStore) -> None:
    store.beat(1_000, 1_000)
    store.beat(1_000, 1_500)
    store.beat(2_000, 2_400)
    assert [(each.since, each.until) for each in store.listening(0)] == [(1_000, 1_500), (2_000, 2_400)]
    assert [each.since for each in store.listening(1_501)] == [2_000]
    store.expire(2_600, KEPT)
    assert [each.since for each in store.listening(0)] == [2_000]


def test_a_truncated_delivery_is_counted_for_its_receiver(store: DeliveryStore) -> None:
    store.add([delivery(1, truncated=2), delivery(2, truncated=1, receiver="other"), delivery(3)])
    assert store.find(DeliveryQuery(keys=("k9",))).truncated == 2
    assert store.find(DeliveryQuery(keys=("k9",), receiver="pager")).truncated == 1
    assert store.find(DeliveryQuery(keys=("k9",), since=1_001)).truncated == 0


def test_one_query_finds_several_keys(store: DeliveryStore) -> None:
    store.add([delivery(number) for number in range(5)])
    assert keys(store, DeliveryQuery(keys=("k1", "k3", "k9"))) == ["k1", "k3"]
    assert keys(store, DeliveryQuery(keys=("k1",), fingerprints=("f",))) == []


def test_a_query_for_what_no_database_holds_finds_nothing(store: DeliveryStore) -> None:
    store.add([delivery(1)])
    assert store.find(DeliveryQuery(keys=("\0\ud800",), receiver="\0")).deliveries == ()


def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    open_store(tmp_path / "receiver.db").close()
    assert (tmp_path / "receiver.db").stat().st_mode & 0o077 == 0


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no database " * 100)
    with pytest.raises(ValueError, match="not a database the receiver can use"):
        open_store(tmp_path / "notes.txt")


def test_a_database_that_does_not_answer_is_named_without_its_password() -> None:
    with pytest.raises(ValueError, match="not a database the receiver can use") as raised:
        open_store("postgresql://user:s3cret@127.0.0.1:1/receiver")
    assert "s3cret" not in str(raised.value)


def test_a_connection_that_was_lost_is_made_again() -> None:
    import psycopg

    url = server().database()
    store = open_store(url)
    with psycopg.connect(url, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
    from reconciler.receive.store import StoreError

    with pytest.raises(StoreError):
        store.add([delivery(1)])
    assert store.add([delivery(1)]) == [True]
    store.close()


def test_two_receivers_share_a_database() -> None:
    url = server().database()
    one, two = open_store(url), open_store(url)
    batch = [delivery(number) for number in range(50)]
    assert one.add(batch) == [True] * 50
    assert two.add(batch[::-1]) == [False] * 50
    assert {each.count for each in one.find(DeliveryQuery()).deliveries} == {2}
    one.close()
    two.close()
