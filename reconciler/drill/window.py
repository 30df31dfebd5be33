"""Windows: the hours of the week in which a drill may start."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from reconciler.drill.spec import WEEK, WindowSpec


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
    today = datetime.fromtimestamp(now / 1000, UTC).astimezone(zone).date()
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
    return round(datetime.combine(day, time(hour, minute), zone).timestamp() * 1000)
