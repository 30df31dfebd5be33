"""Reports: readable anywhere, and never more than data."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

from reconciler.drill.record import Death, DrillStatus, Record
from reconciler.drill.store import RunStore, current_state
from reconciler.ledger.protocol import Holder
from reconciler.views.html.drill import record_html
from reconciler.views.json.drill import record_document, records_document
from reconciler.views.junit.drill import record_junit
from reconciler.views.markdown.drill import record_markdown
from reconciler.views.phrases.drill import clear_again, headline, offset
from reconciler.views.text.drill import record_lines
from reconciler.views.text.line import plain
from tests.drill.browser import Page, chromium
from tests.drill.harness import NOW
from tests.drill.records import NASTY, nasty, record, sent


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
    assert page.ask("document.querySelectorAll('.timeline rect.bar').length") == len(made.alarms)
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
    assert [(one["gone_after"], one["resolved_after"]) for one in sent[:2]] == [(2000, None), (2000, None)]


def test_the_document_leaves_out_nothing_of_the_record() -> None:
    made = proved()
    [shown] = json.loads(json.dumps(records_document([made])))["runs"]
    kept = made.model_dump(mode="json", by_alias=True, exclude={"format_version", "steps", "emissions"})
    assert kept.items() <= shown.items()
    for key, parts in (("steps", made.steps), ("sent", made.emissions)):
        for one, part in zip(shown[key], parts, strict=True):
            assert part.model_dump(mode="json", by_alias=True).items() <= one.items()


def proved() -> Record:
    """A run whose first alarm was delivered to a receiver, and so was its end; its process died once."""
    made = record()
    arrivals = {"delivered_at": NOW + 16_000, "delivered": "oncall", "resolved_at": NOW + 307_000, "resolved": "oncall"}
    first = made.emissions[0].model_copy(update=arrivals)
    death = Death(last_at=NOW + 180_000, found_at=NOW + 230_000, who="bob", host="laptop")
    return made.model_copy(update={"emissions": (first, *made.emissions[1:]), "deaths": (death,)})


def test_every_report_shows_the_way_of_an_alarm_to_the_delivery_of_its_end(page: Page, tmp_path: Path) -> None:
    made = proved()
    stages = {"visible_after": 2000, "notified_after": 5000, "delivered_after": 6000}
    stages |= {"gone_after": 2000, "resolved_after": 7000}
    [sent, *_] = record_document(made)["sent"]  # type: ignore[misc]  # a list in a document
    assert stages.items() <= sent.items()
    first = "shown  notified  delivered  cleared  end delivered  ended by"
    lines = plain(record_lines(made)).splitlines()
    assert any(line.strip() == first for line in lines)
    assert any(line.split()[1:11:2] == ["2.0", "5.0", "6.0", "2.0", "7.0"] for line in lines)
    markdown = record_markdown(made)
    assert "| pushed | shown | notified | delivered | cleared | end delivered | ended by |" in markdown
    assert "| +00:10 | 2.0 s | 5.0 s | 6.0 s | 2.0 s | 7.0 s | step back +05:00 |" in markdown
    cases = ElementTree.fromstring(record_junit(made, lambda text: text)).iter("testcase")  # noqa: S314 - XML of ours
    [case] = [each for each in cases if each.get("name") == "aom_alarm.slow is cleared"]
    found = {each.get("name"): each.get("value") for each in case.iter("property")}
    assert found == {f"{name}_ms": str(value) for name, value in stages.items()}
    page.open(written(tmp_path, made), width=1400)
    places = page.ask("[...document.querySelectorAll('circle.arrival')].map(each => each.getBoundingClientRect().x)")
    bar = page.ask("(({left, right}) => [left, right])(document.querySelector('rect.bar').getBoundingClientRect())")
    assert bar[0] < places[0] < bar[1] < places[1], "the end is delivered after the bar of the alarm"
    row = page.ask("document.querySelector('table tbody tr').innerText")
    assert re.findall(r"\d\.\d s", row) == ["2.0 s", "5.0 s", "6.0 s", "2.0 s", "7.0 s"]


def test_every_report_shows_that_the_process_of_a_run_died(page: Page, tmp_path: Path) -> None:
    made = proved()
    told = "The process of the run died after +03:00; bob on laptop took it over at +03:50."
    assert told in plain(record_lines(made))
    assert "bob on laptop took it over at" in record_markdown(made)
    assert told in record_junit(made, lambda text: text)
    assert record_document(made)["deaths"] == [death.model_dump() for death in made.deaths]
    page.open(written(tmp_path, made), width=400)
    assert page.ask("document.querySelector('.death').innerText").endswith(told)
    assert page.ask("document.querySelector('rect.dead').getBoundingClientRect().width") > 10


def test_the_instances_of_a_for_each_are_one_lane_that_opens(page: Page, tmp_path: Path) -> None:
    many = tuple(sent("slow", address=f'aom_alarm.slow["ecs-{number}"]') for number in range(300))
    page.open(written(tmp_path, record(emissions=(*many, *record().emissions[1:]))), width=400)
    lanes = "document.querySelectorAll('.timeline > .lane').length"
    assert (page.ask(lanes), page.ask("document.querySelectorAll('.timeline .group .lane').length")) == (4, 300)
    assert not page.ask("document.querySelector('.group .lane').checkVisibility()")
    page.ask("document.querySelector('.group > summary').click()")
    assert page.ask("document.querySelector('.group .lane').checkVisibility()")
    assert page.ask("document.querySelectorAll('table').length") == 4
    assert page.ask("document.documentElement.scrollWidth") <= 400


def test_evidence_is_names_and_values_and_no_json(page: Page, tmp_path: Path) -> None:
    item = {"event_name": "slow", "starts_at": NOW, "ends_at": None, "metadata": {"drill": "outage", "empty": ""}}
    item |= {"annotations": {"reconciler_key": "8d1f"}, "told": [{"rule": "pager", "delivered": True}]}
    check = record().checks[0].model_copy(update={"status": "failed", "items": (item,) * 12})
    page.open(written(tmp_path, record(checks=(check,))), width=1400)
    shown = page.ask("document.querySelector('.evidence').innerText")
    first = shown.split("slow")[1]
    assert " ".join(first.split()) == (
        "starts_at 2027-01-15T08:00:00Z metadata.drill outage told rule pager delivered yes"
    )
    assert shown.endswith("and 2 more")
    assert "{" not in shown


@pytest.mark.parametrize("made", [record(), nasty()], ids=["usual", "nasty"])
def test_junit_is_xml_with_a_case_for_each_step_check_and_alarm(made: Record) -> None:
    suite = ElementTree.fromstring(record_junit(made, lambda text: text)).find("testsuite")  # noqa: S314 - XML of ours
    assert suite is not None
    assert int(suite.get("tests", "")) == len(made.steps) + len(made.checks) + len(made.alarms)


def test_junit_says_where_a_drill_pointed() -> None:
    made = record(targets={"aom": "aom cn-north-4 0a1b"})
    [target] = ElementTree.fromstring(record_junit(made, lambda text: text)).findall("testsuite/properties/property")  # noqa: S314 - XML of ours
    assert (target.get("name"), target.get("value")) == ("target.aom", "aom cn-north-4 0a1b")


def test_junit_fails_for_an_alarm_that_is_left() -> None:
    left = record().emissions[0].model_copy(update={"ended_at": None, "ended_by": None})
    made = record(emissions=(left,), leftovers=("aom_alarm.slow: it still shows",))
    suite = ElementTree.fromstring(record_junit(made, lambda text: text)).find("testsuite")  # noqa: S314 - XML of ours
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
            "did not start: calm did not pass",
            "The drill did not start: calm did not pass",
        ),
    ],
)
def test_the_headline_says_how_it_ended(ending: DrillStatus, why: str, said: str) -> None:
    assert headline(record(ending=ending, why=why)).startswith(said)


def test_the_stored_record_keeps_the_names_of_its_first_version(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    made = record(leftovers=("aom_alarm.slow: it is still active",), paused_for=5)
    store.save(made)
    document = json.loads(Path(store.where(made.run)).read_text())
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
    ("given", "shown"),
    [(0, "+00:00"), (125_400, "+02:05"), (3_600_000, "+1:00:00"), (-3000, "-00:03"), (-400, "+00:00"), (None, "–")],
)
def test_offsets_are_short(given: int | None, shown: str) -> None:
    assert offset(given) == shown
