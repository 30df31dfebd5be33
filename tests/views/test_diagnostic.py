"""How diagnostics look in each format."""

from __future__ import annotations

from reconciler.core.diagnostic import Diagnostic, Position, Severity
from reconciler.views.github import workflow_commands
from reconciler.views.json.diagnostic import diagnostics_document
from reconciler.views.json.document import encode
from reconciler.views.markdown.diagnostic import diagnostic_items
from reconciler.views.text.diagnostic import diagnostic_lines
from reconciler.views.text.line import plain, width
from tests.views import plans
from tests.views.golden_file import assert_golden

UNKNOWN_KEY = Diagnostic(
    "unknown field `event_severty`",
    Position("alarms/磁盘.yaml", 128, 7),
    'did you mean "event_severity"?',
    source="      event_severty: Major",
)
CJK = Diagnostic("`Fatal` is no severity", Position("a.yaml", 3, 12), source="磁盘已满: {级别: Fatal}")
WARNED = Diagnostic("the file is empty", Position("b.yaml", 1, 1), severity=Severity.WARNING)
SEVERAL_LINES = Diagnostic("the service said no\ncode: AOM.0400", hint="do this\nthen that")
ALL = (UNKNOWN_KEY, CJK, WARNED, SEVERAL_LINES, plans.PROBLEM)


def test_diagnostics_as_text() -> None:
    assert_golden("diagnostics.txt", plain(diagnostic_lines(ALL)))


def test_diagnostics_as_json() -> None:
    assert_golden("diagnostics.json", encode(diagnostics_document(ALL)))


def test_diagnostics_as_markdown() -> None:
    assert_golden("diagnostics.md", "\n".join(diagnostic_items(ALL)) + "\n")


def test_the_caret_stands_under_its_column_though_characters_before_it_are_wide() -> None:
    source, caret = plain(diagnostic_lines([CJK])).splitlines()[3:5]
    assert width(caret[: caret.index("^")]) == width(source[: source.index("Fatal")])


def test_the_caret_stands_under_its_column_though_a_tab_comes_before_it() -> None:
    tabbed = Diagnostic("x", Position("a.yaml", 1, 2), source="\tkey: 1")
    source, caret = plain(diagnostic_lines([tabbed])).splitlines()[3:5]
    assert caret.index("^") == source.index("key")


def test_a_very_long_source_line_is_cut_around_its_column() -> None:
    far = Diagnostic("x", Position("a.yaml", 1, 50_001), source="a" * 50_000 + "!" + "b" * 50_000)
    source, caret = plain(diagnostic_lines([far])).splitlines()[3:5]
    assert len(source) < 120
    assert source[caret.index("^")] == "!"


def test_a_position_behind_the_end_of_its_line_does_no_harm() -> None:
    behind = Diagnostic("x", Position("a.yaml", 1, 40), source="short")
    assert "short" in plain(diagnostic_lines([behind]))


def test_diagnostics_as_annotations_of_a_job() -> None:
    assert_golden("annotations.txt", "".join(f"{text}\n" for text in workflow_commands(ALL)))


def test_no_text_can_end_an_annotation_or_begin_another() -> None:
    hostile = Diagnostic("a\n::error::b\r\n%0A::c", Position("x,line=9:y\n.yaml", 1, 1))
    (text,) = workflow_commands([hostile])
    assert "\n" not in text
    assert text.startswith("::error file=x%2Cline=9%3Ay%0A.yaml,line=1,col=1,")
    assert "%250A" in text


def test_one_diagnostic_is_not_counted() -> None:
    assert "1 error" not in plain(diagnostic_lines([UNKNOWN_KEY]))


def test_markup_in_a_message_is_not_interpreted() -> None:
    hostile = Diagnostic("<img src=x> [a](http://evil) *b* `c` @everyone", hint="_d_")
    (item,) = diagnostic_items([hostile])
    assert "<img" not in item
    assert "[a](" not in item
    assert "@everyone" not in item


def test_nothing_in_a_message_becomes_a_link_or_the_number_of_an_issue() -> None:
    (item,) = diagnostic_items([Diagnostic("see http://evil.example, www.evil.example, mailto:a@b.c and #12")])
    for link in ("http://", "www.", "mailto:", "#12"):
        assert link not in item


def test_problems_of_one_kind_are_shown_once_and_counted() -> None:
    problems = [Diagnostic(f"siren.a{n} has moved", address=f"siren.a{n}", hint="plan again") for n in range(300)]
    text = plain(diagnostic_lines([*problems, UNKNOWN_KEY], full=False))
    assert "error: siren.a0 has moved" in text
    assert "and 299 more problems of this kind: siren.a1, siren.a2, siren.a3, siren.a4, siren.a5, …" in text
    assert "event_severty" in text
    assert text.endswith("301 errors.\n")
    assert len(text.splitlines()) < 20
    assert plain(diagnostic_lines(problems)).count("has moved") == 300


def test_instances_with_the_same_problem_are_counted() -> None:
    wrong = Diagnostic("host must be text, not a number (0)", address='siren.one["0"]', repeated=1_999)
    assert ' = at: siren.one["0"] and 1,999 more\n' in plain(diagnostic_lines([wrong]))
