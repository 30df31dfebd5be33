"""Plans as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.core.action import Action
from reconciler.core.desired import Desired
from reconciler.core.duration import format_instant
from reconciler.core.observed import Observed
from reconciler.core.target import Target
from reconciler.plan.plan import Change, Difference, Plan
from reconciler.views.json.diagnostic import diagnostic_member
from reconciler.views.json.document import FORMAT_VERSION, LazyArray

if TYPE_CHECKING:
    from reconciler.views.json.schema import (
        ChangeShape,
        Counts,
        DifferenceShape,
        Known,
        PlanMembers,
        PlanOutput,
        Seen,
        TargetShape,
    )


def plan_document(plan: Plan) -> PlanOutput:
    """The document of a plan."""
    return {
        "format_version": FORMAT_VERSION,
        **plan_members(plan),
        "diagnostics": [diagnostic_member(problem) for problem in plan.problems],
    }


def plan_members(plan: Plan) -> PlanMembers:
    """The members that a plan's own document and the document of its result share."""
    return {
        "stack": plan.stack,
        "targets": {key: target_member(target) for key, target in plan.targets.items()},
        "plan_id": plan.id,
        "planned_at": format_instant(plan.planned_at),
        "send_by": format_instant(plan.send_by) if plan.send_by is not None else None,
        "counts": _counts(plan),
        "changes": LazyArray(_change, plan.pending),
        "warnings": [diagnostic_member(warning) for warning in plan.warnings],
    }


def target_member(target: Target) -> TargetShape:
    """Where a provider points."""
    return {"type": target.type, "place": target.place, "project": target.project}


def _counts(plan: Plan) -> Counts:
    counts = plan.counts
    return {
        "create": counts.get(Action.CREATE, 0),
        "update": counts.get(Action.UPDATE, 0),
        "replace": counts.get(Action.REPLACE, 0),
        "renew": counts.get(Action.RENEW, 0),
        "move": counts.get(Action.MOVE, 0),
        "import": counts.get(Action.IMPORT, 0),
        "clear": counts.get(Action.CLEAR, 0),
        "forget": counts.get(Action.FORGET, 0),
        "record": counts.get(Action.RECORD, 0),
        "no-op": counts.get(Action.NO_OP, 0),
    }


def _change(change: Change) -> ChangeShape:
    return {
        "address": str(change.address),
        "type": change.address.type,
        "name": change.address.name,
        "key": change.address.key,
        "action": change.action,
        "reason": change.reason,
        "drift": change.drift,
        "pushes_first": change.pushes_first,
        "moved_from": str(change.moved_from) if change.moved_from is not None else None,
        "provider": change.provider,
        "occurrence": change.desired.occurrence if change.desired else None,
        "before": [_observed(found) for found in change.before],
        "after": _desired(change.desired) if change.desired and change.desired.firing else None,
        "differences": [_difference(item) for item in change.differences],
    }


def _observed(found: Observed) -> Seen:
    return {
        "id": found.id,
        "starts_at": format_instant(found.starts_at),
        "expires_at": format_instant(found.expires_at) if found.expires_at is not None else None,
        "identity": dict(found.identity),
        "attributes": dict(found.attributes),
    }


def _desired(desired: Desired) -> Known:
    return {"identity": dict(desired.identity), "attributes": dict(desired.attributes)}


def _difference(difference: Difference) -> DifferenceShape:
    return {
        "path": difference.path,
        "old": difference.old,
        "new": difference.new,
        "forces_replace": difference.forces_replace,
    }
