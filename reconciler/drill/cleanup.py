"""Cleanup: clear every alarm of a drill, whatever state it was left in, and record what ended each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from threading import Event

from reconciler.apply.verify import DeniedError
from reconciler.core.address import Address
from reconciler.core.desired import severity_of
from reconciler.core.duration import MINUTE, format_instant
from reconciler.core.observed import Observed, State
from reconciler.core.operation import Status
from reconciler.core.retry import poll_intervals
from reconciler.drill.drill import TIMEOUT, drill_address, written_address
from reconciler.drill.record import Emission
from reconciler.drill.store import RunJournal
from reconciler.ledger.protocol import LeaseLostError
from reconciler.plan.plan import Change
from reconciler.providers.protocol import ServiceError
from reconciler.session.session import StackSession

CLEAR_DEADLINE = 5 * MINUTE
"""How long (ms) queries of an unreachable service are retried before the cleanup is given up."""


def clear_all(
    session: StackSession, journal: RunJournal, why: str, stop: Event, *, wait_for_late: bool = False
) -> None:
    """Clear every alarm with the drill's marks until a query shows none; the record lists what may be left.

    ``why`` becomes ``ended_by`` of each cleared alarm. Open intents are settled first, so that a push in flight is not
    missed. With ``wait_for_late`` the services are polled for ``visible_within``, for a run whose ledger is not
    available here. A failing service raises nothing: the leftovers name the problem.
    """
    clearing = _Cleanup(session, journal, why, stop)
    problem = clearing.work(wait_for_late)
    clearing.account()
    now = session.clock.now()
    leftovers = tuple(_described(sent, problem) for sent in journal.record.emissions if sent.active)
    if problem and not leftovers:
        leftovers = (f"could not query active alarms: {problem}",)
    journal.write(cleared_at=now, leftovers=leftovers)


_ENDED_BY = {State.EXPIRED: "the service, its timeout having passed", State.LOST: "a restart of the service"}


class _Cleanup:
    def __init__(self, session: StackSession, journal: RunJournal, why: str, stop: Event) -> None:
        self._session = session
        self._journal = journal
        self._why = why
        self._stop = stop

    def work(self, wait_for_late: bool) -> str:
        """Clear until no alarm is visible; return why the cleanup was given up, or an empty text."""
        clock = self._session.clock
        began = clock.now()
        pauses = poll_intervals()
        problem = ""
        while True:
            final = False
            try:
                problem, again = self._round()
                due = wait_for_late or self._unconfirmed()
                if not problem and not again and not (due and clock.now() < began + self._session.visible_within):
                    return ""
            except ServiceError as error:
                problem = str(error.detail)
            except DeniedError as error:
                problem, final = str(error.detail), True
            except LeaseLostError as error:
                problem, final = str(error), True
            if final or clock.now() >= began + CLEAR_DEADLINE:
                return problem or "they are still visible after they were cleared"
            if clock.pause(next(pauses), self._stop):
                return problem or "the cleanup was interrupted"

    def _round(self) -> tuple[str, bool]:
        """Settle, query, and clear the visible alarms; return the problem (or an empty text) and whether to repeat."""
        session = self._session
        settlement = session.resolve_open_intents(self._stop)
        active = session.active()
        self._import_leftovers(active)
        self._note_gone(active)
        plan = session.plan((), active)
        if not plan.pending:
            prefix = drill_address(self._journal.record.drill, Address("", "")).name
            still = any(entry.operation.address.name.startswith(prefix) for entry in settlement.open)
            return ("the outcome of an earlier push is not known" if still else ""), False
        sent_at = session.clock.now()
        result = session.apply(plan, self._stop, verify=True, deadline=CLEAR_DEADLINE)
        done = [change for change in plan.pending if result.status(change) is Status.DONE]
        gone = [change for change in done if not any(one.key in result.unconfirmed for one in change.operations)]
        self._ended(done, gone, sent_at)
        undone = [outcome for outcome in result.outcomes.values() if outcome.status is not Status.DONE]
        if result.cause is not None:
            raise DeniedError(result.cause)
        return (str(undone[0].error or undone[0].status) if undone else ""), True

    def _note_gone(self, active: Sequence[Observed]) -> None:
        """Set ``gone_at`` of cleared alarms that are no longer visible."""
        showing = {str(found.marks.address) for found in active}
        now = self._session.clock.now()

        def change(sent: Emission) -> Emission:
            gone = sent.awaits_its_end and sent.marked_address not in showing
            return sent.model_copy(update={"gone_at": now}) if gone else sent

        self._journal.update(change)

    def _unconfirmed(self) -> bool:
        return any(sent.awaits_its_end for sent in self._journal.record.emissions)

    def _import_leftovers(self, active: Sequence[Observed]) -> None:
        """Add alarms of the drill that the record does not know, such as those of a run on another machine."""
        known = {sent.marked_address for sent in self._journal.record.emissions if sent.active}
        drill = self._journal.record.drill
        unknown = [found for found in active if str(found.marks.address) not in known]
        if unknown:
            now = self._session.clock.now()
            self._journal.send(*(_leftover(found, drill, now) for found in unknown))

    def _ended(self, done: Sequence[Change], gone: Sequence[Change], at: int) -> None:
        cleared = {str(change.address): tuple(operation.key for operation in change.operations) for change in done}
        invisible = {str(change.address) for change in gone}
        now = self._session.clock.now()

        def change(sent: Emission) -> Emission:
            if sent.marked_address not in cleared or not sent.active:
                return sent
            return sent.model_copy(
                update={
                    "ended_at": at,
                    "ended_by": self._why,
                    "clear_keys": cleared[sent.marked_address],
                    "gone_at": now if sent.marked_address in invisible else None,
                }
            )

        self._journal.update(change)

    def account(self) -> None:
        """Record what ended each alarm that is not visible any more and that this run did not clear."""
        account_for(self._session, self._journal)


def account_for(session: StackSession, journal: RunJournal) -> None:
    """Find out what ended the alarms that are active in the record but not visible, and record it.

    The services' history is queried first, then the ledger and the alarm's timeout. A failed query leaves the record
    unchanged.
    """
    waiting = [sent for sent in journal.record.emissions if sent.active]
    if not waiting:
        return
    try:
        showing = {str(found.marks.address) for found in session.active()}
        missing = [sent for sent in waiting if sent.marked_address not in showing]
        ended = _last(session.ended([Address.parse(sent.marked_address) for sent in missing]))
    except (ServiceError, DeniedError):
        return
    keys = [key for sent in missing for key in sent.keys]
    statuses = session.ledger.statuses(keys)

    def change(sent: Emission) -> Emission:
        if sent not in missing:
            return sent
        found = ended.get(sent.marked_address)
        if found is not None and (found.ended_at or 0) >= sent.sent_at:
            by = _ENDED_BY.get(found.state, "somebody else")
            return sent.model_copy(update={"ended_at": found.ended_at, "gone_at": found.ended_at, "ended_by": by})
        if all(statuses.get(key) is not Status.DONE for key in sent.keys):
            return sent.model_copy(update={"unsent": True, "push_error": sent.push_error or "it never arrived"})
        now = session.clock.now()
        if sent.until is not None and sent.until <= now:
            by = "the service, its timeout having passed"
            return sent.model_copy(update={"ended_at": sent.until, "gone_at": now, "ended_by": by})
        if sent.seen_at is None:
            return sent  # it was accepted but was never visible: whether it has ended is unknown
        by = "an unknown cause: no query shows it, and the service's history does not have it"
        return sent.model_copy(update={"ended_at": now, "gone_at": now, "ended_by": by})

    journal.update(change)


def _last(ended: Iterable[Observed]) -> Mapping[str, Observed]:
    found: dict[str, Observed] = {}
    for one in ended:
        mark = str(one.marks.address)
        if mark not in found or (one.ended_at or 0) > (found[mark].ended_at or 0):
            found[mark] = one
    return found


def _leftover(found: Observed, drill: str, now: int) -> Emission:
    timeout = found.attributes.get(TIMEOUT)
    return Emission(
        address=str(written_address(drill, found.marks.address)),
        marked_address=str(found.marks.address),
        name=found.identity.get("event_name", found.marks.address.name),
        severity=severity_of(found.identity),
        is_event=False,
        step="",
        keys=(found.marks.key,),
        sent_at=found.starts_at,
        until=found.starts_at + timeout if isinstance(timeout, int) else None,
        id=found.id,
        seen_at=now,
    )


def _described(sent: Emission, problem: str) -> str:
    until = f"; the service ends it by {format_instant(sent.until)} at the latest" if sent.until is not None else ""
    why = problem or ("it is still visible" if sent.seen_at is not None else "it was pushed, and was never visible")
    return f"{sent.address} ({sent.marked_address}): {why}{until}"
