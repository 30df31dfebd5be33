"""Guards applied: whether a plan goes past what its configuration allows without ``--force`` (rule 12)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from reconciler.core.desired import severity_of
from reconciler.core.diagnostic import Diagnostic
from reconciler.core.guards import Guards
from reconciler.core.operation import Verb
from reconciler.plan.plan import Change, Plan


def violations(plan: Plan, guards: Guards, projects: Mapping[str, str]) -> tuple[Diagnostic, ...]:
    """One diagnostic for each guard the plan goes past, with the numbers.

    ``projects`` maps the keys of providers to their project ids.
    """
    return tuple(_violations(plan, guards, projects))


def _violations(plan: Plan, guards: Guards, projects: Mapping[str, str]) -> Iterator[Diagnostic]:
    changes = len(plan.pending)
    if guards.max_changes is not None and changes > guards.max_changes:
        yield _refused(f"the plan makes {changes} changes, and guards.max_changes allows {guards.max_changes}")
    clears = sum(operation.verb is Verb.CLEAR and not operation.only_if_duplicate for operation in plan.operations)
    if guards.max_clears is not None and clears > guards.max_clears:
        yield _refused(f"the plan clears {clears} alarms, and guards.max_clears allows {guards.max_clears}")
    for change in plan.pending:
        severity = _severity(change)
        if guards.severities is not None and severity is not None and severity not in guards.severities:
            allowed = ", ".join(guards.severities) or "none"
            yield _refused(f"{change.address} has severity {severity}, and guards.severities allows {allowed}", change)
        for provider in dict.fromkeys([change.provider, *(operation.provider for operation in change.operations)]):
            project = projects.get(provider)
            if guards.projects is not None and project is not None and project not in guards.projects:
                allowed = ", ".join(guards.projects) or "none"
                yield _refused(
                    f"{change.address} is in project {project}, and guards.projects allows {allowed}", change
                )


def _severity(change: Change) -> str | None:
    """The severity the change would push; None where it pushes nothing, or nothing that has one."""
    if change.desired is None or not any(operation.verb is Verb.PUSH for operation in change.operations):
        return None
    return severity_of(change.desired.identity)


def _refused(summary: str, change: Change | None = None) -> Diagnostic:
    desired = change.desired if change else None
    return Diagnostic(
        summary,
        desired.position if desired else None,
        "if this is meant, say so with --force",
        address=str(change.address) if change else None,
    )
