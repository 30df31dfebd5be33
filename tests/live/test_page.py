"""The page of a drill that runs, as a browser shows it."""

from __future__ import annotations

import itertools
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import pytest
import requests
import uvicorn

from reconciler.cli.command import ExitCode
from reconciler.drill.record import DrillStatus, Record, StepRecord, StepState
from reconciler.drill.spec import StepAction
from reconciler.live.app import create_app
from reconciler.live.live_run import LiveRun
from reconciler.live.server import LivePage, serving_page
from reconciler.serving import listen, running_in_thread
from tests.cli.run_cli import reconciler
from tests.drill.browser import Page, chromium
from tests.drill.harness import NOW
from tests.drill.records import nasty, record
from tests.servers.ports import free_port

LOOKS = list(itertools.product((400, 1400), ("light", "dark")))
HOSTS = 30
STACK = f"""\
stack: shop
providers:
  aom: {{endpoint: embedded, project_id: p, auth: {{token: t}}}}
  receiver: {{endpoint: listen}}
data:
  aom_alarms: {{drilled: {{metadata: {{drill: outage}}}}}}
checks:
  two_fire: {{data: aom_alarms.drilled, expect: {{count: 2}}}}
drills:
  outage:
    description: The shop is closed
    max_duration: 6h
    resources:
      aom_alarm:
        latency:
          for_each: {[f"ecs-{number}" for number in range(HOSTS)]}
          event_severity: Major
          resource_provider: ecs
          resource_type: vm
          resource_id: "${{each.value}}"
        payment: {{event_severity: Critical, resource_provider: apm, resource_type: service, resource_id: payment}}
    steps:
      - {{name: slow, at: 1s, raise: aom_alarm.latency}}
      - {{name: fails, at: 5s, raise: aom_alarm.payment}}
      - {{name: seen, at: 20s, check: two_fire}}
      - {{name: decided, at: 30s, pause: "Fail over?"}}
      - {{name: over, after: decided, wait: 20s, clear: aom_alarm.payment}}
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with chromium(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


class FixedClock:
    """A clock that stands still."""

    def now(self) -> int:
        return NOW + 70_000

    def monotonic(self) -> int:
        return 0

    def pause(self, milliseconds: int, stop: Event) -> bool:
        return stop.wait(milliseconds / 1000)


def running(**changes: object) -> Record:
    """A run that waits for the answer to a pause, its alarms active."""
    made = record(ending=DrillStatus.RUNNING, ended_at=None, cleared_at=None)
    alarms = tuple(
        sent.model_copy(update={"ended_at": None, "gone_at": None, "ended_by": None}) for sent in made.emissions
    )
    asked = made.steps[1].model_copy(update={"state": StepState.RUNNING, "ended_at": None, "outcome": ""})
    later = StepRecord(name="later", action=StepAction.CLEAR, about="aom_alarm.slow", planned=300_000)
    steps = (made.steps[0], asked, later)
    return made.model_copy(update={"emissions": alarms, "steps": steps, **changes})


@contextmanager
def rehearsal(directory: Path) -> Iterator[tuple[str, str, subprocess.Popen[str]]]:
    """A drill that is rehearsed at speed: the address to watch it at, the one to answer at, and its process."""
    (directory / "stack.yaml").write_text(STACK)
    command = ["drill", "run", "outage", str(directory), "--rehearse", "--speed", "20", "--live"]
    with subprocess.Popen(  # noqa: S603 - a command of ours
        [sys.executable, "-m", "reconciler", *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        watched, answered = (process.stderr.readline().split()[-1] for _ in range(2))
        try:
            while not requests.get(watched, timeout=30).ok:  # the run has no record yet
                time.sleep(0.05)
            yield watched, answered, process
        finally:
            process.terminate()
            process.communicate()


MAIN = """(() => {
  const copy = document.querySelector("main").cloneNode(true);
  for (const each of copy.querySelectorAll("*")) {
    const attributes = [...each.attributes].map(({name, value}) => [name, value]).sort();
    attributes.forEach(([name]) => each.removeAttribute(name));
    attributes.forEach(([name, value]) => name === "open" || each.setAttribute(name, value));
  }
  return copy.outerHTML;
})()"""


def main_of(page: Page) -> str:
    """The report's part of a page, without what the reader opened, in one writing and order of attributes."""
    return re.sub(r">\s+<", "><", str(page.ask(MAIN)))


