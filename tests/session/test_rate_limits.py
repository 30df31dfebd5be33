"""Rate limits of several processes that ask one service."""

from __future__ import annotations

import itertools
import multiprocessing
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psycopg
import pyrate_limiter
import pytest

from reconciler.config.stack import Inputs
from reconciler.core.target import Target
from reconciler.ledger.kinds import rates_at
from reconciler.providers.protocol import ServiceError
from reconciler.session.rate_limits import RateLimits
from reconciler.session.workspace import open_workspace
from tests.emulator.handle import Emulator
from tests.servers import pgbouncer, postgres

RATE = 40
PROCESSES = 3
EACH = 15
STACK = """
stack: rated
variables: {{share: {{default: {share}}}}}
providers:
  aom: {{endpoint: "{url}", project_id: p, auth: {{token: t}}, rate_limit: {rate}, share_rate_limit: "${{var.share}}"}}
"""


def ask_often(directory: Path, ledger: str) -> None:
    """What one of the processes does."""
    with open_workspace(directory, Inputs(ledger=ledger)) as workspace:
        for _ in range(EACH):
            workspace.observe()


def test_processes_with_one_ledger_keep_a_rate_together(emulator: Emulator, tmp_path: Path) -> None:
    ledger = pgbouncer.pooled(postgres.server().schema())
    (tmp_path / "stack.yaml").write_text(STACK.format(url=emulator.url, rate=RATE, share="true"))
    # All of them have begun when the first request may: from then on, each has its instant.
    begin = time.time() + 1.5
    name = str(Target("aom", emulator.url, "p"))
    with closing(rates_at(ledger)) as rates:
        assert rates is not None
        rates.check()
        rates.buy(name, 1 / (begin - time.time()), 1)
    processes = [
        multiprocessing.get_context("spawn").Process(target=ask_often, args=(tmp_path, ledger))
        for _ in range(PROCESSES)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    times = [request["at"] / 1000 for request in emulator.requests()]
    assert len(times) == PROCESSES * EACH
    # Requests may be late, never early: by any instant, no more have come than the rate allows.
    early = [at for count, at in enumerate(times) if at < begin + count / RATE - 0.02]
    assert early == []


def test_an_unknown_ledger_url_is_no_matter_while_nothing_is_shared(emulator: Emulator) -> None:
    limits = RateLimits()
    target = Target("aom", emulator.url, "p")
    assert limits.throttle(target, emulator.url, None, ledger="postgresql://nowhere.invalid/x", share=True) is None
    assert limits.throttle(target, emulator.url, 5, ledger="postgresql://nowhere.invalid/x") is not None


@pytest.fixture
def gaps(monkeypatch: pytest.MonkeyPatch) -> Callable[[RateLimits, int], list[int]]:
    """How far apart (ms) the requests of a target begin; what waits, sleeps on a clock of the test's own."""
    now = [0.0]
    monkeypatch.setattr(pyrate_limiter.limiter, "sleep", lambda seconds: now.append(now.pop() + seconds * 1000))
    monkeypatch.setattr(pyrate_limiter.MonotonicClock, "now", lambda self: int(now[0]))

    def measured(limits: RateLimits, rate: int) -> list[int]:
        times = []
        for _ in range(4):
            made = limits.throttle(Target("aom", "http://h", "p"), "http://h/", rate, ledger="state")
            assert made is not None
            made.try_acquire()
            times.append(round(now[0]))
        return [after - before for before, after in itertools.pairwise(times)]

    return measured


def test_without_a_shared_ledger_the_workers_split_a_limit(gaps: Callable[[RateLimits, int], list[int]]) -> None:
    assert gaps(RateLimits(workers=4, shared=True), 8) == [500, 500, 500]


def test_stacks_of_one_process_share_the_throttle_of_a_service(gaps: Callable[[RateLimits, int], list[int]]) -> None:
    assert gaps(RateLimits(), 10) == [100, 100, 100]


def test_a_fleet_may_limit_a_target_itself(gaps: Callable[[RateLimits, int], list[int]]) -> None:
    limits = {str(Target("aom", "http://h", "p")): 2.0}
    assert gaps(RateLimits(limits=limits), 10) == [500, 500, 500]


def test_a_user_without_the_right_to_write_rates_splits_the_limit(
    gaps: Callable[[RateLimits, int], list[int]], caplog: pytest.LogCaptureFixture
) -> None:
    url = postgres.server().schema()
    with closing(rates_at(url)) as rates:
        assert rates is not None
        rates.check()
    schema = url.partition("schema=")[2]
    reader = f"reader_{schema}"
    with psycopg.connect(url.partition("?")[0], autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {reader} LOGIN")
        connection.execute(f"GRANT USAGE ON SCHEMA {schema} TO {reader}")
        connection.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {reader}")
    limits = RateLimits(workers=2, shared=True)
    made = limits.throttle(
        Target("aom", "http://h", "p"), "http://h", 4, ledger=url.replace("postgres@", f"{reader}@", 1)
    )
    assert made is not None
    assert "rate limits are not shared" in caplog.text
    assert gaps(limits, 4) == [500, 500, 500]
    limits.close()


def test_a_request_is_not_sent_while_the_rate_cannot_be_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    url = postgres.server().schema()
    limits = RateLimits(shared=True)
    made = limits.throttle(Target("aom", "http://h", "p"), "http://h", 4, ledger=url)
    assert made is not None
    with psycopg.connect(url.partition("?")[0], autocommit=True) as connection:
        connection.execute(f"DROP SCHEMA {url.partition('schema=')[2]} CASCADE")
    with pytest.raises(ServiceError, match="not sent, since its rate limit cannot be looked up"):
        made.try_acquire()
    limits.close()
