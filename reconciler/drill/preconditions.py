"""Refusals: why a drill may not start, found before anything is sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from reconciler.core.diagnostic import Diagnostic
from reconciler.core.duration import format_instant
from reconciler.drill.drill import Drill
from reconciler.drill.window import described, is_open, next_opening


def refusals(drill: Drill, projects: Mapping[str, str], now: int) -> tuple[Diagnostic, ...]:
    """What ``allowed`` forbids at an instant (epoch ms); ``projects`` maps providers' keys to project ids."""
    return (*_closed(drill, now), *_forbidden(drill, projects))


def _closed(drill: Drill, now: int) -> Iterator[Diagnostic]:
    windows = drill.spec.allowed.windows
    if windows is None or is_open(windows, now):
        return
    opening = next_opening(windows, now)
    hint = f"the next window opens at {format_instant(opening)}; " if opening is not None else ""
    yield Diagnostic(
        f"drill {drill.name} may run {' or '.join(map(described, windows))}, and it is {format_instant(now)}",
        drill.position,
        f"{hint}`--rehearse` runs it on the emulator at any time",
    )


def _forbidden(drill: Drill, projects: Mapping[str, str]) -> Iterator[Diagnostic]:
    allowed = drill.spec.allowed
    for resource in drill.resources:
        desired = resource.desired
        if (
            allowed.severities is not None
            and resource.severity is not None
            and resource.severity not in allowed.severities
        ):
            names = ", ".join(allowed.severities) or "none"
            yield Diagnostic(
                f"{resource.address} has severity {resource.severity}, and drill {drill.name} allows {names}",
                desired.position,
                "lower it, or add it to allowed.severities of the drill",
                address=str(resource.address),
            )
        project = projects.get(desired.provider)
        if allowed.projects is not None and project not in allowed.projects:
            names = ", ".join(allowed.projects) or "none"
            yield Diagnostic(
                f"{resource.address} is in project {project or '(none)'}, and drill {drill.name} allows {names}",
                desired.position,
                "choose another provider, or add it to allowed.projects of the drill",
                address=str(resource.address),
            )
