"""``--notify``: what a run tells a webhook, and that a webhook never changes how it ends."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from reconciler.app.trigger import Trigger
from reconciler.app.webhook import Message, RunEvent, masked, post_all
from reconciler.cli.reporter import Outlets, RunReporter
from reconciler.cli.terminal import Terminal
from reconciler.core.duration import MINUTE
from reconciler.core.origin import Origin
from reconciler.views.notification import notification_document, slack_text
from tests.cli.run_cli import Done, reconciler
from tests.cli.stacks import TOKEN, write
from tests.emulator.handle import Emulator
from tests.servers.ports import free_port
from tests.servers.webhook import WebhookReceiver, webhook_receiver
from tests.views.test_schema import check as check_schema

CHECKS = """\
data: {aom_alarms: {firing: {}}}
checks:
  quiet: {data: aom_alarms.firing, expect: {count: 0}}
"""
ORIGIN = Origin("ada", "laptop")


@pytest.fixture
def hook() -> Iterator[WebhookReceiver]:
    with webhook_receiver() as running:
        yield running


@pytest.fixture
def stack(tmp_path: Path, emulator: Emulator) -> Path:
    """A stack whose two alarms fire."""
    made = write(tmp_path / "stack", "one", "two", endpoint=emulator.url, more=CHECKS)
    assert reconciler("apply", made, "--auto-approve").code == 0
    return made


def told(hook: WebhookReceiver, path: str = "/hook") -> list[dict[str, Any]]:
    return [delivery.payload for delivery in hook.deliveries_to(path)]


def notified(hook: WebhookReceiver, command: str, stack: Path, *options: str) -> Done:
    return reconciler(command, stack, "--notify", f"{hook.url}/hook", *options)


def test_drift_is_told_with_the_addresses_and_what_happened(
    stack: Path, emulator: Emulator, hook: WebhookReceiver
) -> None:
    emulator.advance(45 * MINUTE)
    assert notified(hook, "plan", stack, "--refresh-only").code == 0
    (document,) = told(hook)
    check_schema("notification", document)
    assert (document["trigger"], document["stack"], document["command"]) == ("drift", "tests", "plan")
    assert document["summary"].startswith("Drift: 2 to create.")
    one, _ = document["details"]
    assert one["subject"] == "aom_alarm.one"
    assert one["text"].startswith("expired at ")


def test_what_goes_well_is_told_only_if_it_is_asked_for(stack: Path, hook: WebhookReceiver) -> None:
    assert notified(hook, "plan", stack).code == 0
    assert notified(hook, "plan", stack, "--notify-on", "drift").code == 0
    assert told(hook) == []
    assert notified(hook, "plan", stack, "--notify-on", "drift", "--notify-on", "done").code == 0
    assert [document["trigger"] for document in told(hook)] == ["done"]


def test_a_failed_apply_is_told_with_each_operation_that_is_not_done(
    stack: Path, emulator: Emulator, hook: WebhookReceiver
) -> None:
    write(stack, "one", "two", "three", endpoint=emulator.url)
    emulator.fault("push:status=400,nth=1")
    assert notified(hook, "apply", stack, "--auto-approve").code == 1
    (document,) = told(hook)
    assert (document["trigger"], document["summary"]) == ("apply-failed", "Nothing applied: 1 failed.")
    assert [detail["subject"] for detail in document["details"]] == ["aom_alarm.three"]
    assert document["details"][0]["text"].startswith("push failed 400")
    (newest, *_) = json.loads(reconciler("ledger", "list", stack, "--format", "json").out)["runs"]
    assert document["run"] == newest["id"]


def test_an_apply_that_meets_drift_tells_it_besides(stack: Path, emulator: Emulator, hook: WebhookReceiver) -> None:
    emulator.advance(45 * MINUTE)
    options = ("--auto-approve", "--no-verify", "--notify-on", "drift", "--notify-on", "done")
    assert notified(hook, "apply", stack, *options).code == 0
    assert [document["trigger"] for document in told(hook)] == ["drift", "done"]


def test_an_apply_that_ends_with_an_error_is_a_failed_one(
    stack: Path, emulator: Emulator, hook: WebhookReceiver
) -> None:
    emulator.fault("query:status=401")
    assert notified(hook, "destroy", stack, "--auto-approve").code == 1
    (document,) = told(hook)
    assert (document["trigger"], document["stack"]) == ("apply-failed", "tests")
    assert "; provider: aom; request: " in str(document["summary"])


def test_a_configuration_that_cannot_be_read_is_told_with_its_path(tmp_path: Path, hook: WebhookReceiver) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "stack.yaml").write_text("stack: [")
    assert notified(hook, "plan", broken).code == 1
    (document,) = told(hook)
    assert (document["trigger"], document["stack"]) == ("error", str(broken))


def test_a_failed_check_is_told_with_its_reason(stack: Path, hook: WebhookReceiver) -> None:
    assert notified(hook, "check", stack).code == 3
    (document,) = told(hook)
    assert (document["trigger"], document["summary"]) == ("check-failed", "1 check: 1 failed.")
    (detail,) = document["details"]
    assert detail["subject"] == "quiet"
    assert detail["text"].startswith("failed: found 2, expected exactly 0: ")


def test_a_drill_whose_check_fails_is_told(stack: Path, emulator: Emulator, hook: WebhookReceiver) -> None:
    text = (stack / "stack.yaml").read_text()
    drill = "drills:\n  outage:\n    steps:\n    - {at: 0s, check: [quiet]}\n"
    (stack / "stack.yaml").write_text(text + drill)
    options = ("--yes", "--notify", f"{hook.url}/hook")
    done = reconciler("drill", "run", "outage", stack, *options)
    assert done.code == 3, done.err
    (document,) = told(hook)
    assert (document["trigger"], document["details"][0]["subject"]) == ("drill-failed", "quiet")


def test_slack_gets_text_in_which_nothing_is_markup(stack: Path, emulator: Emulator, hook: WebhookReceiver) -> None:
    assert notified(hook, "check", stack, "--notify-format", "slack").code == 3
    (payload,) = told(hook)
    assert list(payload) == ["text"]
    head, summary, detail, by = payload["text"].splitlines()
    assert (head, summary) == ("*Check failed: tests* (check)", "1 check: 1 failed.")
    assert detail.startswith("• `quiet` failed: found 2, expected exactly 0: ")
    assert by.startswith("by ")
    hostile = RunEvent("1", Trigger.DRIFT, "<!channel>", "plan", 0, "*a* @here\n& \x1b[31m`b`", ORIGIN)
    shown = slack_text(hostile)
    assert "<" not in shown
    assert "@here" not in shown
    assert "\x1b" not in shown
    assert len(shown.splitlines()) == 3


def test_a_cloudevent_carries_the_document_as_its_data(stack: Path, hook: WebhookReceiver) -> None:
    assert notified(hook, "check", stack, "--notify-format", "cloudevents").code == 3
    (delivery,) = hook.deliveries_to("/hook")
    assert delivery.headers["Content-Type"].startswith("application/cloudevents+json")
    event = delivery.payload
    assert (event["specversion"], event["type"]) == ("1.0", "dev.reconciler.check-failed.v1")
    assert event["source"] == "/reconciler/stacks/tests"
    check_schema("notification", event["data"])
    assert event["id"] == event["data"]["id"]


def test_every_webhook_is_told_also_those_of_the_environment(stack: Path, hook: WebhookReceiver) -> None:
    reconciler("check", stack, "--notify", f"{hook.url}/hook", "--notify", f"{hook.url}/other")
    env = {"RECONCILER_NOTIFY": f"{hook.url}/env {hook.url}/other", "RECONCILER_NOTIFY_TOKEN": "bearer-of-news"}
    reconciler("check", stack, env=env)
    assert [len(hook.deliveries_to(path)) for path in ("/hook", "/other", "/env")] == [1, 2, 1]
    assert hook.deliveries_to("/env")[0].headers["Authorization"] == "Bearer bearer-of-news"


def test_a_webhook_that_is_busy_is_tried_again_with_the_same_id(stack: Path, hook: WebhookReceiver) -> None:
    hook.respond_with("/hook", 503)
    assert notified(hook, "check", stack).err == ""
    first, second = told(hook)
    assert first["id"] == second["id"]


def test_a_webhook_that_fails_is_a_warning_and_its_url_stays_secret(stack: Path, hook: WebhookReceiver) -> None:
    hook.respond_with("/services/T0000000000/abcdefghijklmnop", 404)
    done = reconciler(
        "plan", stack, "--notify", f"{hook.url}/services/T0000000000/abcdefghijklmnop", "--notify-on", "done"
    )
    assert done.code == 0
    assert f"warning: cannot notify {hook.url}/…: 404 Not Found" in done.err
    assert "abcdefghijklmnop" not in done.out + done.err


def test_the_command_that_continues_does_not_show_a_webhook(
    stack: Path, emulator: Emulator, hook: WebhookReceiver
) -> None:
    write(stack, "one", "two", "three", endpoint=emulator.url)
    emulator.fault("push:status=400,nth=1")
    url = f"{hook.url}/hook?key=s3cret-k3y"
    done = reconciler("apply", stack, "--auto-approve", "--notify", url)
    assert "To continue: reconciler apply" in done.out
    assert "s3cret-k3y" not in done.out + done.err
    assert len(hook.deliveries_to("/hook?key=s3cret-k3y")) == 1


def test_secrets_of_the_stack_do_not_reach_a_webhook(tmp_path: Path, hook: WebhookReceiver) -> None:
    made = write(tmp_path / "stack", "one", endpoint=f"http://127.0.0.1:{free_port()}/{TOKEN}")
    assert notified(hook, "plan", made).code == 1
    (delivery,) = hook.deliveries_to("/hook")
    assert TOKEN not in json.dumps(delivery.payload)
    assert "(sensitive)" in delivery.payload["summary"]


@pytest.mark.parametrize(
    "url", ["hooks.example.com/x", "ftp://hooks.example.com/x", "https://", "http://a b/secret-token"]
)
def test_what_is_no_web_address_is_refused_before_anything_is_done(stack: Path, url: str) -> None:
    done = reconciler("apply", stack, "--auto-approve", "--notify", url)
    assert done.code == 1
    assert "a webhook is not an http or https URL" in done.err
    assert "secret-token" not in done.err


@contextmanager
def silent_server() -> Iterator[str]:
    """A server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/hook"


