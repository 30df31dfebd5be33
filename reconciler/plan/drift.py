"""Drift: the part of a plan that the service caused and not the configuration."""

from __future__ import annotations

from reconciler.core.action import Action
from reconciler.plan.plan import Plan


def drift_only(plan: Plan) -> Plan:
    """The same plan with the changes that are drift, and nothing to send: what ``--refresh-only`` shows."""
    changes = tuple(
        change._replace(operations=()) for change in plan.changes if change.drift or change.action is Action.NO_OP
    )
    return plan._replace(changes=changes)
