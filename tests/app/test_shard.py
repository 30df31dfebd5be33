"""Workers of a shard that die, and those that take it over; what the run reports then."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from threading import Event

import psycopg
import pytest

from reconciler.app.cut import Cut, Ended
from reconciler.app.ledger import owner
from reconciler.app.plan import inputs
from reconciler.app.run_unit import run_unit
from reconciler.app.shard import open_shards
from reconciler.app.unit import ShardReport, ShardTask, Unit, UnitKind, UnitResult, UnitState
from reconciler.apply.lease import leased
from reconciler.core.diagnostic import Severity
from reconciler.core.duration import MINUTE
from reconciler.core.exit_code import ExitCode
from reconciler.core.operation import Status
from reconciler.emulator.settings import Settings
from reconciler.ledger.shared import SharedLedger
from reconciler.ledger.store import Shard
from reconciler.session.workspace import open_workspace
from tests.cli.run_cli import reconciler
from tests.emulator.handle import Emulator
from tests.servers import postgres
from tests.servers.proxy import Proxy

STACK = """\
stack: big
providers:
  aom: {{endpoint: "{endpoint}", project_id: p1, auth: {{token: t}}, visible_within: 1s, request_timeout: 1s}}
defaults:
  aom_alarm: {{event_severity: {severity}, resource_provider: ecs, resource_type: vm, timeout: 30m}}
resources:
  aom_alarm:
    first: {{resource_id: a}}
    second: {{resource_id: b, depends_on: [{needed}]}}
