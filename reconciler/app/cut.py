"""Applying a plan in shards: cut under the stack's lease, run by workers, and absorbed when all have ended."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from queue import Empty, Queue
from threading import Event, Thread
from typing import NamedTuple

from reconciler.app.shard import open_shards
from reconciler.app.unit import ShardReport, ShardTask
from reconciler.apply.executor import apply_plan
from reconciler.apply.options import Options, Part, Progress
from reconciler.apply.result import ApplyStatus, Result
from reconciler.apply.settle import find_done, find_doubts
from reconciler.core.diagnostic import Diagnostic, DiagnosticError
from reconciler.core.gc_tuning import gc_frozen
from reconciler.core.operation import Outcome, ServiceErrorDetail, Status
from reconciler.ledger.kinds import open_store
from reconciler.ledger.protocol import Holder, LeaseLostError, Ledger, Run, RunState, new_run_id
from reconciler.ledger.shard_rows import shard_name, shard_rows
from reconciler.ledger.shared import SharedLedger
from reconciler.ledger.store import Shard, Shards
from reconciler.plan.plan import Plan
from reconciler.plan.shards import SHARD_SIZE, PlanShard, cut_plan
from reconciler.session.workspace import Workspace

TRIES = 3
"""How often a shard is submitted before it counts as failed, if its workers do not complete it."""

_AHEAD = 3
"""How many shards are cut ahead of the workers."""

Ended = tuple[ShardTask, ShardReport | str | None]
"""A submitted shard, and its report; if its worker did not complete it, the reason, or None."""

HandOut = Callable[[Iterable[ShardTask]], Iterator[Ended]]
"""Submits shards to workers, and yields how each ended."""


class Cut(NamedTuple):
    """How to cut a plan, and how to run its shards; see ``reconciler.app.apply.Cutting``."""

    give: HandOut
    size: int = SHARD_SIZE

    def check(self, workspace: Workspace) -> None:
        """Raise DiagnosticError if the stack's ledger does not support several concurrent writers."""
        open_shards(workspace.ledger_location).close()

    @gc_frozen()
    def apply(
        self,
        workspace: Workspace,
        plan: Plan,
        ledger: Ledger,
        holder: Holder,
        *,
        stop: Event,
        command: str,
        options: Options,
        progress: Progress,
    ) -> Result:
        """Have workers send a plan; the caller holds the lease, and all earlier operations are settled.

        Raises DiagnosticError if that is not possible, LeaseLostError if the lease is lost before it began.
        """
        clock, targets = workspace.clock, workspace.target_texts
        operations = [*plan.operations]
        if find_doubts(operations, ledger, workspace.providers, targets, clock):
            hint = "settle them first: reconciler ledger settle"
            raise DiagnosticError(
                Diagnostic(
                    "the outcome of events of an earlier run is unknown, so the plan cannot be split into shards",
                    hint=hint,
                )
            )
        done = find_done(operations, ledger, targets, clock)
        pieces = cut_plan(plan, self.size, done)
        run = Run(*(new_run_id(), plan.id, command, clock.now(), None, RunState.RUNNING, targets, holder.origin))
        ledger.begin(holder, run)
        progress.started(sum(len(piece.operations) for piece in pieces))
        work = _Work(plan, run, holder, pieces, stop)
        with closing(open_shards(workspace.ledger_location)) as shards:
            work.hand_out(self.give, shards, clock.now, progress)
            last = work.absorb(shards)
        ending = work.ending()
        outcomes = work.outcomes(done)
        result = Result(
            *(plan, run.id, run.started_at, clock.now(), ending, outcomes, frozenset(), work.cause, command),
            possible_duplicates=frozenset(
                key for report in work.reports.values() for key in report.possible_duplicates
            ),
            origin=holder.origin,
        )
        if last is None:
            return result
        try:
            return _finished(workspace, result, holder, last, stop, options, progress)
        except DiagnosticError as error:
            cause = ServiceErrorDetail(error.diagnostics[0].summary)
            return result._replace(ending=ApplyStatus.LEDGER_FAILED, cause=cause, ended_at=clock.now())


