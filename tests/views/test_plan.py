"""How a plan looks in each format."""

from __future__ import annotations

import json

import pytest

from reconciler.core.action import Action
from reconciler.core.duration import HOUR
from reconciler.plan.plan import Change, Difference
from reconciler.views.attribute import value_text
from reconciler.views.json.document import encode
from reconciler.views.json.plan import plan_document
from reconciler.views.markdown.plan import plan_markdown
from reconciler.views.text.line import plain, width
from reconciler.views.text.plan import plan_lines
from tests.views import plans
from tests.views.golden_file import assert_golden


def text(*changes: Change) -> str:
    return plain(plan_lines(plans.plan(*changes)))


def test_a_rich_plan_as_text() -> None:
    assert_golden("plan.txt", plain(plan_lines(plans.RICH)))


def test_a_rich_plan_as_json() -> None:
    assert_golden("plan.json", encode(plan_document(plans.RICH._replace(problems=(plans.PROBLEM,)))))


def test_a_rich_plan_as_markdown() -> None:
    assert_golden("plan.md", plan_markdown(plans.RICH._replace(problems=(plans.PROBLEM,))))


def test_a_plan_without_changes_says_what_is_as_declared() -> None:
    assert plain(plan_lines(plans.STEADY)) == "No changes. 12 alarms and 1 event are as declared.\n"
    assert "**No changes. 12 alarms and 1 event are as declared.**" in plan_markdown(plans.STEADY)


def test_how_long_a_silence_lasts_is_shown_as_it_is_written() -> None:
    assert value_text("duration", 2 * HOUR) == "2h"


def test_an_empty_stack_is_told_from_one_that_is_as_declared() -> None:
    assert text() == "No changes. Nothing that the plan covers is declared or firing.\n"


def test_unchanged_objects_read_from_a_file_are_counted_though_their_kind_is_not_known() -> None:
    assert text(plans.unchanged(1)._replace(desired=None)) == "No changes. 1 object is as declared.\n"


def test_the_summary_counts_every_action_in_a_fixed_order() -> None:
    assert text(plans.GONE, plans.CREATED).endswith("\nPlan: 1 to create, 1 to clear.\n")


def test_the_legend_explains_the_signs_that_occur_and_no_others() -> None:
    shown = text(plans.GONE)
    assert "  - clear\n" in shown
    assert "  + create\n" not in shown


def test_what_forces_a_replace_is_said_beside_it() -> None:
    assert '~ event_severity      = "Major"              -> "Critical"  # forces replace\n' in text(plans.REPLACED)


def test_values_are_aligned_by_the_cells_they_take_not_by_their_characters() -> None:
    lines = [line for line in text(plans.CJK_DRIFT).splitlines() if " = " in line]
    assert len(lines) > 5
    assert len({width(line.split(" = ")[0]) for line in lines}) == 1


def test_an_absurdly_long_name_does_not_push_the_other_values_away() -> None:
    change = plans.UPDATED._replace(differences=(Difference("a", 1, 2), Difference("n" * 500, 1, 2)))
    assert "      ~ a = 1 -> 2\n" in text(change)


@pytest.mark.parametrize("change", [plans.GONE, plans.CREATED, plans.UPDATED], ids=lambda change: str(change.action))
def test_nothing_a_service_or_user_wrote_reaches_a_terminal_as_a_control_character(change: Change) -> None:
    hostile = change._replace(
        reason="\x1b[2J\x9b31m\u202e\r",
        differences=(Difference("annotations.\x07", "\x1b]0;x\x07\n\x1b[1m", "\u2066\n\x00"),),
    )
    for shown in (text(hostile), plan_markdown(plans.plan(hostile)), encode(plan_document(plans.plan(hostile)))):
        assert all(char == "\n" or char.isprintable() for char in shown)


def test_a_very_long_plan_as_markdown_fits_a_comment_and_keeps_the_counts() -> None:
    many = plans.plan(*[plans.CREATED] * 5_000)
    shown = plan_markdown(many)
    assert len(shown) <= 65_536
    assert "**5,000 to create**" in shown
    assert "more changes left out" in shown
    assert shown.count("<details>") == shown.count("</details>")


def test_no_text_of_a_plan_can_end_its_markdown_block() -> None:
    difference = Difference("annotations.message", "````\n</details>", "```")
    shown = plan_markdown(plans.plan(plans.UPDATED._replace(differences=(difference,))))
    assert "\n`````diff\n" in shown
    assert shown.count("\n`````\n") == 1


def test_every_json_document_of_a_plan_counts_every_action() -> None:
    document = json.loads(encode(plan_document(plans.RICH)))
    assert set(document["counts"]) == {action.value for action in Action}
    assert document["counts"]["no-op"] == 12
    assert len(document["changes"]) == sum(document["counts"].values()) - 12


def test_drift_is_called_out() -> None:
    assert "1 change is drift: the service has changed" in text(plans.CJK_DRIFT)
    assert "  [drift]\n" in text(plans.CJK_DRIFT)
    assert "drift" not in text(plans.CREATED)