def test_a_webhook_that_never_answers_is_given_up(hook: WebhookReceiver) -> None:
    message = Message({"Content-Type": "application/json"}, b"{}")
    with silent_server() as url:
        (why,) = post_all({url: message, f"{hook.url}/hook": message}, bound=300)
    assert why == f"cannot notify {masked(url)}: no answer within 300ms"
    assert len(hook.deliveries_to("/hook")) == 1


def test_many_details_are_counted() -> None:
    from reconciler.app.webhook import Detail

    details = [Detail(f"aom_alarm.a{number}", "x" * 999) for number in range(1_000)]
    event = RunEvent("1", Trigger.DRIFT, "tests", "plan", 0, "Drift.", ORIGIN, details=details)
    document = notification_document(event)
    assert (len(document["details"]), document["more_details"]) == (20, 980)
    assert len(slack_text(event)) < 10_000
    assert "• and 980 more\n" in slack_text(event)


def test_a_command_that_looks_again_and_again_tells_only_what_changed(hook: WebhookReceiver) -> None:
    outlets = Outlets([f"{hook.url}/hook"], on=[Trigger.CHECK_FAILED, Trigger.DONE])
    reporter = RunReporter(Terminal(environ={}), "check", Path(), outlets, only_changes=True)
    failed = RunEvent("1", Trigger.CHECK_FAILED, "tests", "check", 0, "1 check: 1 failed.", ORIGIN)
    passed = failed._replace(trigger=Trigger.DONE, summary="1 check: 1 passed.")
    for event in (failed, failed, passed, passed, failed):
        reporter.send(event)
    assert [document["trigger"] for document in told(hook)] == ["check-failed", "done", "check-failed"]


def test_what_goes_wrong_in_telling_does_not_change_how_a_run_ends(
    stack: Path, hook: WebhookReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr("reconciler.app.webhook.threading.Thread.start", fail)
        done = notified(hook, "plan", stack, "--notify-on", "done")
    assert done.code == 0
    assert "warning: cannot report how it ended: RuntimeError" in done.err
