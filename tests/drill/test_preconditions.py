"""Windows: when a drill may start."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from reconciler.drill.preconditions import described, is_open, next_opening
from reconciler.drill.spec import WindowSpec

WORK = {"days": ["mon", "tue", "wed", "thu", "fri"], "from": "09:00", "to": "17:00", "time_zone": "Europe/Berlin"}


def window(**fields: Any) -> WindowSpec:
    return WindowSpec.model_validate(fields)


def at(text: str, zone: str = "Europe/Berlin") -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2027-01-15T08:59:59", False),
        ("2027-01-15T09:00:00", True),
        ("2027-01-15T16:59:59", True),
        ("2027-01-15T17:00:00", False),
        ("2027-01-16T12:00:00", False),  # a Saturday
    ],
)
def test_a_window_is_open_on_its_days_from_its_first_instant_to_before_its_last(moment: str, expected: bool) -> None:
    assert is_open([window(**WORK)], at(moment)) is expected


def test_its_hours_are_those_of_its_time_zone() -> None:
    moment = at("2027-01-15T09:30:00")
    assert is_open([window(**WORK)], moment)
    assert not is_open([window(**{**WORK, "time_zone": "America/New_York"})], moment)


def test_a_window_over_midnight_belongs_to_the_day_it_begins_on() -> None:
    night = window(**{"days": ["fri"], "from": "22:00", "to": "06:00", "time_zone": "Europe/Berlin"})
    assert is_open([night], at("2027-01-15T23:00:00"))
    assert is_open([night], at("2027-01-16T05:59:00"))
    assert not is_open([night], at("2027-01-15T05:59:00"))


@pytest.mark.parametrize("day", ["2027-03-28", "2027-10-31"])  # 23 and 25 hours
def test_it_holds_to_the_wall_clock_when_the_clocks_change(day: str) -> None:
    sunday = window(**{"days": ["sun"], "from": "01:00", "to": "24:00", "time_zone": "Europe/Berlin"})
    assert is_open([sunday], at(f"{day}T23:59:00"))
    assert not is_open([sunday], at(f"{day}T00:59:00"))


def test_the_next_opening_is_told() -> None:
    assert next_opening([window(**WORK)], at("2027-01-15T17:00:00")) == at("2027-01-18T09:00:00")


def test_it_is_told_in_words() -> None:
    assert described(window(**WORK)) == "mon, tue, wed, thu, fri 09:00-17:00 Europe/Berlin"
    assert described(window()) == "every day 00:00-24:00 UTC"


@pytest.mark.parametrize("fields", [{"time_zone": "Mars/Olympus"}, {"from": "9:00"}, {"from": "10:00", "to": "10:00"}])
def test_a_window_that_means_nothing_is_refused(fields: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        window(**fields)
