"""Applying a shard: a worker's part of a run, read from the shard's own journal in the ledger.

The configuration's resources are not needed: everything to send was journalled, byte for byte, when the shard was cut.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing
from threading import Event
from types import MappingProxyType
from typing import NamedTuple

from reconciler.app.ledger import owner
from reconciler.app.unit import MAX_CHANGES, ShardReport, ShardTask, Undone
from reconciler.apply.executor import apply_plan
from reconciler.apply.lease import leased
from reconciler.apply.options import NullProgress, Options, Part
from reconciler.apply.result import Result
from reconciler.apply.settle import resolve_open_intents
from reconciler.core.action import Action
from reconciler.core.address import Address
from reconciler.core.diagnostic import Diagnostic, DiagnosticError
from reconciler.core.gc_tuning import gc_disabled
from reconciler.core.operation import Operation, Outcome, ServiceErrorDetail, Status, Verb
from reconciler.core.target import Target
from reconciler.ledger.codec import Row, decode_intent
from reconciler.ledger.kinds import shards_at
from reconciler.ledger.location import Location
from reconciler.ledger.protocol import Holder
from reconciler.ledger.shared import SharedLedger
from reconciler.ledger.store import JournalStore, Shard, Shards
from reconciler.plan.plan import Change, Plan
from reconciler.session.workspace import Workspace

Listening = Callable[[Event], AbstractContextManager[None]]

_HELD = ServiceErrorDetail("an earlier worker had begun it, and the service could not be queried")


def open_shards(location: Location) -> Shards:
    """The shards of a stack. Raises DiagnosticError if its ledger does not support them."""
    found = shards_at(location)
    if found is None:
        summary = f"a stack cannot be applied in shards with the ledger {location}: several workers cannot write it"
        raise DiagnosticError(
            Diagnostic(summary, hint="keep its ledger in PostgreSQL, or take it out of `large` in the fleet file")
        )
    return found


def apply_shard(workspace: Workspace, task: ShardTask, options: Options, listening: Listening) -> ShardReport:
    """Settle what an earlier worker had begun, then send the rest of a shard.

    Raises DiagnosticError if the run is over, LeaseLostError if its lease is lost, LeaseHeldError while another worker
    has the shard.
    """
    _check_targets(workspace, task)
    ledger = SharedLedger(_open(workspace.ledger_location, task), keeps=False)
    stop = Event()
    with (
        closing(ledger),
        leased(ledger, owner(), workspace.clock, stop, workspace.lease_wait) as holder,
        listening(stop),
    ):
        work = _work(workspace, ledger, holder, task, stop)
        plan = Plan(task.plan_id, task.stack, 0, "", tuple(map(_change, work.operations)), {})
        result = apply_plan(
            plan,
            workspace.providers,
            ledger,
            holder,
            clock=workspace.clock,
            stop=stop,
            options=options,
            targets=workspace.target_texts,
            part=Part(task.run, work.intended, work.done | frozenset(task.done), work.unanswered, _needed(task)),
        )
    cause = None if result.cause is None else str(result.cause)
    return ShardReport(result.ending, tuple(_undone(result, work)), tuple(sorted(result.possible_duplicates)), cause)


class _Work(NamedTuple):
    """What a shard has left: ``intended`` and ``done`` are keys, ``unanswered`` is those that could not be queried.

    ``unseen`` are the keys of those that an earlier worker had begun and the service does not show (yet).
    """

    operations: Sequence[Operation]
    intended: frozenset[str] = frozenset()
    done: frozenset[str] = frozenset()
    unanswered: Mapping[str, Outcome] = MappingProxyType({})
    unseen: frozenset[str] = frozenset()


def _open(location: Location, task: ShardTask) -> JournalStore:
    with closing(open_shards(location)) as shards:
        store = shards.open(Shard(task.name, task.stack, task.fence))
    if store is None:
        summary = f"the run {task.run} of the stack {task.stack} is over: its shard {task.number} was absorbed"
        raise DiagnosticError(Diagnostic(summary, hint="the next apply of the stack continues with what is left"))
    return store


def _work(workspace: Workspace, ledger: SharedLedger, holder: Holder, task: ShardTask, stop: Event) -> _Work:
    rows = ledger.journal()
    if all(row.step in ("run", "intend") for row in rows):
        with gc_disabled():
            operations = [item for row in rows if row.step == "intend" for item in _decoded(row)]
        return _Work(operations, frozenset(item.key for item in operations))
    pushes = [entry.operation for entry in ledger.open_intents() if entry.operation.verb is Verb.PUSH]
    settlement = resolve_open_intents(
        *(ledger, holder, workspace.providers, workspace.clock, stop, NullProgress()),
        targets=workspace.target_texts,
        wanted={push.address: push.digest for push in pushes},  # they are sent again
    )
    unanswered = [entry.operation.key for entry in (*settlement.open, *settlement.waiting)]
    entries = ledger.entries(task.run)
    return _Work(
        [entry.operation for entry in entries if entry.status is not Status.DONE],
        done=frozenset(entry.operation.key for entry in entries if entry.status is Status.DONE),
        unanswered={key: Outcome(key, Status.UNKNOWN, _HELD) for key in unanswered},
        unseen=frozenset(entry.operation.key for entry in settlement.lost if entry.begun_at is not None),
    )


def _decoded(row: Row) -> Sequence[Operation]:
    return decode_intent(row.body, row.payloads)


def _change(operation: Operation) -> Change:
    action = Action.CREATE if operation.verb is Verb.PUSH else Action.CLEAR
    return Change(operation.address, action, "", operation.provider, (operation,))


def _needed(task: ShardTask) -> Mapping[Address, Sequence[Address]]:
    return {Address.parse(name): tuple(map(Address.parse, needed)) for name, needed in task.needed.items()}


def _undone(result: Result, work: _Work) -> Iterator[Undone]:
    """The operations that are not done, the first of them with the reason.

    One that an earlier worker had begun may have been stored by the service, even if it failed now.
    """
    named = 0
    for operation in work.operations:
        outcome = result.outcomes.get(operation.key)
        status = None if outcome is None else outcome.status
        if status is Status.DONE:
            continue
        named += status is not None
        told = None if outcome is None or outcome.error is None or named > MAX_CHANGES else outcome.error.message
        yield Undone(operation.key, Status.UNKNOWN if operation.key in work.unseen else status, told)


def _check_targets(workspace: Workspace, task: ShardTask) -> None:
    """Raise DiagnosticError if a provider has another target on this machine than when the plan was made (rule 14)."""
    here = workspace.target_texts
    for key, there in task.targets.items():
        if here.get(key) != there:
            raise DiagnosticError(
                Diagnostic(
                    f"the run is for provider {key} at {Target.parse(there).label}, but points elsewhere here",
                    hint="give every worker the same configuration, variables and environment",
                )
            )
