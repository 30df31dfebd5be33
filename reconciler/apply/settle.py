"""Settling: give every open intent its outcome by asking the service, before anything new is planned (rule 7)."""

from collections.abc import Mapping, Sequence
from threading import Event
from typing import NamedTuple

from reconciler.apply.options import DEADLINE
from reconciler.apply.progress import Progress
from reconciler.apply.sender import read_back
from reconciler.apply.verify import verify
from reconciler.core.clock import Clock
from reconciler.core.operation import Outcome, ServiceErrorDetail, Status, Verb
from reconciler.core.retry import poll_intervals
from reconciler.ledger.protocol import Entry, Ledger
from reconciler.providers.protocol import Provider


class Settlement(NamedTuple):
    """What became of the open intents of earlier runs.

    ``arrived`` are done after all, ``lost`` never reached the service, ``open`` could not be asked about.
    """

    arrived: tuple[Entry, ...] = ()
    lost: tuple[Entry, ...] = ()
    open: tuple[Entry, ...] = ()


def resolve_open_intents(
    ledger: Ledger, providers: Mapping[str, Provider], clock: Clock, stop: Event, progress: Progress
) -> Settlement:
    """Settle every open intent, and wait for what earlier runs did to show, as long as each service may take.

    What is done and not shown yet could not be changed: nobody knows its id. Raises DeniedError.
    """
    entries = ledger.open_intents()
    arrived: list[Entry] = []
    lost: list[Entry] = []
    unasked: list[Entry] = []
    for key in sorted({entry.operation.provider for entry in entries}):
        mine = [entry for entry in entries if entry.operation.provider == key]
        provider = providers.get(key)
        shown = _shown(provider, mine, clock, stop, progress) if provider else None
        if shown is None:
            unasked.extend(mine)
            continue
        arrived.extend(entry for entry in mine if entry.operation.key in shown)
        lost.extend(entry for entry in mine if entry.operation.key not in shown)
    never = ServiceErrorDetail("never arrived: the service does not show it")
    outcomes = [Outcome(entry.operation.key, Status.DONE) for entry in arrived]
    outcomes += [Outcome(entry.operation.key, Status.FAILED, never) for entry in lost]
    with ledger.batch():
        ledger.record_outcomes(outcomes, clock.now())
        ledger.confirm([entry.operation.key for entry in arrived], clock.now())
    _await_recent(ledger, providers, clock, stop, progress)
    return Settlement(tuple(arrived), tuple(lost), tuple(unasked))


def _await_recent(
    ledger: Ledger, providers: Mapping[str, Provider], clock: Clock, stop: Event, progress: Progress
) -> None:
    """Wait until the last write at each address shows, or its window has passed; journal which do."""
    window = max((provider.limits.visible_within for provider in providers.values()), default=0)
    recent = ledger.view(clock.now(), window).recent
    last = {entry.operation.address: entry for entry in recent if entry.operation.provider in providers}
    if not last:
        return
    operations = [entry.operation for entry in last.values()]
    deadline = max(entry.ended_at or 0 for entry in last.values()) + window
    unseen = verify(operations, providers, clock, stop, progress, deadline=deadline)
    ledger.confirm([item.key for item in operations if item.key not in unseen], clock.now())


def _shown(
    provider: Provider, entries: Sequence[Entry], clock: Clock, stop: Event, progress: Progress
) -> frozenset[str] | None:
    """The keys whose effect shows once the service's window has passed; None where it can't be asked.

    Only a push is worth waiting for: a clear that does not show can be sent again without harm. The window counts from
    now, not from the intent: a run that waited for its rate limit or for a busy service sent long after it meant to. It
    sent nothing after its deadline.
    """
    operations = [entry.operation for entry in entries]
    window = provider.limits.visible_within
    pushes = {entry.operation.key: entry.intended_at for entry in entries if entry.operation.verb is Verb.PUSH}
    began = clock.now()
    for pause in poll_intervals():
        now = clock.now()
        shown = read_back(provider, operations)
        missing = [at for key, at in pushes.items() if shown is None or key not in shown]
        until = min(began, max(missing, default=0) + DEADLINE) + window
        if shown is not None and (not missing or now >= until):
            return shown
        if shown is None and now >= began + window:
            return None
        progress.verifying(len(missing))
        if clock.wait(pause, stop):
            return None
    return None
