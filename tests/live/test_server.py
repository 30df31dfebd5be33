"""The server of a drill's page: who may read, who may answer, and that no visitor holds a drill up."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from reconciler.config.stack import Inputs
from reconciler.drill.context import OperatorHooks
from reconciler.drill.record import DrillStatus, Record, StepState
from reconciler.drill.run import start
from reconciler.emulator.settings import Settings
from reconciler.live.live_run import LiveRun
from reconciler.live.server import LivePage, serving_page
from reconciler.session.workspace import open_workspace
from reconciler.views.html.drill import record_html
from tests.cli.run_cli import reconciler
from tests.drill.harness import Harness, Killed, killed_after, start_harness
from tests.drill.records import record
from tests.emulator.handle import Emulator
from tests.live.test_page import FixedClock, running

Served = tuple[LiveRun, str]
PAGE = LivePage(hostnames=frozenset({"drill.example.com"}))
TOKEN = {"Authorization": f"Bearer {PAGE.token}"}


@pytest.fixture
def served() -> Iterator[Served]:
    """The page of a run that waits for the answer to a pause."""
    with serving_page(PAGE, FixedClock(), lambda document: document) as (live_run, url):
        live_run.update(running())
        yield live_run, url


def get(url: str, **headers: str) -> requests.Response:
    return requests.get(url, headers=headers, timeout=30)


def post(url: str, body: object, **headers: str) -> requests.Response:
    return requests.post(url, json=body, headers=headers, timeout=30)


def test_a_page_is_read_without_a_token_and_permits_nothing_from_elsewhere(served: Served) -> None:
    answer = get(f"{served[1]}/")
    assert answer.status_code == 200
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert "http" not in policy
    assert PAGE.token not in answer.text


@pytest.mark.parametrize("path", ["/answer", "/abort"])
@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {PAGE.token}"}])
def test_without_the_token_nothing_is_answered_or_aborted(served: Served, path: str, headers: dict[str, str]) -> None:
    live_run, url = served
    assert post(f"{url}{path}", {"step": "asked", "answer": "yes"}, **headers).status_code == 401
    assert (live_run.answered("asked"), live_run.aborted()) == (None, False)


@pytest.mark.parametrize("path", ["/", "/events", "/answer", "/abort"])
def test_a_name_that_is_not_ours_is_refused(served: Served, path: str) -> None:
    assert get(f"{served[1]}{path}", Host="evil.example.com").status_code == 421
    assert get(f"{served[1]}{path}", Host="drill.example.com", Origin="https://evil.example.com").status_code in (
        (200,) if path == "/" else (403,)
    )


def test_another_web_site_can_link_to_the_page_and_no_more(served: Served) -> None:
    live_run, url = served
    assert get(f"{url}/", **{"Sec-Fetch-Site": "cross-site"}).status_code == 200
    assert get(f"{url}/events", **{"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert post(f"{url}/abort", {}, Origin="https://evil.example.com", **TOKEN).status_code == 403
    assert not live_run.aborted()


def test_a_pause_is_answered_once_and_only_while_it_waits(served: Served) -> None:
    live_run, url = served
    assert post(f"{url}/answer", {"step": "later", "answer": "yes"}, **TOKEN).status_code == 409
    assert post(f"{url}/answer", {"step": "asked", "answer": "perhaps"}, **TOKEN).status_code == 400
    assert post(f"{url}/answer", {"step": "asked"}, **TOKEN).status_code == 400
    assert post(f"{url}/answer", {"step": "a" * 5000, "answer": "no"}, **TOKEN).status_code == 413
    assert live_run.answered("asked") is None
    assert post(f"{url}/answer", {"step": "asked", "answer": "no"}, **TOKEN).status_code == 200
    assert post(f"{url}/answer", {"step": "asked", "answer": "yes"}, **TOKEN).status_code == 409
    assert live_run.answered("asked") is False


def test_before_there_is_a_record_the_page_says_so_and_loads_again() -> None:
    with serving_page(LivePage(), FixedClock(), lambda document: document) as (_, url):
        answer = get(f"{url}/")
        assert (answer.status_code, answer.headers["Refresh"]) == (503, "1")


def test_the_last_event_holds_the_report_and_ends_the_stream() -> None:
    with serving_page(LivePage(), FixedClock(), lambda document: document) as (live_run, url):
        live_run.update(running())
        stream = requests.get(f"{url}/events", stream=True, timeout=30)
        lines = stream.iter_lines(decode_unicode=True)
        first = next(line for line in lines if line.startswith("data: "))
        live_run.update(record())
        live_run.finish()
        rest = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]
    sections = json.loads(first.removeprefix("data: "))["sections"]
    for news in rest:
        sections |= news["sections"]
    assert [news["end"] for news in rest][-1] is True
    report = record_html(record())
    assert all(html in report for key, html in sections.items() if key not in ("next", "ask"))


@pytest.fixture
def harness(start_emulator: Callable[[Settings], Emulator], tmp_path: Path) -> Harness:
    return start_harness(start_emulator, tmp_path)


def run_watched(harness: Harness, visit: Callable[[Record, str], None]) -> Record:
    """Run the drill with its page; ``visit`` is called with each state, and the page's address."""
    harness.write()
    with (
        harness.open() as workspace,
        serving_page(PAGE, harness.clock, lambda document: document) as (live_run, url),
    ):

        def visit_as_it_runs(made: Record) -> None:
            live_run.update(made)
            visit(made, url)

        hooks = harness.hooks(watcher=visit_as_it_runs)
        operator = OperatorHooks(
            hooks.owner, hooks.confirm, hooks.approve, visit_as_it_runs, hooks.stop, hooks.command, live_run.aborted
        )
        return start(workspace, harness.read(workspace), harness.run_store, operator)


