"""``check --every`` and ``--only-changes``: what fails is told once, and once more when it passes again."""

from __future__ import annotations

import io
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from reconciler.cli.command import ExitCode
from reconciler.cli.heartbeat import run_rounds
from reconciler.cli.terminal import Terminal
from reconciler.core.diagnostic import Diagnostic, DiagnosticError
from reconciler.core.system_clock import SystemClock
from reconciler.emulator.aom.notifications import NotificationRule
from reconciler.emulator.settings import Settings
from reconciler.receive.server import running_receiver
from reconciler.receive.settings import Settings as ReceiverSettings
from tests.cli.process import read_until
from tests.cli.run_cli import Done, reconciler
from tests.emulator.handle import Emulator
from tests.receive.receivers import HOOK_TOKEN, TOKEN
from tests.servers import postgres
from tests.servers.ports import free_port
from tests.servers.webhook import WebhookReceiver, webhook_receiver

STACK = """\
stack: path
providers:
  aom: {{endpoint: "{aom}", project_id: p, auth: {{token: t}}, visible_within: 5s}}
  receiver: {{endpoint: "{receiver}", auth: {{token: {token}}}}}
checks:
  page: {{canary: {{metadata: {{team: {team}}}}}, expect: {{delivered: {{within: {within}, resolved: true}}}}}}
"""


@pytest.fixture
def hook() -> Iterator[WebhookReceiver]:
    with webhook_receiver() as running:
        yield running


WriteStack = Callable[[bool], Path]


@pytest.fixture
def path(start_emulator: Callable[[Settings], Emulator], tmp_path: Path) -> Iterator[WriteStack]:
    """Writes a stack whose canary is delivered, or is not: only alarms of one team are notified."""
    settings = ReceiverSettings(db=tmp_path / "receiver.db", token=TOKEN, hooks={"pager": HOOK_TOKEN})
    with running_receiver(settings) as receiver:
        rule = NotificationRule("pager", cleared=True, match={"team": ("routed",)})
        emulator = start_emulator(Settings(notifications=(rule,), smn_endpoints=(f"{receiver}/hook/{HOOK_TOKEN}",)))

        def write(delivered: bool) -> Path:
            team, within = ("routed", "20s") if delivered else ("lost", "300ms")
            text = STACK.format(aom=emulator.url, receiver=receiver, token=TOKEN, team=team, within=within)
            (tmp_path / "stack.yaml").write_text(text)
            return tmp_path / "stack.yaml"

        yield write


def beat(stack: Path, hook: str, *options: str) -> Done:
    return reconciler("check", stack, "--only-changes", "--notify", f"{hook}/hook", *options)


def told(hook: WebhookReceiver) -> list[dict[str, Any]]:
    return [each.payload for each in hook.deliveries_to("/hook")]


def test_a_page_that_is_not_delivered_is_told_once_however_often_it_is_tried_again(
    path: WriteStack, hook: WebhookReceiver
) -> None:
    stack = path(True)
    assert beat(stack, hook.url).code == ExitCode.DONE
    assert told(hook) == [], "that all is well is no news"
    path(False)
    assert [beat(stack, hook.url).code for _ in range(3)] == [ExitCode.CHECK_FAILED] * 3
    [failed] = told(hook)
    assert (failed["trigger"], failed["summary"]) == ("check-failed", "1 check began to fail.")
    assert failed["details"][0]["subject"] == "page"
    assert "no notification arrived within 300ms" in failed["details"][0]["text"]
    path(True)
    assert [beat(stack, hook.url).code for _ in range(2)] == [ExitCode.DONE] * 2
    _, recovered = told(hook)
    assert (recovered["trigger"], recovered["summary"]) == ("recovered", "1 check passed again.")
    assert recovered["details"][0]["text"].startswith("failed for ")


def test_what_no_webhook_took_is_told_the_next_time(path: WriteStack, hook: WebhookReceiver) -> None:
    stack = path(False)
    done = beat(stack, f"http://127.0.0.1:{free_port()}")
    assert (done.code, "warning" in done.err) == (ExitCode.CHECK_FAILED, True)
    assert beat(stack, hook.url).code == ExitCode.CHECK_FAILED
    assert [each["trigger"] for each in told(hook)] == ["check-failed"]


