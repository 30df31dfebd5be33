"""The model of exactly once, with a ledger that is shared."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from reconciler.ledger.kinds import open_store
from reconciler.ledger.lease import BootTime
from reconciler.ledger.location import Location
from reconciler.ledger.objects.link import ObjectLink
from reconciler.ledger.protocol import Ledger
from reconciler.ledger.shared import SharedLedger
from tests.properties.test_exactly_once import ExactlyOnce
from tests.servers import postgres, s3


class ExactlyOnceShared(ExactlyOnce):
    """Both targets share a ledger at one URL, with a snapshot after each run."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url
        self.shared = Location(url, "demo")
        self.open_store = self.opened

    def opened(self, clock: Callable[[], BootTime]) -> Ledger:
        return SharedLedger(open_store(Location(self.url, "demo")), clock=clock, snapshot_bytes=0)


class ExactlyOnceOnPostgres(ExactlyOnceShared):
    def __init__(self) -> None:
        super().__init__(postgres.server().schema())

    def sleep_too_long(self) -> None:
        super().sleep_too_long()
        address, _, schema = self.url.partition("?schema=")
        with psycopg.connect(address) as connection:
            connection.execute(f'UPDATE "{schema}".ledger_stack SET expires_at = 0'.encode())  # noqa: S608 - constants


class ExactlyOnceOnObjects(ExactlyOnceShared):
    def __init__(self) -> None:
        super().__init__(s3.seaweedfs().prefix())

    def sleep_too_long(self) -> None:
        super().sleep_too_long()
        with closing(ObjectLink(self.url)) as link:
            found = link.get("demo/lease.json")
            assert found is not None
            link.put("demo/lease.json", json.dumps({**json.loads(found.data), "expires_at": 0}).encode())


@pytest.mark.parametrize(
    ("model", "examples"), [(ExactlyOnceOnPostgres, 8), (ExactlyOnceOnObjects, 5)], ids=["postgres", "seaweedfs"]
)
def test_however_runs_end_the_next_apply_brings_about_what_is_declared_exactly_once(
    model: type[ExactlyOnceShared], examples: int
) -> None:
    run_state_machine_as_test(
        model,
        settings=settings(
            max_examples=examples,
            stateful_step_count=12,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )
