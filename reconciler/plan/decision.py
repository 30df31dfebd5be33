"""Changes: which action is due at one address, and why (rules 2, 3 and 5)."""

from collections.abc import Iterator, Mapping, Sequence
from sys import intern

from reconciler.core.action import Action
from reconciler.core.address import Address
from reconciler.core.desired import Desired, Kind
from reconciler.core.diagnostic import Diagnostic
from reconciler.core.duration import format_duration, format_instant, rough_duration
from reconciler.core.observed import Observed, State
from reconciler.ledger.protocol import Entry
from reconciler.plan.difference import differences, is_altered, is_edited, keep_ignored, shown_differences
from reconciler.plan.plan import Change, Difference
from reconciler.plan.state import KnownState, dedupe, is_forgotten

_NAMED = 3
"""How many attributes a reason names before it only gives their number."""
_ABSENT = {Kind.ALARM: "not firing", Kind.SILENCE: "not in place"}


def decide(desired: Desired, known: KnownState, now: int) -> Change:
    """The change due at a declared address."""
    if desired.kind is Kind.EVENT:
        return _event(desired, known, now)
    active = dedupe(desired.provider, known.active.get(desired.address, ()))
    desired = keep_ignored(desired, active)
    if desired.until is not None and desired.until <= now:
        return _over(desired, active, desired.until)
    pending = known.pending.get(desired.address)
    if pending is not None:
        return _pending(desired, active, pending, now)
    if not desired.firing:
        if not active:
            return _change(desired, Action.NO_OP, f"{_ABSENT[desired.kind]}, as declared")
        return _change(desired, Action.CLEAR, "declared cleared", before=active, clears=active)
    if not active:
        reason, drift = _why_absent(desired, known)
        return _change(desired, Action.CREATE, reason, begins_at=now, drift=drift)
    return _firing(desired, active, known, now)


def _over(desired: Desired, active: tuple[Observed, ...], until: int) -> Change:
    """The object has reached its declared end."""
    desired = desired._replace(firing=False)
    if not active:
        return _change(desired, Action.NO_OP, f"over since {format_instant(until)}, as declared")
    return _change(desired, Action.CLEAR, f"declared until {format_instant(until)}", before=active, clears=active)


def moved(desired: Desired, known: KnownState, sources: Sequence[Address], now: int) -> Change | None:
    """The change that moves an object from one of its earlier addresses; None if there is nothing to move.

    An alarm is pushed under the new address; only then, and unless that push refreshed it, the old one is cleared. If
    an alarm is active at the new address already, those at earlier addresses are cleared as undeclared.
    """
    if desired.kind is Kind.EVENT:
        return _moved_event(desired, known, sources, now)
    if desired.address in known.active or desired.address in known.pending:
        return None
    held = [source for source in sources if source in known.active]
    if not held:
        hidden = next((known.pending[source] for source in sources if source in known.pending), None)
        return None if hidden is None else _pending(desired, (), hidden, now)
    if len(held) > 1:
        return _contested(desired, held)
    source = held[0]
    active = dedupe(desired.provider, known.active[source])
    desired = keep_ignored(desired, active)
    if not desired.firing or (desired.until is not None and desired.until <= now):
        desired = desired._replace(firing=False)
        reason = f"moved from {source}, and declared cleared"
        return _change(desired, Action.CLEAR, reason, before=active, clears=active)._replace(moved_from=source)
    change = _firing(desired, active, known, now)
    if change.action is Action.REPLACE:
        return change._replace(reason=f"moved from {source}; {change.reason}", moved_from=source)
    kept = change.refreshes or _match(desired, active, known.ledger.shown)
    assert kept is not None  # noqa: S101 - narrows a type
    change = change._replace(
        action=Action.MOVE,
        reason=f"from {source}" if change.action is Action.NO_OP else f"from {source}; {change.reason}",
        refreshes=kept,
        before=(kept, *(found for found in active if found is not kept)),
        begins_at=change.begins_at or kept.starts_at,
        drift=False,
        moved_from=source,
    )
    return change._replace(differences=shown_differences(change))


def _moved_event(desired: Desired, known: KnownState, sources: Sequence[Address], now: int) -> Change | None:
    occurrence = desired.occurrence or ""
    if (desired.address, occurrence) in known.recorded:
        return None
    source = next((source for source in sources if (source, occurrence) in known.recorded), None)
    if source is None:
        return _event(desired, known, now, sources)
    reason = f"from {source}; it is on record, and nothing is sent"
    return _change(desired, Action.MOVE, reason, begins_at=now)._replace(moved_from=source)


