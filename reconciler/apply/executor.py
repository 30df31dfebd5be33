"""Apply: carry out a plan exactly once, however often it is interrupted or repeated (rules 7 to 9 and 13)."""

import queue
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing, nullcontext, suppress
from itertools import chain, islice
from operator import attrgetter
from threading import Event
from typing import NamedTuple

from reconciler.apply.begin import BeginGate
from reconciler.apply.duplicates import Duplicates
from reconciler.apply.line import Line
from reconciler.apply.options import NullProgress, Options, Part, Progress, flush_interval, journal_ahead
from reconciler.apply.order import Order, Readiness
from reconciler.apply.result import ApplyStatus, Result, RunFailedError
from reconciler.apply.sender import SendContext, Sender, batches
from reconciler.apply.settle import Doubt, decide, find_done, find_doubts, journal_outcomes, poll_events
from reconciler.apply.verify import DeniedError, verify
from reconciler.core.clock import Clock
from reconciler.core.diagnostic import DiagnosticError
from reconciler.core.gc_tuning import gc_frozen
from reconciler.core.operation import Operation, Outcome, ServiceErrorDetail, Status
from reconciler.ledger.protocol import Holder, LeaseLostError, Ledger, Run, RunState, new_run_id
from reconciler.plan.plan import Plan
from reconciler.providers.protocol import Provider


def apply_plan(
    plan: Plan,
    providers: Mapping[str, Provider],
    ledger: Ledger,
    holder: Holder,
    *,
    clock: Clock,
    stop: Event,
    command: str = "apply",
    options: Options | None = None,
    progress: Progress | None = None,
    targets: Mapping[str, str] | None = None,
    part: Part | None = None,
) -> Result:
    """Send what a plan says, journalling each intent before and each outcome after, and verify what was done.

    Operations the ledger knows to be done are not sent again. ``targets`` are the canonical texts of the providers'
    targets. ``part`` says that the plan is a part of a larger run. A ledger that cannot be written, or a lease that is
    lost, ends the sending at once; the result says so. Setting ``stop`` ends the run early: nothing new is sent. The
    run sets it itself where a service rejects the credentials. Raises LeaseLostError where the lease is gone before
    anything was begun, RunFailedError for an internal error after that.
    """
    with gc_frozen():
        options, progress = options or Options(), progress or NullProgress()
        executor = PlanExecutor(plan, providers, ledger, holder, clock, stop, options, progress, targets or {}, part)
        with closing(executor):
            return executor.run(command)


_NOT_SENT = ServiceErrorDetail("not sent: the run was stopped first")
_FIRST_STEP = 4
"""How many batches are journalled in the first step of a run."""
_KEY, _STATUS = attrgetter("key"), attrgetter("status")


class _WorkerDone(NamedTuple):
    """The last message of a worker about a batch."""

    provider: str
    error: BaseException | None