def test_a_visitor_with_the_token_aborts_the_drill_and_everything_is_cleared(harness: Harness) -> None:
    def visit(made: Record, url: str) -> None:
        if made.steps[1].state is StepState.DONE and made.ending is DrillStatus.RUNNING:
            post(f"{url}/abort", {}, **TOKEN)

    made = run_watched(harness, visit)
    assert (made.ending, harness.active()) == (DrillStatus.ABORTED, [])
    assert {sent.ended_by for sent in made.alarms} == {"drill abort"}


def test_a_drill_ends_clean_with_visitors_that_never_read_and_visitors_that_vanish(harness: Harness) -> None:
    visitors: list[socket.socket] = []

    def visit(made: Record, url: str) -> None:
        where = urlsplit(url)
        if len(visitors) < 10:
            visitor = socket.create_connection((where.hostname, where.port or 80))
            visitor.sendall(f"GET /events HTTP/1.1\r\nHost: {where.netloc}\r\n\r\n".encode())
            if len(visitors) % 2:
                visitor.close()
            visitors.append(visitor)

    made = run_watched(harness, visit)
    for visitor in visitors:
        visitor.close()
    assert (made.ending, made.leftovers, harness.active()) == (DrillStatus.COMPLETE, (), [])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--port", "1"], "--port requires --live"),
        (["--bind", "0.0.0.0"], "--bind requires --live"),  # noqa: S104 - compared with, not listened on
        (["--live", "--bind", "192.0.2.1"], "cannot serve the page on 192.0.2.1:0"),
        (["--hostname", "a"], "--hostname requires --listen"),
    ],
)
def test_options_of_the_page_that_do_not_fit_are_refused(harness: Harness, options: list[str], said: str) -> None:
    harness.write()
    done = reconciler("drill", "run", "outage", harness.directory, "--rehearse", *options)
    assert (done.code, said in done.err) == (1, True), done.err


PAUSED = """\
    steps:
      - {name: one, at: 0s, raise: aom_alarm.slow}
      - {name: asked, at: 10s, pause: 'Go on?'}
      - {name: two, at: 20s, raise: aom_alarm.broken}
"""


@pytest.mark.parametrize(
    ("answer", "code", "steps"), [("yes", 0, ["done"] * 3), ("no", 130, ["done"] + ["skipped"] * 2)]
)
def test_a_pause_of_a_run_with_a_page_is_answered_in_the_terminal_too(
    harness: Harness, answer: str, code: int, steps: list[str]
) -> None:
    harness.write(steps=PAUSED)
    options = ["--rehearse", "--speed", "100", "--live", "--format", "json"]
    done = reconciler("drill", "run", "outage", harness.directory, *options, answers=f"{answer}\n")
    assert (done.code, [step["state"] for step in json.loads(done.out)["steps"]]) == (code, steps), done
    assert "Watch the drill at http://127.0.0.1:" in done.err
    assert "/#token=" in done.err


def test_a_run_that_died_is_resumed_with_a_page_and_metrics(
    start_emulator: Callable[[Settings], Emulator], tmp_path: Path
) -> None:
    harness = Harness(start_emulator(Settings()), tmp_path, fresh=False)
    harness.write(steps="    steps: [{at: 0s, raise: aom_alarm.slow}, {at: 1s, note: The end}]\n")
    with open_workspace(tmp_path, Inputs(), data=False) as workspace, pytest.raises(Killed):
        start(workspace, harness.read(workspace), harness.run_store, harness.hooks(watcher=killed_after(0)))
    metrics = tmp_path / "metrics.prom"
    options = ["--yes", "--live", "--metrics", metrics, "--format", "json"]
    done = reconciler("drill", "resume", "outage", tmp_path, *options)
    assert (done.code, len(json.loads(done.out)["deaths"]), harness.active()) == (0, 1, []), done
    assert "Watch the drill at http://127.0.0.1:" in done.err
    text = metrics.read_text()
    assert 'reconciler_drill_passed{drill="outage",stack="shop"} 1' in text
    assert 'reconciler_drill_alarm_cleared_seconds{address="aom_alarm.slow",drill="outage",stack="shop"}' in text
