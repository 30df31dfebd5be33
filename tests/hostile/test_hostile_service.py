"""A service that answers wrongly in about a hundred ways meets every command that talks to one, in every format."""

from __future__ import annotations

import re
import shlex
import socket
import threading
from base64 import b64encode
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlsplit

import pytest

from reconciler.apply import sender
from reconciler.checks import canary, poll
from reconciler.core.retry import RetryPolicy, poll_intervals
from reconciler.drill import cleanup, executor
from reconciler.providers import retry
from tests.cli.run_cli import reconciler
from tests.hostile.service import AM_ANSWERS, ANSWERS, BCM_ANSWERS, CES_ANSWERS, Answer
from tests.providers.service import Asked

TOKEN = "s3cr3t+t0ken/wi'th=signs&more"  # noqa: S105 - made up
FORMS = (
    TOKEN,
    quote(TOKEN, ""),
    escape(TOKEN),
    TOKEN.replace("/", "\\/"),
    shlex.quote(TOKEN)[1:-1],
    re.sub(r"(\W)", r"\\\1", TOKEN),
    b64encode(TOKEN.encode()).decode(),
)
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")
TAGS = re.compile("[\U000e0000-\U000e007f]")
CODES = {0, 1, 3, 4}
INVALID = re.compile(r"stack\.yaml:\d+:\d+\n +\|")  # the configuration is not what is wrong
STACK = """\
stack: hostile
guards: {max_changes: 100000, max_clears: 100000}
providers:
  aom: {endpoint: "%s", project_id: p1, auth: {token: "%s"}, request_timeout: 1s, visible_within: 5ms, lookback: 1d}
resources:
  aom_alarm:
    hot: {resource_provider: ecs, resource_type: vm, resource_id: r1, event_severity: Major, timeout: 30m}
data:
  aom_alarms:
    now: {}
checks:
  none: {data: aom_alarms.now, expect: {count: 0}}
  page: {canary: {event_severity: Major}, within: 5ms}
drills:
  outage:
    resources:
      aom_alarm: {x: {resource_provider: ecs, resource_type: vm, resource_id: r2, event_severity: Major}}
    steps: [{at: 0s, raise: aom_alarm.x}]
"""
CES_STACK = """\
stack: hostile
providers:
  ces: {endpoint: "%s", project_id: p1, auth: {token: "%s"}, request_timeout: 1s, visible_within: 5ms, lookback: 1d}
resources:
  ces_event:
    deployed: {occurrence: "1", event_source: tests.hostile, event_level: Info, event_state: normal, content: c}
data:
  ces_events:
    now: {}
checks:
  none: {data: ces_events.now, expect: {count: 0}}
"""
BCM_STACK = """\
stack: hostile
providers:
  bcm: {endpoint: "%s", user_id: u1, auth: {ak: an-access-key, sk: "%s"}, request_timeout: 1s}
data:
  bcm_alarms:
    now: {alarm_type: ALARM_TYPE_CLOUD}
checks:
  none: {data: bcm_alarms.now, expect: {count: 0}}
"""
AM_STACK = """\
stack: hostile
guards: {max_changes: 100000, max_clears: 100000}
providers:
  alertmanager:
    endpoints: ["%s"]
    auth: {bearer: "%s"}
    request_timeout: 1s
    visible_within: 5ms
resources:
  alertmanager_alert:
    hot: {labels: {severity: critical}, timeout: 30m}
data:
  alertmanager_alerts:
    now: {}
checks:
  none: {data: alertmanager_alerts.now, expect: {count: 0}}
"""
FORMATS = ("text", "markdown", "json")
Command = tuple[str, ...]


def in_every_format(*words: str, formats: Sequence[str] = FORMATS) -> tuple[Command, ...]:
    return tuple((*words, "--format", format) for format in formats)


WITH_CANARY = ("check", "--junit", "checks.xml")
AOM_COMMANDS: tuple[Command, ...] = (
    ("plan", "--out", "plan.json"),
    ("import",),
    WITH_CANARY,
    *in_every_format("plan"),
    *in_every_format("status"),
    *in_every_format("import", "--adopt", "--out", "adoption.json"),
    *in_every_format("apply", "--auto-approve"),
    *in_every_format("check", "none"),
    *in_every_format("ledger", "settle", formats=("text", "json")),
    *in_every_format("destroy", "--auto-approve"),
    *in_every_format("drill", "run", "outage", "--yes"),
    *in_every_format("drill", "abort", "outage"),
    *in_every_format("drill", "report", "--html", "drill.html", "--junit", "drill.xml"),
)
CES_COMMANDS: tuple[Command, ...] = (
    *in_every_format("plan"),
    *in_every_format("status"),
    *in_every_format("apply", "--auto-approve"),
    *in_every_format("check"),
    *in_every_format("ledger", "settle", formats=("text", "json")),
)
BCM_COMMANDS = in_every_format("check")