def _contested(desired: Desired, sources: Sequence[Address]) -> Change:
    """Two alarms cannot both keep firing at one address: the user must decide which one to keep."""
    names = " and ".join(map(str, sources))
    problem = Diagnostic(
        f"{desired.address} would take over {len(sources)} alarms: {names}",
        desired.position,
        "keep one of these moves and remove the others: what no move takes over is cleared",
        address=str(desired.address),
    )
    return _change(desired, Action.NO_OP, "moved from several addresses")._replace(problem=problem)


def undeclared(address: Address, known: KnownState, reason: str) -> Change:
    """The clear of an active alarm of the stack at an undeclared address."""
    provider = known.active[address][0].provider
    active = dedupe(provider, known.active[address])
    return Change(address, Action.CLEAR, reason, provider, before=active, clears=active)


def undeclared_changes(
    address: Address, known: KnownState, reason: str, removed: Sequence[Address], destination: Address
) -> Iterator[Change]:
    """The changes for active alarms at an undeclared address: they are cleared, or forgotten, once.

    ``destination`` is the address that it was moved to, or itself. Forgotten alarms are left alone.
    """
    active = dedupe(known.active[address][0].provider, known.active[address])
    told = [found for found in active if not is_forgotten(found, known)]
    if not told:
        return
    if any(one.covers(address) or one.covers(destination) for one in removed):
        reason = "left firing, as `removed` says"
    elif any(found.marks.forget for found in told):
        reason = "left firing, as its lifecycle.on_remove says"
    else:
        yield undeclared(address, known, reason)
        return
    yield Change(address, Action.FORGET, reason, told[0].provider, before=active)


def _event(desired: Desired, known: KnownState, now: int, sources: Sequence[Address] = ()) -> Change:
    identity = (desired.address, desired.occurrence or "")
    if identity in known.recorded:
        return _change(desired, Action.NO_OP, "on record")
    reason = f"occurrence {desired.occurrence} is not on record"
    attempts = [known.ledger.attempted.get((address, identity[1])) for address in (desired.address, *sources)]
    begun = min((at for at in attempts if at is not None), default=now)
    return _change(desired, Action.RECORD, reason, begins_at=begun)


def _firing(desired: Desired, active: tuple[Observed, ...], known: KnownState, now: int) -> Change:
    """The change for an address with an active, declared alarm: whether its content, its number and its duration are
    right.
    """
    matching = _matching(desired, active)
    if not matching:
        return _differing(desired, active, now)
    match = _match(desired, active, known.ledger.shown)
    if match is None:
        edited = matching[0]
        change = _differing(desired, (edited, *(found for found in active if found is not edited)), now)
        return change._replace(reason=f"changed by hand: {change.reason}", drift=True)
    others = tuple(found for found in active if found is not match) if len(active) > 1 else ()
    shown_first = (match, *others)
    found = differences(desired, match) if is_altered(desired, match) else ()  # by the service itself
    expiry = _renewal(desired, match, now)
    if expiry is not None:
        return _change(
            desired,
            Action.RENEW,
            expiry,
            before=shown_first,
            clears=others,
            refreshes=match,
            begins_at=now,
            differences=found,
        )
    if match.missing_at:
        reason = f"{_ABSENT[desired.kind]} at {' and '.join(match.missing_at)}"
        return _change(
            desired,
            Action.UPDATE,
            reason,
            before=shown_first,
            clears=others,
            refreshes=match,
            begins_at=match.starts_at,
            differences=found,
            drift=True,
        )
    if others:
        reason = f"fires {len(active)} times: the newest that matches is kept, {len(others)} cleared"
        return _change(desired, Action.UPDATE, reason, before=shown_first, clears=others, differences=found, drift=True)
    remark = _remarked(desired, match, known)
    if remark is not None:
        change = _change(desired, Action.UPDATE, remark, before=shown_first, differences=found)
        return change._replace(refreshes=match, begins_at=match.starts_at)
    return _change(desired, Action.NO_OP, "as declared", before=active)


def _remarked(desired: Desired, match: Observed, known: KnownState) -> str | None:
    """Why an alarm that is as declared is pushed again only to update its marks."""
    if is_forgotten(match, known):
        return "it was forgotten, and is managed again"
    if match.marks.forget != (desired.lifecycle.on_remove == "forget"):
        return "lifecycle.on_remove differs"
    return None


