"""Run ids: how a user names a run."""

from reconciler.ledger.protocol import matching_runs


def test_a_run_is_named_by_a_unique_prefix_of_its_id() -> None:
    assert matching_runs("ab", ["abc", "b"]) == ["abc"]
    assert matching_runs("ab", ["abd", "abc"]) == ["abd", "abc"]
    assert matching_runs("x", ["abc"]) == []


def test_a_whole_id_wins_over_longer_ids_that_begin_with_it() -> None:
    assert matching_runs("ab", ["abc", "ab"]) == ["ab"]