class Hostile:
    """A server that answers each connection once, as it is told, and closes it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.answer: Answer = ANSWERS["nothing"]


@pytest.fixture(scope="module")
def server() -> Iterator[Hostile]:
    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(2)
                try:
                    connection.sendall(running.answer(_asked(connection)))
                    connection.shutdown(socket.SHUT_WR)
                    while connection.recv(65536):
                        pass
                except (OSError, ValueError):
                    continue

    listener = socket.create_server(("127.0.0.1", 0))
    running = Hostile(f"http://127.0.0.1:{listener.getsockname()[1]}")
    threads = [threading.Thread(target=serve, daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        yield running
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for thread in threads:
            thread.join()


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for module in (retry, poll, sender):
        monkeypatch.setattr(module, "RETRY", RetryPolicy(base=0))
    monkeypatch.setitem(poll_intervals.__kwdefaults__, "first", 2)
    monkeypatch.setitem(poll_intervals.__kwdefaults__, "cap", 10)
    monkeypatch.setattr(cleanup, "CLEAR_DEADLINE", 1)
    monkeypatch.setattr(executor, "OBSERVE_DEADLINE", 1)
    monkeypatch.setattr(canary, "LEAST_DEADLINE", 150)
    monkeypatch.setattr(canary, "CLEANUP", 150)
    monkeypatch.setattr(poll, "QUERY_RETRY_LIMIT", 1)


def _asked(connection: socket.socket) -> Asked:
    with connection.makefile("rb") as reader:
        method, target, _ = reader.readline().decode("latin-1").split(" ", 2)
        headers: dict[str, str] = {}
        while line := reader.readline().strip():
            name, _, value = line.decode("latin-1").partition(":")
            headers[name] = value.strip()
        body = reader.read(int(headers.get("Content-Length", 0)))
    parts = urlsplit(target)
    return Asked(method, parts.path, dict(parse_qsl(parts.query)), headers, body)


def meet(server: Hostile, answer: Answer, stack: str, directory: Path, commands: Sequence[Command]) -> None:
    """Run the commands against the answer: no internal error, no control character, no secret in any artefact."""
    server.answer = answer
    (directory / "stack.yaml").write_text(stack % (server.url, TOKEN))
    shown = ""
    for command in commands:
        done = reconciler(*command)
        # A canary whose short deadline passes before it is pushed counts as interrupted.
        assert done.code in CODES or (done.code == 130 and command == WITH_CANARY), (command, done)
        assert "internal error" not in done.err + done.out, (command, done)
        assert not INVALID.search(done.err + done.out), (command, done)
        shown += f"{done.out}\n{done.err}\n"
    reports = [file.read_text() for file in directory.iterdir() if file.suffix in (".xml", ".html")]
    for text in (shown, *reports):
        assert not CONTROL.search(text), repr(CONTROL.search(text))
        assert not TAGS.search(text)
    artefacts = [path.read_bytes() for path in directory.rglob("*") if path.is_file() and path.name != "stack.yaml"]
    for form in FORMS:
        assert form not in shown
        assert not any(form.encode() in artefact for artefact in artefacts)


@pytest.mark.parametrize("name", ANSWERS)
def test_no_answer_of_aom_breaks_or_deceives_a_command(name: str, server: Hostile, tmp_path: Path) -> None:
    meet(server, ANSWERS[name], STACK, tmp_path, AOM_COMMANDS)


@pytest.mark.parametrize("name", CES_ANSWERS)
def test_no_answer_of_ces_breaks_or_deceives_a_command(name: str, server: Hostile, tmp_path: Path) -> None:
    meet(server, CES_ANSWERS[name], CES_STACK, tmp_path, CES_COMMANDS)


@pytest.mark.parametrize("name", AM_ANSWERS)
def test_no_answer_of_alertmanager_breaks_or_deceives_a_command(name: str, server: Hostile, tmp_path: Path) -> None:
    meet(server, AM_ANSWERS[name], AM_STACK, tmp_path, (*CES_COMMANDS, *in_every_format("destroy", "--auto-approve")))


@pytest.mark.parametrize("name", BCM_ANSWERS)
def test_no_answer_of_bcm_breaks_or_deceives_a_command(name: str, server: Hostile, tmp_path: Path) -> None:
    meet(server, BCM_ANSWERS[name], BCM_STACK, tmp_path, BCM_COMMANDS)


def test_every_command_that_talks_to_a_service_meets_the_answers_in_every_format() -> None:
    met = {command[: 2 if command[0] in ("ledger", "drill") else 1] for command in AOM_COMMANDS}
    groups = {"ledger": {"settle"}, "drill": {"run", "abort", "report"}}
    asking = {"plan", "status", "import", "apply", "check", "destroy"}
    assert met == {(name,) for name in asking} | {(group, name) for group, names in groups.items() for name in names}
