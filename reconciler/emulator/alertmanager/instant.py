"""Instants: RFC 3339 times as Alertmanager reads and writes them, in nanoseconds and with the offset that was sent."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

MS = 1_000_000
SECOND = 1_000 * MS
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIME = re.compile(
    r"(\d{4}-\d{2}-\d{2})(?:"
    r"T(\d{2}:\d{2}:\d{2})(?:\.(\d+))?(Z|[+-]\d{2}:\d{2})?"
    r"| (\d{2}:\d{2}:\d{2})(?:\.(\d+))?"
    r"|T(\d{2}:\d{2})(Z?)"
    r")",
    re.ASCII,
)


class Instant(NamedTuple):
    """Nanoseconds since the epoch, and the minutes east of UTC in which they are written."""

    ns: int
    offset: int = 0

    def in_milliseconds(self) -> str:
        """The instant as API responses write it: three fractional digits, truncated."""
        return f"{self._seconds()}.{self.ns % SECOND // MS:03d}{self._zone()}"

    def in_nanoseconds(self) -> str:
        """The instant as webhooks write it: up to nine fractional digits, without trailing zeros."""
        fraction = f".{self.ns % SECOND:09d}".rstrip("0").rstrip(".")
        return f"{self._seconds()}{fraction}{self._zone()}"

    def _seconds(self) -> str:
        local = _EPOCH + timedelta(seconds=self.ns // SECOND, minutes=self.offset)
        return local.replace(tzinfo=None).isoformat()

    def _zone(self) -> str:
        if self.offset == 0:
            return "Z"
        hours, minutes = divmod(abs(self.offset), 60)
        return f"{'-' if self.offset < 0 else '+'}{hours:02d}:{minutes:02d}"


ABSENT = Instant(-62_135_596_800 * SECOND)
"""0001-01-01T00:00:00Z, Go's zero time, which means "not set"."""


def parse_instant(text: str) -> Instant:
    """Parse a time. Without a zone it is UTC; an empty text is the epoch. Raises ValueError for any other text."""
    if not text:
        return Instant(0)
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError(f'parsing time "{text}"')
    date, time, fraction, zone, spaced, spaced_fraction, minutes, _ = match.groups()
    clock = time or spaced or f"{minutes}:00"
    fraction = fraction or spaced_fraction or ""
    offset = _offset(zone, text)
    try:
        local = datetime.fromisoformat(f"{date}T{clock}+00:00")
    except ValueError:
        raise ValueError(f'parsing time "{text}"') from None
    elapsed = local - _EPOCH
    seconds = elapsed.days * 86_400 + elapsed.seconds - offset * 60
    return Instant(seconds * SECOND + int(fraction[:9].ljust(9, "0")), offset)


def _offset(zone: str | None, text: str) -> int:
    if zone is None or zone == "Z":
        return 0
    hours, minutes = int(zone[1:3]), int(zone[4:6])
    if hours > 24 or minutes > 59:
        raise ValueError(f'parsing time "{text}"')
    return (hours * 60 + minutes) * (-1 if zone[0] == "-" else 1)
