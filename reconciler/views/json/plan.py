"""Plans as JSON.

``{"format_version", "stack", "targets", "plan_id", "planned_at", "send_by", "counts", "changes", "warnings",
"diagnostics"}``.
``counts`` has a number for every action, ``no-op`` included; ``changes`` holds the others only. ``diagnostics`` forbid
applying it, ``warnings`` do not. Instants are RFC 3339.
A change is ``{"address", "type", "name", "key", "action", "reason", "drift", "pushes_first", "provider", "occurrence",
"before", "after", "differences"}``: ``before`` lists the alarms found at the address, ``after`` is what is declared
(null where nothing is), each with ``identity`` and ``attributes`` as the service names them, times in milliseconds; a
difference is ``{"path", "old", "new", "forces_replace"}``.
"""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.core.action import Action
from reconciler.core.desired import Desired
from reconciler.core.duration import format_instant
from reconciler.core.observed import Observed
from reconciler.plan.plan import Change, Plan
from reconciler.views.json.diagnostic import diagnostic_member
from reconciler.views.json.document import document


def plan_document(plan: Plan) -> dict[str, object]:
    """The document of a plan."""
    return document(**plan_members(plan), diagnostics=[diagnostic_member(problem) for problem in plan.problems])


def plan_members(plan: Plan) -> Mapping[str, object]:
    """What a plan says, for its own document and that of its result."""
    return {
        "stack": plan.stack,
        "targets": {key: target._asdict() for key, target in plan.targets.items()},
        "plan_id": plan.id,
        "planned_at": format_instant(plan.planned_at),
        "send_by": format_instant(plan.send_by) if plan.send_by is not None else None,
        "counts": {action.value: plan.counts.get(action, 0) for action in Action},
        "changes": [_change(change) for change in plan.pending],
        "warnings": [diagnostic_member(warning) for warning in plan.warnings],
    }


def _change(change: Change) -> Mapping[str, object]:
    return {
        "address": str(change.address),
        **change.address._asdict(),
        "action": change.action.value,
        "reason": change.reason,
        "drift": change.drift,
        "pushes_first": change.pushes_first,
        "provider": change.provider,
        "occurrence": change.desired.occurrence if change.desired else None,
        "before": [_observed(found) for found in change.before],
        "after": _desired(change.desired) if change.desired and change.desired.firing else None,
        "differences": [item._asdict() for item in change.differences],
    }


def _observed(found: Observed) -> Mapping[str, object]:
    return {
        "id": found.id,
        "starts_at": format_instant(found.starts_at),
        "expires_at": format_instant(found.expires_at) if found.expires_at is not None else None,
        "identity": dict(found.identity),
        "attributes": dict(found.attributes),
    }


def _desired(desired: Desired) -> Mapping[str, object]:
    return {"identity": dict(desired.identity), "attributes": dict(desired.attributes)}
