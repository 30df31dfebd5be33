"""How the result of an apply looks in each format."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.apply.result import ApplyStatus, Result
from reconciler.core.operation import Outcome, Status
from reconciler.plan.plan import Change
from reconciler.views.json.document import encode
from reconciler.views.json.result import result_document
from reconciler.views.markdown.result import result_markdown
from reconciler.views.phrases.result import summary_line
from reconciler.views.text.line import plain
from reconciler.views.text.result import result_lines
from tests.views import plans
from tests.views.golden_file import assert_golden

AGAIN = "reconciler apply ."


def ended(change: Change, outcomes: Mapping[str, Outcome], command: str = "apply") -> Result:
    return Result(plans.plan(change), "1a2b", plans.NOW, plans.NOW, ApplyStatus.COMPLETE, outcomes, command=command)


def test_a_run_that_did_everything_is_one_line() -> None:
    assert plain(result_lines(plans.result(done=True), AGAIN)) == (
        "Apply complete: 3 created, 1 updated, 1 replaced, 1 renewed, 1 cleared, 1 recorded.\n"
    )


def test_a_run_that_did_a_part_names_every_operation_that_is_not_done() -> None:
    assert_golden("result.txt", plain(result_lines(plans.result(), AGAIN)))


def test_a_run_of_which_nothing_reached_a_service_says_so() -> None:
    outcomes = {"push-1": Outcome("push-1", Status.FAILED, plans.REFUSED)}
    assert summary_line(ended(plans.CREATED, outcomes)) == "Nothing applied: 1 failed."
    assert summary_line(ended(plans.CREATED, {})) == "Nothing applied: 1 not started."


def test_an_alarm_that_was_cleared_and_not_pushed_again_is_not_nothing() -> None:
    cleared = {"clear-4": Outcome("clear-4", Status.DONE)}
    assert summary_line(ended(plans.REPLACED, cleared)) == "Applied in part: 0 of 1 done, 1 half done."
    refused = {**cleared, "push-4": Outcome("push-4", Status.FAILED, plans.REFUSED)}
    assert summary_line(ended(plans.REPLACED, refused)) == "Applied in part: 0 of 1 done, 1 failed."


def test_a_run_that_was_interrupted_when_all_was_done_says_both() -> None:
    assert plain(result_lines(plans.result(ApplyStatus.INTERRUPTED, done=True), AGAIN)).splitlines() == [
        "Interrupted after everything was sent: what was done is in the ledger.",
        "Apply complete: 3 created, 1 updated, 1 replaced, 1 renewed, 1 cleared, 1 recorded.",
    ]


def test_a_destroy_is_not_called_an_apply() -> None:
    done = {key: Outcome(key, Status.DONE) for key in ("clear-7", "clear-8")}
    complete = ended(plans.GONE, done, command="destroy")
    assert plain(result_lines(complete, AGAIN)) == "Destroy complete: 1 cleared.\n"
    assert result_markdown(complete, AGAIN).startswith(
        "### Destroy of `checkout-gameday`\n\n**Destroy complete: 1 cleared.**"
    )
    assert summary_line(ended(plans.GONE, {}, command="destroy")) == "Nothing destroyed: 1 not started."
    begun = {"clear-7": done["clear-7"]}
    assert summary_line(ended(plans.GONE, begun, command="destroy")) == "Destroyed in part: 0 of 1 done, 1 half done."


def test_the_same_as_json() -> None:
    assert_golden("result.json", encode(result_document(plans.result(), AGAIN)))


def test_the_same_as_markdown() -> None:
    assert_golden("result.md", result_markdown(plans.result(), AGAIN))


def test_a_run_that_was_not_let_in_says_why() -> None:
    shown = plain(result_lines(plans.result(ApplyStatus.DENIED, plans.REFUSED), AGAIN))
    assert "The run was stopped: 400 AOM.0400: metadata is invalid" in shown


def test_an_interrupted_run_says_that_nothing_is_lost_and_how_to_go_on() -> None:
    shown = plain(result_lines(plans.result(ApplyStatus.INTERRUPTED), AGAIN))
    assert "the ledger is up to date" in shown
    assert shown.endswith("To continue: reconciler apply .\n")


def test_a_long_list_of_what_is_not_done_fits_a_comment() -> None:
    shown = result_markdown(plans.result(), AGAIN, limit=600)
    assert len(shown) <= 600
    assert (
        "4 of 8 done (1 created, 1 updated, 1 renewed, 1 recorded), 1 failed, 1 unknown, 1 half done, 1 not started"
        in (shown.replace("\\", ""))
    )
    assert "more operation" in shown