def _matching(desired: Desired, active: Sequence[Observed]) -> list[Observed]:
    """The pushes that match the declaration, newest first."""
    here = (found for found in active if found.provider == desired.provider)
    return [found for found in here if found.marks.digest == desired.digest]


def _match(desired: Desired, active: Sequence[Observed], shown: Mapping[str, str]) -> Observed | None:
    """The newest object that matches the declaration and was not edited."""
    matching = _matching(desired, active)
    return next((found for found in matching if not is_edited(desired, found, shown.get(found.marks.key))), None)


def _differing(desired: Desired, active: tuple[Observed, ...], now: int) -> Change:
    here = [found for found in active if found.provider == desired.provider]
    same = next((found for found in here if found.identity == desired.identity), None)
    if same is None:
        found = differences(desired, (here or active)[0])  # like ``shown_differences``
        reason = _listing([difference.path for difference in found if difference.forces_replace])
        return _change(desired, Action.REPLACE, reason, before=active, clears=active, begins_at=now, differences=found)
    found = differences(desired, same)
    reason = _listing([difference.path for difference in found]) if found else "its marks differ"
    return _change(
        desired,
        Action.UPDATE,
        reason,
        before=(same, *(other for other in active if other is not same)),
        clears=tuple(other for other in active if other is not same),
        refreshes=same,
        begins_at=same.starts_at,
        differences=found,
    )


def _renewal(desired: Desired, match: Observed, now: int) -> str | None:
    margin = desired.lifecycle.renew_before
    if margin is None or match.expires_at is None or match.expires_at - now > margin:
        return None
    left = match.expires_at - now
    when = f"expires in {rough_duration(left)}" if left > 0 else "is due to expire"
    return f"{when}, within renew_before of {format_duration(margin)}"


def _why_absent(desired: Desired, known: KnownState) -> tuple[str, bool]:
    """The reason for an absent alarm in words, and whether it is drift (rule 3)."""
    absent = _ABSENT[desired.kind]
    ended = known.ended.get(desired.address)
    if ended is None:
        return intern(f"{absent} yet"), False  # shared by up to a million alarms
    when = format_instant(ended.ended_at or 0)
    if ended.id in known.ledger.cleared:
        return f"{absent}: this stack cleared it at {when}", False
    if ended.state is State.LOST:
        return f"lost by a restart of the service at {when}", True
    if ended.state is State.EXPIRED:
        return f"expired at {when}, {rough_duration((ended.ended_at or 0) - ended.starts_at)} after it started", True
    at = f"cleared at {when}" if ended.ended_at is not None else "cleared"
    return f"{at}, not by this stack's ledger", True


def _pending(desired: Desired, active: tuple[Observed, ...], push: Entry, now: int) -> Change:
    """A done push is not visible yet: if it matches the declaration, nothing is due; anything else has to wait."""
    ago = rough_duration(max(now - (push.ended_at or now), 0))
    sent = push.operation
    if desired.firing and (sent.digest, sent.provider) == (desired.digest, desired.provider):
        return _change(desired, Action.NO_OP, f"pushed {ago} ago, not visible yet", before=active)
    problem = Diagnostic(
        f"{sent.address} was pushed {ago} ago in another form, and the service does not show it yet",
        desired.position,
        "plan again in a moment: what is there must be seen before it can be changed",
        address=str(desired.address),
    )
    return _change(desired, Action.NO_OP, "not visible yet", before=active)._replace(problem=problem)


def _listing(names: list[str]) -> str:
    """``a differs``, ``a and b differ``, ``a, b and 3 more differ``."""
    if len(names) == 1:
        return f"{names[0]} differs"
    first, last = names[:_NAMED], names[_NAMED:]
    if last:
        return f"{', '.join(first)} and {len(last)} more differ"
    return f"{', '.join(first[:-1])} and {first[-1]} differ"


def _change(
    desired: Desired,
    action: Action,
    reason: str,
    *,
    before: tuple[Observed, ...] = (),
    clears: tuple[Observed, ...] = (),
    refreshes: Observed | None = None,
    begins_at: int | None = None,
    differences: tuple[Difference, ...] = (),
    drift: bool = False,
) -> Change:
    return Change(
        desired.address,
        action,
        reason,
        desired.provider,
        desired=desired,
        before=before,
        differences=differences,
        drift=drift,
        clears=clears,
        refreshes=refreshes,
        begins_at=begins_at,
    )
