"""The benchmarks run, and say what they found; how fast is not a test's concern."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.benchmarks import (
    alerting,
    alternatives,
    applying,
    commands,
    emulating,
    loading,
    planning,
    receiving,
    recovering,
)
from tests.benchmarks.curves import curves
from tests.benchmarks.report import missed, page, section, table
from tests.benchmarks.row import Point, alone, compared, incomparable


def test_loading_is_compared_with_reading_the_same_yaml() -> None:
    rows = loading.run(quick=True)
    assert {row.work for row in rows if row.target == 0.5}
    assert all(row.ours and row.theirs and row.ratio for row in rows)


def test_planning_many_alarms_is_compared_with_planning_a_tenth_of_them() -> None:
    rows = planning.run(quick=True)
    assert [row.target for row in rows if row.ratio] == [1.15, 1.15, 1.2, 1.2, 1.15, 1.15]


def test_applying_is_compared_with_the_vendors_sdk_and_with_a_run_without_journal() -> None:
    rows = applying.run(quick=True)
    assert [(row.target, row.at_least) for row in rows] == [(2.0, True), (0.7, True), (8.0, True)]
    assert all(row.ours and row.theirs and row.ratio for row in rows)


@pytest.mark.slow
def test_applying_alerts_is_compared_with_a_bare_loop_of_posts_and_with_amtool() -> None:
    rows = alerting.run(quick=True)
    assert [(row.target, row.at_least) for row in rows] == [(0.7, True), (None, False), (None, False), (None, False)]
    assert all(row.ours for row in rows)
    assert [row.note for row in rows if row.work.startswith("requests")] == ["1 GET alerts, 1 GET silences"]


def test_an_apply_after_a_kill_or_with_a_refused_alarm_is_compared_with_an_undisturbed_one() -> None:
    rows = recovering.run(quick=True)
    assert [row.target for row in rows] == [1.5, 3.0]
    assert all(row.ratio for row in rows)


def test_the_emulators_rates_come_with_the_five_functions_that_cost_most() -> None:
    rows = emulating.run(quick=True)
    assert all(row.ours and row.note.count(";") == 4 for row in rows)
    assert ["push" in row.work for row in rows] == [True, False]


def test_a_receivers_rate_is_measured_at_its_most_and_steadily() -> None:
    rows = receiving.run(quick=True)
    assert all(row.ours and row.unit == "/s" and " 0 refused" in row.note for row in rows)


def test_an_alternative_that_cannot_be_installed_is_named_and_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(package: str, program: str) -> Path:
        raise alternatives.MissingError(f"{package} cannot be installed: no network")

    monkeypatch.setattr(commands, "command", refuse)
    rows = commands.run(quick=True)
    assert [row.note for row in rows if row.against] == ["skipped: octodns cannot be installed: no network"] * 5 + [
        "skipped: chaostoolkit cannot be installed: no network"
    ]
    assert all(row.ours for row in rows if row.against != "chaos --version")
    asked = [row.ours for row in rows if row.work.startswith("requests")]
    assert asked == [1, 1, 2], "one page each, and of a few alarms another of what is unmanaged beside them"


def test_a_ratio_is_the_median_of_the_rounds_own_ratios() -> None:
    row = compared("w", "a", [1, 20, 3], [1, 2, 2], 1.5)
    assert (row.ours, row.theirs, row.ratio, row.spread, row.met) == (3, 2, 1.5, (1, 10), True)
    assert compared("w", "a", [1], [2], 2.0, at_least=True).met is False


def test_the_page_tells_targets_met_from_targets_missed() -> None:
    rows = [compared("fast | neat", "b", [1], [2], 0.5), compared("slow", "b", [3], [2], 0.5), alone("rate", [1500])]
    rows.append(incomparable("other", "b", "no network"))
    text = page({"one": section(rows, "Measured on 2 cores")})
    assert "| fast \\| neat | b | 1 s | 2 s | 0.5 | 0.5 to 0.5 | ≤ 0.5 met |  |" in text
    assert "≤ 0.5 missed" in text and "1,500 s" in text and "skipped: no network" in text
    assert missed({"one": rows}) == [rows[1]]
    assert table("one", rows).row_count == 4


def test_a_group_that_is_measured_again_replaces_its_section_alone() -> None:
    words = "<!-- by hand -->\nThe machine was quiet.\n<!-- measured -->"
    first = page({"two": section([alone("rate", [1])], "Measured on 2 cores")}, words)
    text = page({"one": section([alone("size", [2])], "Measured on 4 cores")}, first)
    assert text == page({"one": section([alone("size", [2])], "Measured on 4 cores")}, text)
    assert text.index("quiet.") < text.index("## one\n\nMeasured on 4 cores.") < text.index("## two\n\nMeasured on 2")
    assert page({"two": section([alone("rate", [3])], "Measured on 2 cores")}, text).count("## two") == 1


def test_rows_with_points_are_drawn_as_curves_for_light_and_dark_pages() -> None:
    rows = [
        alone("plan", [value], unit="µs")._replace(point=Point("time for each", curve, count))
        for curve, value in (("plan", 71.0), ("destroy", 12.5))
        for count in (1_000, 1_000_000)
    ]
    picture = curves(rows)
    assert ElementTree.fromstring(picture).tag.endswith("svg")  # noqa: S314 - text of ours
    assert picture.count("<circle") == 4 and "prefers-color-scheme: dark" in picture and ">1,000,000<" in picture
    assert "![time for each: plan, destroy, by number of alarms](curves.svg)" in section(rows, "Measured", "curves.svg")
