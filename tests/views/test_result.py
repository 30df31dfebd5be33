"""How the result of an apply looks in each format."""

from __future__ import annotations

from reconciler.apply.result import Ending
from reconciler.views.json.document import encode
from reconciler.views.json.result import result_document
from reconciler.views.markdown.result import result_markdown
from reconciler.views.text.line import plain
from reconciler.views.text.result import result_lines
from tests.views import plans
from tests.views.golden_file import assert_golden

AGAIN = "reconciler apply ."


def test_a_run_that_did_everything_is_one_line() -> None:
    assert plain(result_lines(plans.result(done=True), AGAIN)) == (
        "Apply complete: 3 created, 1 updated, 1 replaced, 1 renewed, 1 cleared, 1 recorded.\n"
    )


def test_a_run_that_did_a_part_names_every_operation_that_is_not_done() -> None:
    assert_golden("result.txt", plain(result_lines(plans.result(), AGAIN)))


def test_the_same_as_json() -> None:
    assert_golden("result.json", encode(result_document(plans.result(), AGAIN)))


def test_the_same_as_markdown() -> None:
    assert_golden("result.md", result_markdown(plans.result(), AGAIN))


def test_a_run_that_was_not_let_in_says_why() -> None:
    shown = plain(result_lines(plans.result(Ending.DENIED, plans.REFUSED), AGAIN))
    assert "The run was stopped: 400 AOM.0400: metadata is invalid" in shown


def test_an_interrupted_run_says_that_nothing_is_lost_and_how_to_go_on() -> None:
    shown = plain(result_lines(plans.result(Ending.INTERRUPTED), AGAIN))
    assert "the ledger is written" in shown
    assert shown.endswith("To continue: reconciler apply .\n")


def test_a_long_list_of_what_is_not_done_fits_a_comment() -> None:
    shown = result_markdown(plans.result(), AGAIN, limit=600)
    assert len(shown) <= 600
    assert "operations not done: 1 failed, 1 unknown, 2 not started" in shown.replace("\\", "")
    assert "more operation" in shown
