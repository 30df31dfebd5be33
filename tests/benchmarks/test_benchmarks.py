"""The benchmarks run; how fast is not a test's concern."""

from __future__ import annotations

from tests.benchmarks import loading


def test_loading_is_compared_with_reading_the_same_yaml() -> None:
    rows = loading.run(quick=True)
    assert {row.work for row in rows if row.target == 0.5}
    assert all(row.ours and row.theirs and row.ratio for row in rows)