"""
HELD = "an earlier worker had begun it, and the service could not be queried"
BLOCKED = "not sent: an operation that it depends on is not done"


@pytest.fixture
def service(start_emulator: Callable[[Settings], Emulator]) -> Emulator:
    """A service that does not merge what is pushed twice."""
    return start_emulator(Settings(on_repeat="duplicate"))


@pytest.fixture
def ledger() -> str:
    return postgres.server().schema()


def write(root: Path, service: Emulator, severity: str = "Major", needed: str = "") -> Path:
    file = root / "stack.yaml"
    file.write_text(STACK.format(endpoint=service.url, severity=severity, needed=needed))
    return file


class Workers:
    """Workers of a shard: the first dies when its first request is answered, and then the service has a fault."""

    def __init__(self, file: Path, ledger: str, service: Emulator, fault: str, deadline: int | None) -> None:
        self._file, self._ledger, self._service, self._fault = str(file), ledger, service, fault
        self._deadline = deadline
        self.results: list[UnitResult] = []

    def __call__(self, tasks: Iterable[ShardTask]) -> Iterator[Ended]:
        for task in tasks:
            unit = Unit(UnitKind.SHARD, self._file, ledger=self._ledger, shard=task, deadline=self._deadline)
            if not self._service.faults():
                self._die(unit, task)
                self._service.fault(self._fault)
                yield task, None
            else:
                self.results.append(run_unit(unit))
                yield task, self.results[-1].shard

    def _die(self, unit: Unit, task: ShardTask) -> None:
        with open_workspace(Path(unit.path), inputs({}, (), [], self._ledger)) as workspace:
            with closing(open_shards(workspace.ledger_location)) as shards:
                store = shards.open(Shard(task.name, task.stack, task.fence))
            assert store is not None
            clock, ledger = workspace.clock, SharedLedger(store, keeps=False)
            with closing(ledger), leased(ledger, owner(), clock, Event()) as holder:
                operation = ledger.open_intents()[0].operation
                ledger.begin_attempts(holder, [operation.key], clock.now())
                workspace.providers["aom"].send([operation])

    @property
    def undone(self) -> list[tuple[Status | None, str | None]]:
        """What the last worker left undone, and why."""
        (result,) = self.results
        assert isinstance(result.shard, ShardReport), result.diagnostics
        return [(item.status, item.message) for item in result.shard.undone]


def firing(service: Emulator) -> Counter[str]:
    alarms = service.active_alarms()
    return Counter(
        f"{alarm['metadata']['reconciler_address']} {alarm['metadata']['event_severity']}" for alarm in alarms
    )


def apply_in_shards(
    file: Path, ledger: str, service: Emulator, fault: str = "query:status=503", deadline: int | None = None
) -> tuple[Workers, UnitResult]:
    workers = Workers(file, ledger, service, fault, deadline)
    unit = Unit(UnitKind.APPLY, str(file), ledger=ledger, shard_size=10)
    return workers, run_unit(unit, cut=Cut(workers, 10))


def complete(file: Path, ledger: str, service: Emulator) -> Counter[str]:
    """Queries work again, and the next apply completes; what fires then."""
    service.clear_faults()
    done = reconciler("apply", file, "--ledger", ledger, "--auto-approve")
    assert done.code == 0, done.err
    return firing(service)


def test_what_depends_on_an_unanswered_push_is_not_sent(tmp_path: Path, service: Emulator, ledger: str) -> None:
    file = write(tmp_path, service, needed="aom_alarm.first")
    workers, result = apply_in_shards(file, ledger, service)
    assert workers.undone == [(Status.UNKNOWN, HELD), (Status.FAILED, BLOCKED)]
    assert result.remaining == 2
    assert firing(service) == {"aom_alarm.first Major": 1}
    assert complete(file, ledger, service) == {"aom_alarm.first Major": 1, "aom_alarm.second Major": 1}


def test_the_push_of_a_replace_whose_clear_is_unanswered_is_not_sent(
    tmp_path: Path, service: Emulator, ledger: str
) -> None:
    assert reconciler("apply", write(tmp_path, service), "--ledger", ledger, "--auto-approve").code == 0
    file = write(tmp_path, service, severity="Critical")
    workers, result = apply_in_shards(file, ledger, service)
    assert workers.undone == [(Status.UNKNOWN, HELD), (Status.FAILED, BLOCKED)]
    assert result.remaining == 1
    assert firing(service) == {"aom_alarm.second Critical": 1}
    assert complete(file, ledger, service) == {"aom_alarm.first Critical": 1, "aom_alarm.second Critical": 1}


@pytest.mark.parametrize(
    ("fault", "deadline", "second"), [("push:status=400", None, Status.FAILED), ("query:delay=0s", 0, None)]
)
def test_what_a_dead_worker_sent_may_be_there_although_it_is_refused_or_not_sent_later(
    tmp_path: Path,
    start_emulator: Callable[[Settings], Emulator],
    ledger: str,
    fault: str,
    deadline: int | None,
    second: Status | None,
) -> None:
    service = start_emulator(Settings(visible_after=MINUTE))
    workers, result = apply_in_shards(write(tmp_path, service), ledger, service, fault, deadline)
    assert [status for status, _ in workers.undone] == [Status.UNKNOWN, second]
    assert (result.exit_code, result.remaining) == (ExitCode.PARTIAL, 2)


def run_shards(file: Path, ledger: str, then: Callable[[], object], *ended: ShardReport | str | None) -> UnitResult:
    """Apply in shards; ``then`` happens when all have ended, which is as in ``ended`` or as their workers report."""

    def give(tasks: Iterable[ShardTask]) -> Iterator[Ended]:
        for task in tasks:
            yield task, *(ended or (run_unit(Unit(UnitKind.SHARD, str(file), ledger=ledger, shard=task)).shard,))
        then()

    return run_unit(Unit(UnitKind.APPLY, str(file), ledger=ledger, shard_size=1), cut=Cut(give, 1))


def test_a_lease_that_is_lost_when_everything_is_sent_is_the_reason(
    tmp_path: Path, service: Emulator, ledger: str
) -> None:
    file = write(tmp_path, service)
    result = run_shards(file, ledger, lambda: reconciler("ledger", "unlock", ledger, "--stack", "big", "--yes"))
    assert (result.state, result.exit_code, result.counts, result.remaining) == (
        UnitState.FAILED,
        ExitCode.PARTIAL,
        {"create": 2},
        0,
    )
    assert [found.summary for found in result.diagnostics] == [
        "the lease on this stack was lost: nothing more may be sent"
    ]


def test_a_ledger_that_fails_when_everything_is_sent_hides_nothing_that_was_done(
    tmp_path: Path, service: Emulator, ledger: str
) -> None:
    file = write(tmp_path, service)
    result = run_shards(file, ledger, lambda: rename(ledger, "ledger_journal", "lost"))
    assert (result.exit_code, result.counts, result.remaining) == (ExitCode.PARTIAL, {"create": 2}, 0)
    (told,) = result.diagnostics
    assert told.summary.startswith("it can no longer be journalled, so nothing new was sent: the ledger postgresql://")
    rename(ledger, "lost", "ledger_journal")
    assert complete(file, ledger, service) == {"aom_alarm.first Major": 1, "aom_alarm.second Major": 1}


def test_a_connection_that_drops_while_the_workers_work_is_opened_again(
    tmp_path: Path, service: Emulator, ledger: str
) -> None:
    port = postgres.server().port
    with Proxy(port) as proxy:

        def drop() -> None:
            proxy.cut()
            proxy.restore()

        result = run_shards(write(tmp_path, service), ledger.replace(f":{port}/", f":{proxy.port}/"), drop)
    assert (result.state, result.counts) == (UnitState.DONE, {"create": 2}), result.diagnostics


def rename(ledger: str, table: str, name: str) -> None:
    address, _, schema = ledger.partition("?schema=")
    with psycopg.connect(address) as connection:
        connection.execute(f'ALTER TABLE "{schema}"."{table}" RENAME TO "{name}"'.encode())


def test_the_run_says_why_no_worker_finished_a_shard(tmp_path: Path, service: Emulator, ledger: str) -> None:
    result = run_shards(write(tmp_path, service), ledger, lambda: None, "process 7 ended by signal 9")
    assert result.diagnostics[0].summary == (
        "create aom_alarm.first: unknown: no worker finished its shard: process 7 ended by signal 9"
    )


def test_what_is_done_but_not_visible_is_a_warning(
    tmp_path: Path, start_emulator: Callable[[Settings], Emulator], ledger: str
) -> None:
    service = start_emulator(Settings(visible_after=MINUTE))
    result = run_shards(write(tmp_path, service), ledger, lambda: None)
    assert (result.state, result.exit_code) == (UnitState.DONE, ExitCode.DONE)
    assert [(found.severity, found.summary) for found in result.diagnostics] == [
        (Severity.WARNING, "done, but not visible yet: aom_alarm.first, aom_alarm.second")
    ]
