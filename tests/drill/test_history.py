"""Latencies over several runs: each stage, run by run, and as a histogram."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reconciler.cli.command import ExitCode
from reconciler.drill.record import Record
from reconciler.drill.store import RunStore
from tests.cli.run_cli import reconciler
from tests.drill.browser import chromium
from tests.drill.harness import NOW
from tests.drill.records import record, sent

DAY = 86_400_000


def run(number: int, *delivered: int, **changes: object) -> Record:
    """A run on a day of its own, whose alarms were delivered after so many milliseconds."""
    alarms = tuple(
        sent(f"a{index}", delivered_at=NOW + 10_000 + took, delivered="oncall", resolved_at=NOW + 303_000)
        for index, took in enumerate(delivered)
    )
    return record(run=f"2027{number:04}", began_at=NOW + number * DAY, emissions=alarms, **changes)


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    """A stack whose drill was run for real three times, and rehearsed once."""
    store = RunStore(tmp_path / ".reconciler")
    for made in (run(1, 4_000, 6_000), run(2, 5_000, 7_000, 400_000), run(3, 9_000, 9_500), run(4, 1, rehearsal=True)):
        store.save(made)
    return tmp_path


def history(*arguments: str | Path) -> dict[str, object]:
    done = reconciler("drill", "report", "--history", "--format", "json", *arguments)
    assert done.code == ExitCode.DONE, done
    [found] = json.loads(done.out)["drills"]
    return dict(found)


def test_each_run_has_the_spread_of_each_stage_and_rehearsals_do_not_count(stack: Path) -> None:
    found = history("outage", stack)
    runs = found["runs"]
    assert isinstance(runs, list)
    assert [each["run"] for each in runs] == ["20270001", "20270002", "20270003"]
    assert [each["latencies"]["delivered_after"]["median"] for each in runs] == [5_000, 7_000, 9_250]
    assert runs[1]["latencies"]["delivered_after"] == {"count": 3, "least": 5_000, "median": 7_000, "most": 400_000}
    assert set(runs[0]["latencies"]) == {
        "visible_after",
        "notified_after",
        "delivered_after",
        "gone_after",
        "resolved_after",
    }


def test_the_histogram_counts_the_alarms_of_all_runs(stack: Path) -> None:
    found = history("outage", stack)
    histograms, moved = found["histograms"], found["moved"]
    assert isinstance(histograms, dict)
    counts = {each["up_to"]: each["count"] for each in histograms["delivered_after"] if each["count"]}
    assert counts == {5_000: 2, 10_000: 4, None: 1}
    assert moved == {
        "visible_after": 0,
        "notified_after": 0,
        "delivered_after": 2_250,
        "gone_after": 0,
        "resolved_after": 0,
    }


def test_only_the_last_runs_are_shown(stack: Path) -> None:
    runs = history("outage", stack, "--last", "2")["runs"]
    assert isinstance(runs, list)
    assert [each["run"] for each in runs] == ["20270002", "20270003"]


def test_a_reader_is_told_how_the_last_run_compares(stack: Path) -> None:
    text = reconciler("drill", "report", "outage", stack, "--history").out
    assert "delivered, from the push until a receiver got it, 2.2 s slower than before" in text
    assert "shown, from the push until a query shows the alarm, as before" in text
    assert "up to 10 s  ████████████████████████████████████████ 4" in text
    assert "above 5m  ██████████ 1" in text
    markdown = reconciler("drill", "report", "outage", stack, "--history", "--format", "markdown").out
    assert "| 2027-01-18 08:00:00 UTC | 2.0 s (to 2.0 s) | 5.0 s (to 5.0 s) | 9.2 s (to 9.5 s) |" in markdown
    assert "| above 5m | 0 | 0 | 1 | 0 | 0 |" in markdown


def test_the_page_draws_a_lane_for_each_run_and_a_histogram_for_each_stage(stack: Path, tmp_path: Path) -> None:
    file = tmp_path / "history.html"
    assert reconciler("drill", "report", "outage", stack, "--history", "--html", file).code == ExitCode.DONE
    with chromium(tmp_path / "browser") as page:
        for width, scheme in ((400, "dark"), (1400, "light")):
            page.open(file, width=width, scheme=scheme)
            assert page.complaints == []
            assert page.ask("document.documentElement.scrollWidth") <= width
            assert page.ask("document.querySelectorAll('section').length") == 5
            assert page.ask("document.querySelectorAll('.lane circle.bell').length") == 15
            assert page.ask("document.querySelectorAll('svg.histogram').length") == 5


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nothing"], "no run of drill nothing in"),
        (["outage", "--junit", "x.xml"], "--junit cannot be combined with --history"),
    ],
)
def test_what_cannot_be_shown_is_explained(stack: Path, arguments: list[str], said: str) -> None:
    done = reconciler("drill", "report", arguments[0], stack, "--history", *arguments[1:])
    assert (done.code, said in done.err) == (ExitCode.ERROR, True), done
