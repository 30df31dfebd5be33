"""Right before a request that changes something leaves, its provider says so, and may be held back."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from reconciler.emulator.settings import Settings, wall_clock
from reconciler.ledger.protocol import LeaseLostError
from reconciler.providers.protocol import Provider, called_before_requests
from tests.emulator.handle import Emulator
from tests.providers.alertmanager import objects as alertmanager
from tests.providers.aom import objects as aom

Opened = tuple[Provider, list]


def aom_batch(emulator: Emulator) -> Opened:
    operation = aom.push(aom.desired(), starts_at=emulator.now())
    return aom.opened(emulator.url, rate_limit=1000), [operation]


def cluster_batch(emulator: Emulator) -> Opened:
    urls = [f"{emulator.url}/alertmanager", f"{emulator.url}/alertmanager-2"]
    return alertmanager.opened(urls), [alertmanager.push(alertmanager.desired("slow"), wall_clock(), "k", "demo")]


@pytest.mark.parametrize("emulator", [Settings(alertmanager_peers=2)], indirect=True)
@pytest.mark.parametrize(("batch", "requests"), [(aom_batch, 1), (cluster_batch, 2)])
def test_each_write_is_announced_and_no_query_is(
    emulator: Emulator, batch: Callable[[Emulator], Opened], requests: int
) -> None:
    provider, operations = batch(emulator)
    announced: list[int] = []
    with called_before_requests(lambda: announced.append(len(emulator.requests()))):
        provider.send(operations)
        assert len(list(provider.read_back(operations))) == 1
    assert len(announced) == requests
    assert announced[0] == 0
    provider.close()


@pytest.mark.parametrize("emulator", [Settings(alertmanager_peers=2)], indirect=True)
@pytest.mark.parametrize("batch", [aom_batch, cluster_batch])
def test_what_the_check_raises_stops_the_request(emulator: Emulator, batch: Callable[[Emulator], Opened]) -> None:
    def lost() -> None:
        raise LeaseLostError("the lease on this stack has lapsed")

    provider, operations = batch(emulator)
    with called_before_requests(lost), pytest.raises(LeaseLostError):
        provider.send(operations)
    assert emulator.requests() == []
    provider.close()
