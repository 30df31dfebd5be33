"""The journal's benchmark runs; how fast is not a test's concern."""

from __future__ import annotations

from tests.benchmarks import journal


def test_the_journal_is_measured_against_the_rate_aimed_at() -> None:
    rows = journal.run(quick=True)
    assert all(row.ours and row.theirs and row.ratio for row in rows)
    assert rows[0].work.startswith("journal 2,000 operations in batches of 100, each call durable")
