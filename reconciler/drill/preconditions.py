"""Preconditions: why a drill may not start or resume now, checked before anything is sent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from reconciler.core.diagnostic import Diagnostic, DiagnosticError
from reconciler.core.duration import as_datetime, format_instant, from_datetime
from reconciler.core.target import Target
from reconciler.drill.drill import Drill
from reconciler.drill.record import Record
from reconciler.drill.spec import WEEK, WindowSpec
from reconciler.drill.store import RunStore


def refusals(drill: Drill, projects: Mapping[str, str], now: int) -> tuple[Diagnostic, ...]:
    """What ``allowed`` forbids at an instant (epoch ms); ``projects`` maps providers' keys to project ids."""
    return (*_closed(drill, now), *_forbidden(drill, projects))


def require_same_targets(record: Record, targets: Mapping[str, Target], store: RunStore) -> None:
    """Raise DiagnosticError if a target of the run's providers has changed since it began (rule 14)."""
    hint = (
        "use the configuration and variables that the drill was started with; if that target no longer exists, delete "
        f"{store.where(record.run)}"
    )
    problems = []
    for key, begun in record.targets.items():
        found = targets.get(key)
        if found is None or str(found) != begun:
            now = "is not configured now" if found is None else f"now points at {found.label}"
            summary = (
                f"run {record.run} began at {Target.parse(begun).label}, but provider {key} {now}: nothing was done"
            )
            problems.append(Diagnostic(summary, hint=hint))
    if problems:
        raise DiagnosticError(*problems)


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


def is_open(windows: Sequence[WindowSpec], now: int) -> bool:
    """Whether an instant (epoch ms) lies in one of the windows."""
    return any(begins <= now < ends for window in windows for begins, ends in _spans(window, now))


def next_opening(windows: Sequence[WindowSpec], now: int) -> int | None:
    """The instant (epoch ms) at which the next window opens, within eight days."""
    return min((begins for window in windows for begins, _ in _spans(window, now) if begins > now), default=None)


def described(window: WindowSpec) -> str:
    """``mon, tue 09:00-17:00 Europe/Berlin``."""
    days = "every day" if set(window.days) == set(WEEK) else ", ".join(day for day in WEEK if day in window.days)
    return f"{days} {window.begins}-{window.ends} {window.time_zone}"


def _spans(window: WindowSpec, now: int) -> Iterable[tuple[int, int]]:
    """The spans (epoch ms) of a window from the day before an instant to eight days after it."""
    zone = ZoneInfo(window.time_zone)
    today = as_datetime(now).astimezone(zone).date()
    overnight = window.ends < window.begins
    for number in range(-1, 9):
        day = today + timedelta(days=number)
        if WEEK[day.weekday()] in window.days:
            yield _at(day, window.begins, zone), _at(day + timedelta(days=overnight), window.ends, zone)


def _at(day: date, text: str, zone: ZoneInfo) -> int:
    """Midnight at the end of a day is the beginning of the next: the day may have 23 or 25 hours."""
    hour, minute = int(text[:2]), int(text[3:])
    if hour == 24:
        day, hour = day + timedelta(days=1), 0
    return from_datetime(datetime.combine(day, time(hour, minute), zone))
