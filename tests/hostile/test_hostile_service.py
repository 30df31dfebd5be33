"""A service that answers wrongly in about a hundred ways meets every command that talks to one, in every format."""

from __future__ import annotations

import re
import socket
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlsplit

import pytest

from reconciler.providers import retry
from tests.cli.inside import reconciler
from tests.hostile.service import ANSWERS, Answer
from tests.providers.service import Asked

TOKEN = "s3cr3t+t0ken/with=signs&more"
FORMS = (TOKEN, quote(TOKEN, ""), escape(TOKEN), TOKEN.replace("/", "\\/"), b64encode(TOKEN.encode()).decode())
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


@contextmanager
def hostile(answer: Answer) -> Iterator[str]:
    """A server that answers each connection once, and closes it."""

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(2)
                try:
                    connection.sendall(answer(_asked(connection)))
                    connection.shutdown(socket.SHUT_WR)
                    while connection.recv(65536):
                        pass
                except OSError:
                    continue

    listener = socket.create_server(("127.0.0.1", 0))
    threads = [threading.Thread(target=serve, daemon=True) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for thread in threads:
            thread.join()


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


@pytest.mark.parametrize("name", ANSWERS)
def test_no_answer_breaks_or_deceives_a_command(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "backoff", lambda *_, **__: 0.0)
    outputs = []
    with hostile(ANSWERS[name]) as url:
        (tmp_path / "stack.yaml").write_text(STACK % (url, TOKEN))
        for command in (
            ("plan", "--format", "text", "--out", tmp_path / "plan.json"),
            ("plan", "--format", "markdown"),
            ("apply", "--format", "json", "--auto-approve"),
            ("check", "--format", "text"),
            ("destroy", "--format", "markdown", "--auto-approve"),
            ("import", "--format", "json"),
        ):
            done = reconciler(command[0], tmp_path, *command[1:])
            assert done.code in CODES, (command, done)
            assert "internal error" not in done.err, (command, done)
            outputs.append(done.out + done.err)
    shown = "\n".join(outputs)
    assert not CONTROL.search(shown), repr(CONTROL.search(shown))
    assert not TAGS.search(shown)
    artefacts = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and path.name != "stack.yaml"]
    for form in FORMS:
        assert form not in shown
        assert not any(form.encode() in artefact for artefact in artefacts)