def test_the_page_follows_a_rehearsed_drill_and_ends_as_its_report(browser: Page, tmp_path: Path) -> None:
    with rehearsal(tmp_path) as (watched, answered, process):
        browser.open(watched, width=400)
        browser.wait("document.querySelector('.ask') != null")
        assert browser.ask("document.querySelector('.readonly').checkVisibility()")
        assert not browser.ask("document.querySelector('button[data-do=yes]').checkVisibility()")
        assert not browser.ask("document.querySelector('.abort').checkVisibility()")
        requested = browser.requested
        assert browser.complaints == []
        browser.open(answered, width=1400)
        browser.wait("document.querySelectorAll('.lane .name.active').length == 2 + " + str(HOSTS))
        browser.wait("document.querySelectorAll('circle.arrival').length == 1 + " + str(HOSTS))
        assert browser.ask("location.hash") == "", "the token leaves the address bar"
        assert browser.ask("document.querySelector('.ask h2').textContent") == "Fail over?"
        assert "over after the pause" in browser.ask("document.querySelector('.upcoming').innerText")
        browser.ask("document.querySelector('details.group').open = true")
        for width, scheme in LOOKS:
            browser.emulate_display(width, scheme)
            assert browser.ask("document.documentElement.scrollWidth") <= width
            assert browser.ask("document.querySelectorAll('.group .lane rect.bar').length") == HOSTS
            bars = "[...document.querySelectorAll('rect.bar')].map(bar => bar.getBoundingClientRect().width)"
            assert all(found > 0.5 for found in browser.ask(bars))
        browser.ask("document.querySelector('button[data-do=yes]').click()")
        browser.wait("document.getElementById('link').textContent == 'over'")
        assert browser.complaints == []
        assert [*requested, *browser.requested] == [watched, f"{watched}events", f"{watched}answer"]
        assert browser.ask("document.querySelector('details.group').open"), "what the reader opened stays open"
        assert process.wait(30) == ExitCode.CHECK_FAILED
        shown = main_of(browser)
    report = tmp_path / "report.html"
    [recorded] = (tmp_path / ".reconciler" / "drills").glob("*.json")
    assert reconciler("drill", "report", recorded.stem, tmp_path, "--html", report).code == ExitCode.DONE
    alarms = json.loads(recorded.read_text())["sent"]
    assert all(sent["resolved_at"] for sent in alarms), "what the end of the drill cleared was delivered too"
    text = "document.querySelector('main').innerText"
    for width, scheme in LOOKS:
        browser.emulate_display(width, scheme)
        assert browser.ask("document.documentElement.scrollWidth") <= width
    browser.ask("document.querySelectorAll('details').forEach(each => each.open = false)")
    told = browser.ask(text)
    browser.open(report, width=1400, scheme="dark")
    assert main_of(browser) == shown
    assert browser.ask(text) == told


def test_what_a_service_said_is_text_in_the_live_page_and_nothing_else(browser: Page) -> None:
    harmful = nasty().model_copy(update={"ending": DrillStatus.RUNNING, "ended_at": None})
    waiting = harmful.steps[1].model_copy(update={"state": StepState.RUNNING})
    harmful = harmful.model_copy(update={"steps": (harmful.steps[0], waiting)})
    with serving_page(LivePage(), FixedClock(), lambda document: document) as (live_run, url):
        live_run.update(harmful)
        browser.open(url, width=400)
        browser.wait("document.getElementById('clock').textContent != 'before the beginning'")
        assert browser.ask("document.querySelectorAll('script').length") == 1
        assert browser.ask("document.querySelectorAll('img, iframe, object, link').length") == 0
        assert "<script>alert('x')</script>" in browser.ask("document.querySelector('.ask h2').innerText")
        assert browser.complaints == []


