"""Round trips: what a call costs over a network, however many operations it is for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from reconciler.core.operation import Outcome, Status
from reconciler.ledger.protocol import Holder, Ledger
from tests.ledger.conformance.place import Place
from tests.ledger.samples import NOW, operations
from tests.servers import postgres, s3
from tests.servers.proxy import Proxy


def _postgres(port: int) -> str:
    server = postgres.server()
    return server.schema().replace(f":{server.port}/", f":{port}/")


def _seaweedfs(port: int) -> str:
    return s3.seaweedfs().prefix(port)


STORES: dict[str, tuple[Callable[[], postgres.Server | s3.Server], Callable[[int], str]]] = {
    "postgres": (postgres.server, _postgres),
    "seaweedfs": (s3.seaweedfs, _seaweedfs),
}
"""A server, and the URL of an empty ledger there through another port."""

each_store = pytest.mark.parametrize("store", STORES)


@contextmanager
def counted(store: str) -> Iterator[tuple[Ledger, Holder, Callable[[Callable[[], object]], int]]]:
    """A ledger where a run has begun, and what counts the round trips of a call."""
    server, url = STORES[store]
    with Proxy(server().port) as proxy:
        place = Place(url(proxy.port))
        with place.begun() as (ledger, holder):

            def trips(call: Callable[[], object]) -> int:
                before = proxy.round_trips
                call()
                return proxy.round_trips - before

            yield ledger, holder, trips


@each_store
def test_a_batch_of_intents_is_one_round_trip_and_so_is_each_further_step_of_it(store: str) -> None:
    many = operations(*map(str, range(2_000)))
    keys = [each.key for each in many]
    with counted(store) as (ledger, holder, trips):
        assert trips(lambda: ledger.record_intents(holder, "run-1", many, NOW)) == 1
        assert trips(lambda: ledger.begin_attempts(holder, keys, NOW)) == 1
        assert trips(lambda: ledger.record_outcomes([Outcome(key, Status.DONE) for key in keys], NOW)) == 1
        assert trips(lambda: ledger.confirm(keys, NOW)) == 1
        assert trips(lambda: ledger.renew(holder, NOW, 60_000)) == 1


@each_store
def test_several_writes_in_a_batch_are_one_round_trip(store: str) -> None:
    def writes(ledger: Ledger, holder: Holder) -> None:
        with ledger.batch():
            ledger.record_intents(holder, "run-1", operations("a", "b"), NOW)
            ledger.record_outcomes([Outcome("a", Status.DONE)], NOW)
            ledger.confirm(["a"], NOW)

    with counted(store) as (ledger, holder, trips):
        assert trips(lambda: writes(ledger, holder)) == 1
