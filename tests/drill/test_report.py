"""Reports: readable anywhere, and never more than data."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

from reconciler.drill.record import DrillStatus, Record
from reconciler.drill.store import RunStore, current_state
from reconciler.ledger.protocol import Holder
from reconciler.views.html.drill import record_html
from reconciler.views.json.drill import record_document
from reconciler.views.junit.drill import record_junit
from reconciler.views.markdown.drill import record_markdown
from reconciler.views.phrases.drill import clear_again, headline, offset
from reconciler.views.text.drill import record_lines
from reconciler.views.text.line import plain
from tests.drill.browser import Page, chromium
from tests.drill.records import NASTY, nasty, record


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with chromium(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


def written(directory: Path, made: Record) -> Path:
    file = directory / "report.html"
    file.write_text(record_html(made), encoding="utf-8")
    return file


@pytest.mark.parametrize("made", [record(), nasty()], ids=["usual", "nasty"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1400])
def test_the_page_renders_at_every_width_with_one_bar_for_each_alarm(
    page: Page, tmp_path: Path, width: int, scheme: str, made: Record
) -> None:
    file = written(tmp_path, made)
    page.open(file, width=width, scheme=scheme)
    assert page.complaints == []
    assert page.requested == [file.as_uri()]
    assert page.ask("document.querySelectorAll('svg.timeline rect.bar').length") == len(made.alarms)
    assert page.ask("document.documentElement.scrollWidth") <= width
    widths = page.ask("[...document.querySelectorAll('rect.bar')].map(bar => bar.getBoundingClientRect().width)")
    assert all(found > 0.5 for found in widths)


def test_colours_follow_the_reader(page: Page, tmp_path: Path) -> None:
    file = written(tmp_path, record())
    found = []
    for scheme in ("light", "dark"):
        page.open(file, width=1400, scheme=scheme)
        found.append(
            page.ask("getComputedStyle(document.body).backgroundColor + getComputedStyle(document.body).color")
        )
    assert found[0] != found[1]


def test_what_a_service_said_is_text_in_the_page_and_nothing_else(page: Page, tmp_path: Path) -> None:
    page.open(written(tmp_path, nasty()), width=1400)
    assert page.ask("document.querySelectorAll('script, img, iframe, object, link[href^=http]').length") == 0
    assert "<script>alert('x')</script>" in page.ask("document.body.innerText")


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_the_page_has_no_script_and_nothing_from_elsewhere() -> None:
    tags = Tags()
    tags.feed(record_html(nasty()))
    assert not {"script", "img", "iframe", "object", "embed", "base"} & {tag for tag, _ in tags.found}
    for _, attributes in tags.found:
        assert not [name for name in attributes if name.startswith("on")]
        assert "href" not in attributes
        assert "src" not in attributes


def test_the_document_holds_the_record_with_its_latencies() -> None:
    made = record_document(record())
    assert json.loads(json.dumps(made))["standing"] == "good"
    cleared = "3 alarms raised, all cleared (1 not confirmed)"
    assert made["summary"] == f"The drill is complete: {cleared}, 1 event recorded, 1 check passed."
    steps, sent = made["steps"], made["sent"]
    assert isinstance(steps, list)
    assert isinstance(sent, list)
    assert [step["slip"] for step in steps] == [0, 5000]
    assert [(one["visible_after"], one["notified_after"]) for one in sent[:2]] == [(2000, 5000), (2000, None)]


@pytest.mark.parametrize("made", [record(), nasty()], ids=["usual", "nasty"])
def test_junit_is_xml_with_a_case_for_each_step_check_and_alarm(made: Record) -> None:
    suite = ElementTree.fromstring(record_junit(made, lambda text: text)).find("testsuite")
    assert suite is not None
    assert int(suite.get("tests", "")) == len(made.steps) + len(made.checks) + len(made.alarms)


def test_junit_says_where_a_drill_pointed() -> None:
    made = record(targets={"aom": "aom cn-north-4 0a1b"})
    [target] = ElementTree.fromstring(record_junit(made, lambda text: text)).findall("testsuite/properties/property")
    assert (target.get("name"), target.get("value")) == ("target.aom", "aom cn-north-4 0a1b")


def test_junit_fails_for_an_alarm_that_is_left() -> None:
    left = record().emissions[0].model_copy(update={"ended_at": None, "ended_by": None})
    made = record(emissions=(left,), leftovers=("aom_alarm.slow: it still shows",))
    suite = ElementTree.fromstring(record_junit(made, lambda text: text)).find("testsuite")
    assert suite is not None
    [failure] = [case.get("name") for case in suite.findall("testcase") if case.find("failure") is not None]
    assert failure == "aom_alarm.slow is cleared"
    assert "1 NOT CLEARED" in headline(made)


def test_markdown_and_text_hold_no_markup_of_a_service_and_nothing_a_terminal_obeys() -> None:
    shown = record_markdown(nasty())
    outside = re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", "", shown)  # what stands in code is shown as it is
    assert "<" not in outside
    for text in (shown, plain(record_lines(nasty()))):
        assert "\x1b" not in text
        assert "\u202e" not in text


def test_markdown_fits_a_comment_however_long_the_run() -> None:
    step = record().steps[0].model_copy(update={"outcome": NASTY * 20})
    made = record(steps=tuple(step.model_copy(update={"name": f"s{number}"}) for number in range(300)))
    assert len(record_markdown(made)) <= 65_536


@pytest.mark.parametrize(
    ("ending", "why", "said"),
    [
        (DrillStatus.INTERRUPTED, "interrupted", "The drill was interrupted: "),
        (DrillStatus.OVERTIME, "", "The drill was ended by its max_duration: "),
        (
            DrillStatus.REFUSED,
            "did not start: calm did not pass before it",
            "The drill did not start: calm did not pass ",
        ),
    ],
)
def test_the_headline_says_how_it_ended(ending: DrillStatus, why: str, said: str) -> None:
    assert headline(record(ending=ending, why=why)).startswith(said)


def test_the_stored_record_keeps_the_names_of_its_first_version(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    made = record(leftovers=("aom_alarm.slow: it is still active",), paused_for=5)
    store.save(made)
    document = json.loads(store.file(made.run).read_text())
    assert {"sent", "left", "held"} <= document.keys()
    assert document["sent"][0]["mark"] == made.emissions[0].marked_address
    assert document["checks"][0]["verdict"] == "passed"
    assert store.load(made.run) == made


def test_a_run_whose_process_holds_no_lease_has_died() -> None:
    unfinished = record(ending=DrillStatus.RUNNING, ended_at=None)
    holder = Holder(unfinished.who, unfinished.host, unfinished.pid, acquired_at=1, expires_at=2, fence=1)
    assert headline(current_state(unfinished, holder, "elsewhere")).startswith("The drill is running: ")
    died = current_state(unfinished, None, "elsewhere")
    assert headline(died).startswith("The drill's process died before its end: ")
    assert clear_again(died) == f"reconciler drill abort {died.drill}"


@pytest.mark.parametrize(
    ("given", "shown"), [(0, "+00:00"), (125_400, "+02:05"), (3_600_000, "+1:00:00"), (-3000, "-00:03"), (None, "–")]
)
def test_offsets_are_short(given: int | None, shown: str) -> None:
    assert offset(given) == shown