def test_rounds_tell_a_failure_once_and_the_code_is_that_of_the_last_one(
    path: WriteStack, hook: WebhookReceiver, tmp_path: Path
) -> None:
    metrics = tmp_path / "metrics.prom"
    options = ["--every", "10ms", "--rounds", "3", "--metrics", str(metrics)]
    done = beat(path(False), hook.url, *options)
    assert (done.code, done.out.count("1 failed")) == (ExitCode.CHECK_FAILED, 3), done
    assert len(told(hook)) == 1
    assert 'reconciler_check_passed{check="page",stack="path"} 0' in metrics.read_text()
    assert beat(path(True), hook.url, *options).code == ExitCode.DONE
    assert [each["trigger"] for each in told(hook)] == ["check-failed", "recovered"]
    text = metrics.read_text()
    assert 'reconciler_check_passed{check="page",stack="path"} 1' in text
    assert "reconciler_canary_delivered_seconds" in text
    assert "reconciler_canary_end_delivered_seconds" in text


def test_a_receiver_that_is_down_is_told_too_and_only_once(path: WriteStack, hook: WebhookReceiver) -> None:
    stack = path(False)
    text = stack.read_text()
    stack.write_text(text.replace(text.split('receiver: {endpoint: "')[1].split('"')[0], "http://127.0.0.1:9"))
    assert [beat(stack, hook.url).code for _ in range(2)] == [ExitCode.ERROR] * 2
    [unknown] = told(hook)
    assert "not provable: the receiver could not be queried" in unknown["details"][0]["text"]


def test_with_a_shared_ledger_a_run_elsewhere_knows_what_was_told(
    path: WriteStack, hook: WebhookReceiver, tmp_path: Path
) -> None:
    ledger = postgres.server().schema()
    for number, delivered in enumerate((False, False, True, True)):
        pod = tmp_path / f"pod-{number}"
        pod.mkdir()
        shutil.copy(path(delivered), pod)
        beat(pod, hook.url, "--ledger", ledger)
    assert [each["trigger"] for each in told(hook)] == ["check-failed", "recovered"]


def test_a_damaged_state_is_begun_anew(path: WriteStack, hook: WebhookReceiver, tmp_path: Path) -> None:
    stack = path(False)
    assert beat(stack, hook.url).code == ExitCode.CHECK_FAILED
    [kept] = (tmp_path / ".reconciler" / "checks").iterdir()
    kept.write_text("[")
    assert beat(stack, hook.url).code == ExitCode.CHECK_FAILED
    assert len(told(hook)) == 2


def test_a_signal_ends_it_with_the_code_of_the_last_round_and_nothing_left(path: WriteStack, tmp_path: Path) -> None:
    with subprocess.Popen(  # noqa: S603 - our own command, with arguments of the test
        [sys.executable, "-m", "reconciler", "check", str(path(True)), "--every", "1h"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        read_until(process.stdout, "1 passed", unless="1 failed")
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
    assert process.returncode == ExitCode.DONE


def test_an_error_of_a_later_round_is_reported_and_the_next_one_comes() -> None:
    err, failed = io.StringIO(), list[Exception]()
    codes = iter([ExitCode.CHECK_FAILED, None, ExitCode.DONE])

    def run_round() -> ExitCode:
        code = next(codes)
        if code is None:
            raise DiagnosticError(Diagnostic("the ledger cannot be reached"))
        return code

    terminal = Terminal(io.StringIO(), io.StringIO(), err, {})
    assert run_rounds(terminal, run_round, failed.append, 1, 3, SystemClock(), Event()) == ExitCode.DONE
    assert ("the ledger cannot be reached" in err.getvalue(), len(failed)) == (True, 1)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--every", "soon"], "--every: 'soon' is not a duration"),
        (["--every", "0s"], "--every must be longer than 0s"),
        (["--rounds", "2"], "--rounds is for --every"),
    ],
)
def test_options_of_the_heartbeat_that_do_not_fit_are_refused(path: WriteStack, options: list[str], said: str) -> None:
    done = reconciler("check", path(True), *options)
    assert (done.code, said in done.err) == (ExitCode.ERROR, True), done