def _finished(
    workspace: Workspace, result: Result, holder: Holder, last: int, stop: Event, options: Options, progress: Progress
) -> Result:
    """Verify, clear duplicates, and end the run; this does not read the rows of the shards."""
    plan = result.plan
    conditional = any(operation.only_if_duplicate for operation in plan.operations)
    must_verify = options.verify or conditional or result.possible_duplicates
    store = open_store(workspace.ledger_location)
    with closing(SharedLedger(store, keeps=False, last=last)) as ledger:
        if result.ending is ApplyStatus.COMPLETE and must_verify:
            left = {change.address for change in result.remaining}
            changes = tuple(change for change in plan.changes if change.operations and change.address not in left)
            sent = frozenset(item.key for change in changes for item in change.operations if not item.only_if_duplicate)
            verified = apply_plan(
                plan._replace(changes=changes),
                workspace.providers,
                ledger,
                holder,
                clock=workspace.clock,
                stop=stop,
                options=options,
                progress=progress,
                targets=workspace.target_texts,
                part=Part(result.run, done=sent),
            )
            outcomes = result.outcomes
            assert isinstance(outcomes, ShardOutcomes)  # noqa: S101 - narrows a type
            cleared = {key: outcome for key, outcome in verified.outcomes.items() if key not in sent}
            result = result._replace(
                outcomes=outcomes.including(cleared),
                ending=verified.ending,
                cause=verified.cause,
                unconfirmed=verified.unconfirmed,
                possible_duplicates=verified.possible_duplicates
                | (result.possible_duplicates & verified.unconfirmed if options.verify else result.possible_duplicates),
                ended_at=verified.ended_at,
            )
        interrupted = result.ending is ApplyStatus.INTERRUPTED
        complete = result.ending is ApplyStatus.COMPLETE and not result.possible_duplicates and not _is_left(result)
        state = RunState.INTERRUPTED if interrupted else RunState.DONE if complete else RunState.PARTIAL
        with suppress(DiagnosticError):  # everything that was sent is in the ledger
            ledger.end(result.run, state, result.ended_at)
    return result


def _is_left(result: Result) -> bool:
    """Whether a change is not done; returns early if every operation is, since there may be a million."""
    outcomes = result.outcomes
    return not (isinstance(outcomes, ShardOutcomes) and outcomes.are_done) and bool(result.remaining)


class ShardOutcomes(Mapping[str, Outcome]):
    """The outcomes of a plan's operations: done, except for those that are ``missing`` and the ``exceptions``."""

    def __init__(self, plan: Plan, missing: frozenset[str], exceptions: Mapping[str, Outcome]) -> None:
        self._plan, self._missing, self._exceptions = plan, missing, exceptions

    @property
    def are_done(self) -> bool:
        """Whether every operation is done."""
        return not self._missing and not self._exceptions

    def including(self, others: Mapping[str, Outcome]) -> ShardOutcomes:
        """The same outcomes, with some replaced."""
        return ShardOutcomes(self._plan, self._missing - others.keys(), {**self._exceptions, **others})

    def __getitem__(self, key: str) -> Outcome:
        if key in self._missing:
            raise KeyError(key)
        return self._exceptions.get(key) or Outcome(key, Status.DONE)

    def __iter__(self) -> Iterator[str]:
        return (operation.key for operation in self._plan.operations if operation.key not in self._missing)

    def __len__(self) -> int:
        return sum(1 for _ in self)


_WORST = (
    ApplyStatus.LEASE_LOST,
    ApplyStatus.LEDGER_FAILED,
    ApplyStatus.DENIED,
    ApplyStatus.INTERRUPTED,
    ApplyStatus.FAILED,
    ApplyStatus.DEADLINE,
    ApplyStatus.COMPLETE,
)
_NO_REPORT = "no worker finished its shard"


