"""A service that answers wrongly in about a hundred ways meets every command that talks to one, in every format."""

from __future__ import annotations

import re
import shlex
import socket
import threading
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlsplit

import pytest

from reconciler.core.retry import RetryPolicy
from reconciler.providers import retry
from tests.cli.run_cli import reconciler
from tests.hostile.service import ANSWERS, BCM_ANSWERS, CES_ANSWERS, Answer
from tests.providers.service import Asked

TOKEN = "s3cr3t+t0ken/wi'th=signs&more"
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
STACK = """\
stack: hostile
guards: {max_changes: 100000, max_clears: 100000}
providers:
  aom: {endpoint: "%s", project_id: p1, auth: {token: "%s"}, request_timeout: 1s, visible_within: 50ms, lookback: 1d}
resources:
  aom_alarm:
    hot: {resource_provider: ecs, resource_type: vm, resource_id: r1, event_severity: Major, timeout: 30m}
data:
  aom_alarms:
    now: {}
checks:
  none: {data: aom_alarms.now, expect: {none: true}}
"""


CES_STACK = """\
stack: hostile
providers:
  ces: {endpoint: "%s", project_id: p1, auth: {token: "%s"}, request_timeout: 1s, visible_within: 50ms, lookback: 1d}
resources:
  ces_event:
    deployed: {occurrence: "1", event_source: tests.hostile, event_level: Info, event_state: normal, content: c}
data:
  ces_events:
    now: {}
checks:
  none: {data: ces_events.now, expect: {none: true}}
"""
BCM_STACK = """\
stack: hostile
providers:
  bcm: {endpoint: "%s", user_id: u1, auth: {ak: an-access-key, sk: "%s"}, request_timeout: 1s}
data:
  bcm_alarms:
    now: {alarm_type: ALARM_TYPE_CLOUD}
checks:
  none: {data: bcm_alarms.now, expect: {none: true}}
"""
FORMATS = ("text", "markdown", "json")
Command = tuple[str, ...]


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
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "RETRY", RetryPolicy(base=0.0))


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


def formats(answers: Mapping[str, Answer], name: str) -> tuple[str, str, str]:
    """The three formats, another one first for each answer, so that each command meets each answer's kind in each."""
    first = [*answers].index(name) % 3
    return FORMATS[first], FORMATS[(first + 1) % 3], FORMATS[(first + 2) % 3]


def meet(server: Hostile, answer: Answer, stack: str, directory: Path, commands: Sequence[Command]) -> None:
    """Run the commands against the answer: no internal error, no control character, no secret anywhere."""
    server.answer = answer
    (directory / "stack.yaml").write_text(stack % (server.url, TOKEN))
    shown = ""
    for command, *options in commands:
        done = reconciler(command, directory, *options)
        assert done.code in CODES, (command, done)
        assert "internal error" not in done.err, (command, done)
        shown += f"{done.out}\n{done.err}\n"
    assert not CONTROL.search(shown), repr(CONTROL.search(shown))
    assert not TAGS.search(shown)
    artefacts = [path.read_bytes() for path in directory.rglob("*") if path.is_file() and path.name != "stack.yaml"]
    for form in FORMS:
        assert form not in shown
        assert not any(form.encode() in artefact for artefact in artefacts)


@pytest.mark.parametrize("name", ANSWERS)
def test_no_answer_of_aom_breaks_or_deceives_a_command(name: str, server: Hostile, tmp_path: Path) -> None:
    first, second, third = formats(ANSWERS, name)
    commands = (
        ("plan", "--format", first, "--out", str(tmp_path / "plan.json")),
        ("plan", "--format", second),
        ("apply", "--format", third, "--auto-approve"),
        ("check", "--format", first),
        ("destroy", "--format", second, "--auto-approve"),
        ("import", "--format", "json"),
    )
    meet(server, ANSWERS[name], STACK, tmp_path, commands)


@pytest.mark.parametrize("name", CES_ANSWERS)
def test_no_answer_of_ces_breaks_or_deceives_a_command(name: str, server: Hostile, tmp_path: Path) -> None:
    first, second, third = formats(CES_ANSWERS, name)
    commands = (
        ("plan", "--format", first),
        ("apply", "--format", second, "--auto-approve"),
        ("check", "--format", third),
    )
    meet(server, CES_ANSWERS[name], CES_STACK, tmp_path, commands)


@pytest.mark.parametrize("name", BCM_ANSWERS)
def test_no_answer_of_bcm_breaks_or_deceives_a_command(name: str, server: Hostile, tmp_path: Path) -> None:
    first, second, _ = formats(BCM_ANSWERS, name)
    meet(server, BCM_ANSWERS[name], BCM_STACK, tmp_path, (("check", "--format", first), ("check", "--format", second)))


@pytest.mark.parametrize("format", FORMATS)
def test_odd_text_is_shown_safely_by_plan_and_apply_in_every_format(
    format: str, server: Hostile, tmp_path: Path
) -> None:
    commands = (("plan", "--format", format), ("apply", "--format", format, "--auto-approve"))
    meet(server, ANSWERS["bidi in the marks"], STACK, tmp_path, commands)