def test_a_page_that_lost_its_connection_shows_it_and_catches_up(browser: Page) -> None:
    port = free_port()

    @contextmanager
    def served(made: Record) -> Iterator[LiveRun]:
        """Unlike at a drill's end nobody is told when it is over: the connection is cut."""
        live_run = LiveRun(FixedClock(), lambda document: document)
        live_run.update(made)
        app = create_app(live_run, token="secret-token-0123456789", hosts=())  # noqa: S106 - made up
        config = uvicorn.Config(app, log_config=None, log_level="critical", timeout_graceful_shutdown=1)
        with listen("127.0.0.1", port) as listener, running_in_thread(config, listener, "page"):
            yield live_run

    with served(running()):
        browser.open(f"http://127.0.0.1:{port}/", width=400)
        browser.wait("document.getElementById('link').dataset.state == 'open'")
        browser.wait("document.getElementById('clock').textContent == '+01:10'")
    browser.wait("document.getElementById('link').textContent == 'reconnecting…'")
    with served(running(leftovers=("aom_alarm.slow: it still shows",))):
        browser.wait("document.querySelector('section.left') != null")
        assert browser.ask("document.getElementById('link').textContent") == "live"


def test_a_page_of_many_instances_opens_one_lane(browser: Page) -> None:
    made = running()
    many = tuple(
        made.emissions[0].model_copy(update={"address": f'aom_alarm.slow["ecs-{number}"]', "keys": (str(number),)})
        for number in range(300)
    )
    with serving_page(LivePage(), FixedClock(), lambda document: document) as (live_run, url):
        live_run.update(made.model_copy(update={"emissions": (*many, *made.emissions[1:])}))
        browser.open(url, width=400)
        browser.wait("document.querySelectorAll('.group .lane').length == 300")
        assert browser.ask("document.querySelectorAll('.timeline > .lane').length") == 4
        assert "300 alarms" in browser.ask("document.querySelector('.group > summary').innerText")
        assert not browser.ask("document.querySelector('.group .lane').checkVisibility()")
        browser.ask("document.querySelector('.group > summary').click()")
        assert browser.ask("document.querySelector('.group .lane').checkVisibility()")
        assert browser.ask("document.documentElement.scrollWidth") <= 400


def test_whoever_has_the_token_aborts_the_drill_with_two_clicks(browser: Page) -> None:
    page = LivePage()
    with serving_page(page, FixedClock(), lambda document: document) as (live_run, url):
        live_run.update(running())
        browser.open(f"{url}/#token={page.token}", width=400)
        browser.wait("document.getElementById('clock').textContent == '+01:10'")
        assert not browser.ask("document.querySelector('button[data-do=abort]').checkVisibility()")
        browser.ask("document.querySelector('.abort summary').click()")
        assert browser.ask("document.querySelector('button[data-do=abort]').checkVisibility()")
        assert not live_run.aborted()
        browser.ask("document.querySelector('button[data-do=abort]').click()")
        browser.wait("document.getElementById('said').textContent == 'Sent.'")
        assert live_run.aborted()


def test_secrets_do_not_reach_the_page(browser: Page) -> None:
    def masked(document: object) -> object:
        assert isinstance(document, dict)
        return {**document, "description": "***"}

    with serving_page(LivePage(), FixedClock(), masked) as (live_run, url):
        live_run.update(running(description="s3cret"))
        browser.open(url, width=400)
        assert "***" in browser.wait("document.querySelector('.about') && document.body.innerText")
        assert "s3cret" not in browser.ask("document.documentElement.outerHTML")
