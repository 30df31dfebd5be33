"""Phrases about a stack's status that the views share."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.app.status import AlarmState, AlarmStatus, RaisedBy, StackStatus
from reconciler.core.action import Action
from reconciler.views.phrases.plan import count

_FIRE = (AlarmState.FIRING, AlarmState.SUPPRESSED)

SHORT_ID = 8
"""How many characters of a run's id are shown."""


def status_summary(status: StackStatus) -> str:
    """``2 alarms fire (3 declared), 1 suppressed, 1 silence in force, 1 drifted.``"""
    firing = len({alarm.address for alarm in status.alarms if alarm.state in _FIRE})
    if not status.alarms:
        return "No alarm of this stack fires, and none should."
    parts = [f"{count(firing, 'alarm')} {'fires' if firing == 1 else 'fire'} ({status.declared:,} declared)"]
    suppressed = status.count(AlarmState.SUPPRESSED)
    if suppressed:
        parts.append(f"{suppressed:,} suppressed")
    silences = status.count(AlarmState.IN_FORCE)
    if silences:
        parts.append(f"{count(silences, 'silence')} in force")
    parts.append(f"{status.drift:,} drifted" if status.drift else "no drift")
    return f"{', '.join(parts)}."


def raised_by(found: RaisedBy | None) -> str:
    """Who pushed an alarm, in which run; empty if it is not active."""
    if found is None:
        return ""
    if found.run is None:
        return f"unknown, plan {found.plan_id[:SHORT_ID]}" if found.plan_id else "unknown"
    who = f"{found.origin.user} on {found.origin.host}" if found.origin is not None else "unknown"
    return f"{who}, run {found.run[:SHORT_ID]}"


def remarks(alarm: AlarmStatus) -> Iterator[str]:
    """Why an alarm is not notified, and what differs from the configuration."""
    if alarm.observed is not None:
        yield from alarm.observed.suppressed_by or ()
    if alarm.drift:
        yield f"drift: {alarm.reason}"
    elif alarm.action is not Action.NO_OP or alarm.reason != "as declared":
        yield alarm.reason