class PlanExecutor:
    """One execution of a plan: its workers, and the one thread that writes the journal."""

    def __init__(
        self,
        plan: Plan,
        providers: Mapping[str, Provider],
        ledger: Ledger,
        holder: Holder,
        clock: Clock,
        stop: Event,
        options: Options,
        progress: Progress,
        targets: Mapping[str, str],
        part: Part | None,
    ) -> None:
        self.plan, self.providers, self.ledger, self.holder = plan, providers, ledger, holder
        self.clock, self.stop, self.options, self.progress = clock, stop, options, progress
        self.operations = list(plan.operations)
        self.conditional = [item for item in self.operations if item.only_if_duplicate]
        self.targets, self.part = targets, part
        self.order = Order(plan.changes, None if part is None else part.needed)
        self.id, self.started_at = new_run_id() if part is None else part.run, clock.now()
        self.deadline = clock.monotonic() + options.deadline
        self._journal_ahead = journal_ahead(shared=ledger.is_shared)
        self.gate = BeginGate(self._begin)
        self.events: queue.SimpleQueue[Sequence[Outcome] | _WorkerDone] = queue.SimpleQueue()
        self.outcomes: dict[str, Outcome] = {}
        self.intended, self._firsts, self.begun = list[Sequence[Operation]](), set[str](), set[str]()
        self.held: frozenset[str] = frozenset()
        self.status: ApplyStatus | None = None
        self.cause: ServiceErrorDetail | None = None
        self.duplicates = Duplicates(providers, ledger, self.targets, clock, progress.report)
        self.senders = {key: Sender(provider, self._context(key)) for key, provider in providers.items()}

    def run(self, command: str) -> Result:
        """Send and verify the plan. Raises LeaseLostError before anything was begun, RunFailedError after that."""
        origin = self.holder.origin
        run = Run(self.id, self.plan.id, command, self.started_at, None, RunState.RUNNING, self.targets, origin)
        if self.part is None:
            self.ledger.begin(self.holder, run)
        known = {} if self.part is None else self.part.outcomes
        left = [item for item in self.operations if item.key not in known] if known else self.operations
        doubts = find_doubts(left, self.ledger, self.providers, self.targets, self.clock)
        self.outcomes = known if self.part is not None else self._done_before()
        due = [item for item in self.operations if item.key not in self.outcomes and not item.only_if_duplicate]
        self.progress.started(len(due))
        unconfirmed: frozenset[str] = frozenset()
        failure: Exception | None = None
        try:
            self.duplicates.learn_from(self.plan.pending)
            self._send_all(due, [doubt for doubt in doubts if doubt.operation.key not in self.outcomes])
            unconfirmed = self._verify()
        except DeniedError as error:
            self._end(ApplyStatus.DENIED, error.detail)
        except LeaseLostError as error:
            self._end(ApplyStatus.LEASE_LOST, ServiceErrorDetail(str(error)))
        except DiagnosticError as error:
            self._end(ApplyStatus.LEDGER_FAILED, ServiceErrorDetail(error.diagnostics[0].summary))
        except Exception as error:  # noqa: BLE001 - raised again, with what is known of the run
            self._end(ApplyStatus.FAILED, ServiceErrorDetail(f"{type(error).__name__}: {error}"))
            failure = error
        with suppress(Exception) if failure else nullcontext():
            self._close_unsent_intents()
        self._mark_unanswered()
        result = self._result(command, unconfirmed)
        if self.part is None:
            with suppress(Exception if failure else DiagnosticError):  # the result says why
                self.ledger.end(self.id, self._run_state(result), result.ended_at)
        if failure is not None:
            raise RunFailedError(result) from failure
        return result

    def close(self) -> None:
        """Break reference cycles, so that the operations are freed without the garbage collector."""
        self.senders.clear()
        del self.gate

    def _done_before(self) -> dict[str, Outcome]:
        done = find_done(self.operations, self.ledger, self.targets, self.clock)
        return {key: Outcome(key, Status.DONE) for key in done}

    def _result(self, command: str, unconfirmed: frozenset[str]) -> Result:
        due = {item.key for item in self.conditional if self._is_due(item)}
        possible_duplicates = self.duplicates.possible(due | self.duplicates.repeated(self._is_done))
        status = self._status()  # which may find the cause
        ran = (self.plan, self.id, self.started_at, self.clock.now(), status)
        return Result(*ran, self.outcomes, unconfirmed, self.cause, command, possible_duplicates, self.holder.origin)

    def _run_state(self, result: Result) -> RunState:
        if result.ending is ApplyStatus.INTERRUPTED:
            return RunState.INTERRUPTED
        complete = result.ending is ApplyStatus.COMPLETE and not result.possible_duplicates
        return RunState.DONE if complete and self._is_all_done() else RunState.PARTIAL

    def _send_all(self, due: Sequence[Operation], doubts: Sequence[Doubt]) -> None:
        """Send operations level by level, and finally the events that an earlier run may have recorded."""
        if recorded := [item for item in due if item.is_recorded]:
            self._note_done(recorded)
            due = [item for item in due if not item.is_recorded]
        self.held = frozenset(doubt.operation.key for doubt in doubts)
        levels = self.order.levels(due, self.outcomes)
        for level in levels:
            self._send(self._unblocked([item for item in level if item.key not in self.held]))
        if not doubts or self._over():
            return
        self._resolve(doubts)
        self.held = frozenset()
        for level in levels:
            self._send(self._unblocked([item for item in level if item.key not in self.outcomes]))

    def _note_done(self, operations: Sequence[Operation]) -> None:
        """Journal as done what need not be sent, since the service has it on record."""
        self._intend(operations)
        self._record([Outcome(item.key, Status.DONE) for item in operations])
        self.ledger.confirm([item.key for item in operations], self.clock.now())

    def _resolve(self, doubts: Sequence[Doubt]) -> None:
        """Wait until events that an earlier run may have recorded are visible, or their window has passed."""
        for key in sorted({doubt.operation.provider for doubt in doubts}):
            mine = [doubt for doubt in doubts if doubt.operation.provider == key]
            shown = poll_events(mine, self.providers[key], self.clock, self.stop, self.progress)
            if self.stop.is_set():
                return
            if shown is None:  # the earlier attempts stay open
                why = ServiceErrorDetail("an earlier run may have recorded it, and the service could not be queried")
                self.outcomes |= {
                    doubt.operation.key: Outcome(doubt.operation.key, Status.UNKNOWN, why) for doubt in mine
                }
                continue
            with self.ledger.batch():
                self.ledger.begin_attempts(self.holder, (), self.clock.now())  # checks the lease
                self.ledger.record_outcomes(decide(mine, shown), self.clock.now())
                if recorded := [doubt.operation for doubt in mine if doubt.operation.key in shown]:
                    self._note_done(recorded)

    def _send(self, operations: Sequence[Operation]) -> None:
        """Send operations without pending dependencies, batch by batch, each provider with its own parallelism."""
        waiting = {
            key: deque(batches([item for item in operations if item.provider == key], provider.limits))
            for key, provider in self.providers.items()
        }
        busy = dict.fromkeys(waiting, 0)
        failure: BaseException | None = None
        with ExitStack() as stack:
            lines = {key: stack.enter_context(self._line(key)) for key in waiting}
            while True:
                if failure is None and not self._over():
                    try:
                        for key, batches_left in waiting.items():
                            # More than can be sent at once, so that no worker waits for the journal.
                            while batches_left and busy[key] < lines[key].width + 2 * self._journal_ahead:
                                self._intend_ahead(batches_left)
                                lines[key].submit(batches_left.popleft())
                                busy[key] += 1
                    except (LeaseLostError, DiagnosticError) as error:  # wait for the outcomes of running requests
                        failure = error
                        self.stop.set()
                under_way = sum(busy.values())
                if not under_way:
                    break
                ended, unwritten = self._drain_events(under_way)
                failure = failure or unwritten
                for finished in ended:
                    busy[finished.provider] -= 1
                    failure = failure or finished.error
        if failure is not None:
            raise failure

    def _line(self, provider: str) -> Line:
        def unsent(batch: Sequence[Operation]) -> None:
            self.begun.difference_update(item.key for item in batch)

        def ended(error: BaseException | None) -> None:
            self.events.put(_WorkerDone(provider, error))

        parallelism = self.options.parallelism or self.providers[provider].limits.parallelism
        return Line(self.senders[provider], parallelism, self._over, unsent, ended)

    def _intend_ahead(self, batches_left: Sequence[Sequence[Operation]]) -> None:
        """Journal the intents of the next batches in one step, if the first of them is not journalled yet."""
        first = batches_left[0][0].key
        if first in self._firsts or (self.part is not None and first in self.part.intended):
            return
        count = self._journal_ahead if self._firsts else _FIRST_STEP  # so that requests begin soon
        ahead = [*islice(batches_left, count)]
        self._firsts.update(batch[0].key for batch in ahead)
        self._intend([item for batch in ahead for item in batch])

    def _intend(self, operations: Sequence[Operation]) -> None:
        self.ledger.record_intents(self.holder, self.id, operations, self.clock.now())
        self.intended.append(operations)

    def _begin(self, keys: Sequence[str]) -> None:
        """Journal that operations are being sent. Raises LeaseLostError or DiagnosticError if they must not be."""
        self.ledger.begin_attempts(self.holder, keys, self.clock.now())
        self.begun.update(keys)

    def _drain_events(self, under_way: int) -> tuple[list[_WorkerDone], DiagnosticError | None]:
        """Wait for events of the workers and journal their outcomes in one step.

        Returns the batches that ended, and why the outcomes could not be journalled: then nothing more is sent.
        """
        outcomes, ended = list[Outcome](), list[_WorkerDone]()
        timeout: float | None = None
        while len(ended) < min(under_way, self._journal_ahead):
            try:
                event = self.events.get(timeout=timeout)
            except queue.Empty:
                break
            timeout = flush_interval(shared=self.ledger.is_shared)
            if isinstance(event, _WorkerDone):
                ended.append(event)
            else:
                outcomes.extend(event)
        try:
            self._record(outcomes)
        except DiagnosticError as error:
            self.stop.set()
            return ended, error
        return ended, None

    def _record(self, outcomes: Sequence[Outcome]) -> None:
        if outcomes:
            self.outcomes.update(zip(map(_KEY, outcomes), outcomes, strict=True))
            self.progress.advanced(outcomes)
            journal_outcomes(self.ledger, self.holder, outcomes, self.clock.now())

    def _unblocked(self, level: Sequence[Operation]) -> Sequence[Operation]:
        """The operations whose dependencies are all done; those that depend on a failed operation end here, unsent."""
        if self.order.has_no_dependencies(level):
            return level
        found = list(zip(level, self.order.readiness(level, self.outcomes), strict=True))
        ready = [operation for operation, readiness in found if readiness is Readiness.READY]
        blocked = [operation for operation, readiness in found if readiness is Readiness.BLOCKED]
        if blocked:
            self._intend(blocked)
            why = ServiceErrorDetail("not sent: an operation that it depends on is not done")
            self._record([Outcome(operation.key, Status.FAILED, why) for operation in blocked])
        return ready

    def _verify(self) -> frozenset[str]:
        """Wait until the effects are visible, if wanted; then clear the duplicates that a service without merging
        opened.

        Finding duplicates takes a query in any case. Returns the keys that did not become visible.
        """
        if self._over() or not (self.options.verify or self.conditional or self.duplicates.repeated(self._is_done)):
            return frozenset()
        sent = (item for item in self.operations if not (item.only_if_duplicate or item.is_recorded))
        done = [item for item in sent if self._is_done(item.key)]
        unseen = self._watch(done) if self.options.verify else frozenset()
        duplicated = self._duplicated([item for item in done if item.key not in unseen])
        if duplicated:
            self._send(duplicated)
            if self.options.verify:
                unseen |= self._watch([item for item in duplicated if self._is_done(item.key)])
        return unseen

    def _watch(self, operations: Sequence[Operation]) -> frozenset[str]:
        """Verify operations, and journal the confirmed ones; returns the others."""
        unseen, shown, doubled = verify(operations, self.providers, self.clock, self.stop, self.progress)
        self.duplicates.take_in(doubled, shown)
        confirmed = [item.key for item in operations if item.key not in unseen]
        self.ledger.confirm(confirmed, self.clock.now(), shown)
        return unseen

    def _duplicated(self, pushed: Sequence[Operation]) -> list[Operation]:
        """The conditional clears that are due: their push is visible, and their target still fires beside it."""
        pushes = {item.key for item in pushed}
        clears = [item for item in self.conditional if item.depends_on in pushes and self._is_due(item)]
        return self.duplicates.query(pushed, clears, self.duplicates.repeated(self._is_done))

    def _is_due(self, operation: Operation) -> bool:
        return self._is_done(operation.depends_on or "") and not self._is_done(operation.key)

    def _close_unsent_intents(self) -> None:
        """Journal that intended operations were never sent, so that no intent stays open needlessly.

        Not if the lease is lost: the next run may have sent them meanwhile.
        """
        begun, ended, held = self.begun, self.outcomes, self.held
        intended = chain(self.part.intended if self.part else (), (item.key for each in self.intended for item in each))
        unsent = (key for key in intended if key not in ended and key not in begun and key not in held)
        left = [Outcome(key, Status.FAILED, _NOT_SENT) for key in unsent]
        with suppress(DiagnosticError):
            journal_outcomes(self.ledger, self.holder, left, self.clock.now())

    def _mark_unanswered(self) -> None:
        """Report as unknown what was begun and has no outcome; the ledger keeps it open, for the next run to settle."""
        why = ServiceErrorDetail("the run was stopped before its answer was known")
        for key in self.begun.difference(self.outcomes):
            self.outcomes[key] = Outcome(key, Status.UNKNOWN, why)

    def _end(self, status: ApplyStatus, cause: ServiceErrorDetail) -> None:
        self.status, self.cause = status, cause

    def _is_all_done(self) -> bool:
        """Whether every operation is done, or a conditional one that was not due."""
        if not {*map(_STATUS, self.outcomes.values())} <= {Status.DONE}:
            return False
        return all(item.key in self.outcomes or item.only_if_duplicate for item in self.operations)

    def _is_done(self, key: str) -> bool:
        outcome = self.outcomes.get(key)
        return outcome is not None and outcome.status is Status.DONE

    def _over(self) -> bool:
        return self.stop.is_set() or self.clock.monotonic() >= self.deadline

    def _status(self) -> ApplyStatus:
        if self.status is None and self.stop.is_set():
            self._notice_lost_lease()
        if self.status is not None:
            return self.status
        ended = ApplyStatus.DEADLINE if self.clock.monotonic() >= self.deadline else ApplyStatus.COMPLETE
        return ApplyStatus.INTERRUPTED if self.stop.is_set() else ended

    def _notice_lost_lease(self) -> None:
        try:
            self.ledger.begin_attempts(self.holder, (), self.clock.now())
        except LeaseLostError as error:
            self._end(ApplyStatus.LEASE_LOST, ServiceErrorDetail(str(error)))
        except DiagnosticError as error:
            self._end(ApplyStatus.LEDGER_FAILED, ServiceErrorDetail(error.diagnostics[0].summary))

    def _context(self, key: str) -> SendContext:
        told = (self.events.put, self.gate.begin, self.progress.report, self.duplicates.behaviours[key])
        return SendContext(self.clock, self.stop, self.deadline, self.options.draw, *told)
