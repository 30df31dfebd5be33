"""The status of a stack as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.app.status import AlarmState, AlarmStatus, StackStatus
from reconciler.core.desired import severity_of
from reconciler.core.duration import format_instant
from reconciler.ledger.protocol import Holder
from reconciler.views.json.diagnostic import diagnostic_member
from reconciler.views.json.document import FORMAT_VERSION
from reconciler.views.json.ledger import origin_member
from reconciler.views.json.plan import target_member

if TYPE_CHECKING:
    from reconciler.views.json.schema_status import AlarmShape, StatusHolderShape, StatusOutput


def status_document(status: StackStatus) -> StatusOutput:
    """The document of a status."""
    return {
        "format_version": FORMAT_VERSION,
        "stack": status.stack,
        "at": format_instant(status.at),
        "targets": {key: target_member(target) for key, target in status.plan.targets.items()},
        "declared": status.declared,
        "firing": status.count(AlarmState.FIRING),
        "suppressed": status.count(AlarmState.SUPPRESSED),
        "silences": status.count(AlarmState.IN_FORCE),
        "not_firing": status.count(AlarmState.NOT_FIRING),
        "drift": status.drift,
        "alarms": [_alarm(alarm) for alarm in status.alarms],
        "holder": None if status.holder is None else _holder(status.holder),
        "warnings": [diagnostic_member(warning) for warning in status.plan.warnings],
    }


def _alarm(alarm: AlarmStatus) -> AlarmShape:
    found, raised = alarm.observed, alarm.raised_by
    return {
        "address": str(alarm.address),
        "type": alarm.address.type,
        "name": alarm.address.name,
        "key": alarm.address.key,
        "provider": alarm.provider,
        "state": alarm.state.value,
        "id": None if found is None else found.id,
        "severity": None if found is None else severity_of(found.identity),
        "starts_at": None if found is None else format_instant(found.starts_at),
        "expires_at": None if found is None or found.expires_at is None else format_instant(found.expires_at),
        "suppressed_by": None if found is None or found.suppressed_by is None else list(found.suppressed_by),
        "plan_id": None if raised is None else raised.plan_id,
        "run": None if raised is None else raised.run,
        "by": None if raised is None else origin_member(raised.origin),
        "drift": alarm.drift,
        "action": alarm.action,
        "reason": alarm.reason,
    }


def _holder(holder: Holder) -> StatusHolderShape:
    return {
        "by": {"user": holder.owner, "host": holder.host, "pipeline": holder.pipeline, "commit": holder.commit},
        "pid": holder.pid,
        "acquired_at": format_instant(holder.acquired_at),
        "expires_at": format_instant(holder.expires_at),
    }