@dataclass
class _Work:
    """The shards of one run: cut in a separate thread, a few ahead of the workers."""

    plan: Plan
    run: Run
    holder: Holder
    pieces: Sequence[PlanShard]
    stop: Event
    handed: dict[int, ShardTask] = field(default_factory=dict)
    reports: dict[int, ShardReport] = field(default_factory=dict)
    reasons: dict[int, str] = field(default_factory=dict)
    over: bool = False
    error: LeaseLostError | DiagnosticError | None = None

    def hand_out(self, hand_out: HandOut, shards: Shards, now: Callable[[], int], progress: Progress) -> None:
        """Yield every shard, and again each that its worker did not complete."""
        waiting: Queue[ShardTask | None] = Queue(_AHEAD)
        cutter = Thread(target=self._cut, args=(shards, now, waiting), name="shards", daemon=True)
        cutter.start()
        try:
            self._watch(hand_out(self._tasks(waiting)), progress)
        finally:
            self.over = self.over or len(self.handed) < len(self.pieces)
            while cutter.is_alive():  # the cutting thread may wait for room
                with suppress(Empty):
                    waiting.get(timeout=0.05)
        for _ in range(TRIES - 1):
            again = [task for number, task in self.handed.items() if number not in self.reports]
            if self.over or self.stop.is_set() or not again:
                return
            self._watch(hand_out(again), progress)

    def _cut(self, shards: Shards, now: Callable[[], int], waiting: Queue[ShardTask | None]) -> None:
        try:
            for number, piece in enumerate(self.pieces, 1):
                if self.over or self.stop.is_set():
                    break
                task = self._task(number, piece)
                shard = Shard(task.name, task.stack, task.fence)
                if not shards.cut(shard, shard_rows(self.run, piece.operations, now())):
                    raise LeaseLostError("the lease on the stack was lost")
                waiting.put(task)
        except (LeaseLostError, DiagnosticError) as error:
            self.error = error
        except ValueError as error:
            hint = "look for unusual characters in the configuration"
            self.error = DiagnosticError(Diagnostic(f"the ledger cannot hold an operation: {error}", hint=hint))
        finally:
            waiting.put(None)

    def _task(self, number: int, piece: PlanShard) -> ShardTask:
        stack, keys = self.plan.stack, {item.provider for item in piece.operations}
        return ShardTask(
            shard_name(stack, self.run.id, number),
            stack,
            self.holder.fence,
            self.run.id,
            self.plan.id,
            number,
            len(self.pieces),
            {key: target for key, target in self.run.targets.items() if key in keys},
            {str(address): tuple(map(str, needed)) for address, needed in piece.needed.items()},
            tuple(piece.done),
        )

    def _tasks(self, waiting: Queue[ShardTask | None]) -> Iterator[ShardTask]:
        while (task := waiting.get()) is not None:
            if self.over or self.stop.is_set():
                return
            self.handed[task.number] = task
            yield task

    def _watch(self, ended: Iterable[Ended], progress: Progress) -> None:
        for task, report in ended:
            if not isinstance(report, ShardReport):
                self.reasons |= {} if report is None else {task.number: report}
                continue
            self.reports[task.number] = report
            progress.completed(len(self.pieces[task.number - 1].operations) - len(report.undone))
            if report.ending is ApplyStatus.DENIED:
                self.over = True

    def absorb(self, shards: Shards) -> int | None:
        """Move the rows of the shards to the stack's journal; returns the last row's number, None if it cannot."""
        try:
            last = shards.absorb(self.holder.fence)
        except DiagnosticError as error:
            self.error = self.error or error
            return None
        if last is None:
            self.error = LeaseLostError("the lease on this stack was lost: nothing more may be sent")
        return last

    def ending(self) -> ApplyStatus:
        """How the run ended, as far as its shards report."""
        found = {report.ending for report in self.reports.values()}
        if self.error is not None:
            found.add(ApplyStatus.LEASE_LOST if isinstance(self.error, LeaseLostError) else ApplyStatus.LEDGER_FAILED)
        if self.stop.is_set():
            found.add(ApplyStatus.INTERRUPTED)
        if len(self.reports) < len(self.pieces):
            found.add(ApplyStatus.FAILED)
        return min(found, key=_WORST.index, default=ApplyStatus.COMPLETE)

    @property
    def cause(self) -> ServiceErrorDetail | None:
        """Why the run ended, if it is not complete."""
        if isinstance(self.error, DiagnosticError):
            return ServiceErrorDetail(self.error.diagnostics[0].summary)
        if self.error is not None:
            return ServiceErrorDetail(str(self.error))
        ending = self.ending()
        told = [report.cause for report in self.reports.values() if report.ending is ending and report.cause]
        if told:
            return ServiceErrorDetail(told[0])
        return ServiceErrorDetail(_NO_REPORT) if ending is ApplyStatus.FAILED else None

    def outcomes(self, done: frozenset[str]) -> ShardOutcomes:
        """The outcome of each operation."""
        missing: set[str] = {
            item.key for item in self.plan.operations if item.only_if_duplicate and item.key not in done
        }
        exceptions: dict[str, Outcome] = {}
        for number, piece in enumerate(self.pieces, 1):
            report = self.reports.get(number)
            if report is not None:
                for item in report.undone:
                    if item.status is None:
                        missing.add(item.key)
                    else:
                        why = None if item.message is None else ServiceErrorDetail(item.message)
                        exceptions[item.key] = Outcome(item.key, item.status, why)
            elif number in self.handed:
                reason = self.reasons.get(number)
                why = ServiceErrorDetail(_NO_REPORT if reason is None else f"{_NO_REPORT}: {reason}")
                exceptions |= {item.key: Outcome(item.key, Status.UNKNOWN, why) for item in piece.operations}
            else:
                missing.update(item.key for item in piece.operations)
        return ShardOutcomes(self.plan, frozenset(missing), exceptions)
