"""``reconciler check`` with deliveries: AOM and SMN are emulated, the receiver is real."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reconciler.cli.command import ExitCode
from reconciler.emulator.aom.notifications import NotificationRule
from reconciler.emulator.settings import Settings
from tests.cli.run_cli import reconciler
from tests.emulator.handle import Emulator
from tests.receive.receivers import HOOK_TOKEN, TOKEN, Receiver

STACK = """\
stack: checkout
providers:
  aom: {{endpoint: "{aom}", project_id: p, auth: {{token: t}}, visible_within: 5s}}
  receiver: {{endpoint: "{receiver}", auth: {{token: {token}}}}}
data:
  aom_alarms: {{firing: {{metadata: {{reconciler_stack: checkout}}}}}}
  deliveries: {{pages: {{stack: checkout, complete: false}}}}
checks:
"""
Check = Callable[..., dict[str, Any]]


@pytest.fixture
def check(start_emulator: Callable[[Settings], Emulator], receiver: Receiver, tmp_path: Path) -> Check:
    """Runs one check against an emulator that notifies the receiver, and gives its result."""

    def run(text: str, *, code: ExitCode, hooks: int = 1, url: str = receiver.url, **rule: Any) -> dict[str, Any]:
        visible_after = rule.pop("visible_after", 0)
        endpoints = (f"{receiver.url}/hook/{HOOK_TOKEN}",) * hooks
        emulated = NotificationRule("pager", **{"cleared": True, **rule})
        emulator = start_emulator(
            Settings(notifications=(emulated,), smn_endpoints=endpoints, visible_after=visible_after)
        )
        head = STACK.format(aom=emulator.url, receiver=url, token=TOKEN)
        (tmp_path / "stack.yaml").write_text(f"{head}  path: {text}\n")
        done = reconciler("check", tmp_path, "--format", "json")
        assert done.code == code, done
        [found] = json.loads(done.out)["checks"]
        return dict(found)

    return run


def test_a_canary_that_is_notified_and_so_is_its_end_is_delivered(check: Check, receiver: Receiver) -> None:
    text = "{canary: {}, expect: {delivered: {within: 20s, resolved: true, receiver: pager, at_most: 1}}}"
    found = check(text, code=ExitCode.DONE)
    delivery = found["delivery"]
    assert (found["verdict"], delivery["status"], delivery["times"]) == ("passed", "delivered", 1)
    assert 0 <= delivery["delivered_after_ms"] < 20_000
    assert 0 <= delivery["resolved_after_ms"] < 20_000
    assert "notification arrived at pager after" in found["reason"]
    assert "notification of its end arrived at pager after" in found["reason"]
    assert len(receiver.deliveries(stack="checkout")) == 2


def test_a_canary_whose_notification_does_not_arrive_is_missing(check: Check) -> None:
    text = "{canary: {}, expect: {delivered: {within: 1s, resolved: true}}}"
    found = check(text, code=ExitCode.CHECK_FAILED, match={"team": ("another",)})
    assert found["delivery"] == {
        "status": "missing",
        "delivered_after_ms": None,
        "resolved_after_ms": None,
        "times": 0,
    }
    assert found["reason"].endswith("; no notification arrived within 1s")
    assert found["gone_after_ms"] is not None, "it is taken back"


def test_a_canary_that_is_notified_after_its_time_is_late(check: Check) -> None:
    text = "{canary: {}, expect: {delivered: {within: 300ms}}}"
    found = check(text, code=ExitCode.CHECK_FAILED, after=600, visible_after=1_200)
    assert found["delivery"]["status"] == "late"
    assert found["delivery"]["delivered_after_ms"] >= 600


def test_a_canary_that_is_notified_more_often_than_it_may_be_is_doubled(check: Check) -> None:
    text = "{canary: {}, expect: {delivered: {within: 20s, resolved: true, at_most: 1}}}"
    found = check(text, code=ExitCode.CHECK_FAILED, hooks=2)
    assert found["delivery"]["status"] == "doubled"
    assert "arrived 2 times, at most 1 expected" in found["reason"]


def test_a_receiver_that_is_out_of_reach_makes_a_check_unknown(check: Check) -> None:
    text = "{canary: {}, expect: {delivered: {within: 1s}}}"
    found = check(text, code=ExitCode.ERROR, url="http://127.0.0.1:9")
    assert (found["verdict"], found["delivery"]["status"]) == ("unknown", "not provable")
    assert "the receiver could not be queried" in found["reason"]
    assert found["gone_after_ms"] is not None, "it is taken back"


def test_the_alarms_that_a_query_finds_were_delivered(check: Check, tmp_path: Path) -> None:
    resource = {"event_severity": "Major", "resource_provider": "a", "resource_type": "b", "resource_id": "c"}
    expected = "{data: aom_alarms.firing, expect: {delivered: {within: 1s}}}"
    found = check(f"{expected}\nresources: {{aom_alarm: {{a: {json.dumps(resource)}}}}}", code=ExitCode.CHECK_FAILED)
    assert "found none, so nothing was delivered" in found["reason"]
    assert reconciler("apply", tmp_path, "--auto-approve").code == ExitCode.DONE
    done = reconciler("check", tmp_path)
    assert done.code == ExitCode.DONE, done
    assert "1 delivered, the last after" in done.out


def test_deliveries_can_be_queried_by_a_check(check: Check, receiver: Receiver) -> None:
    receiver.post(f"/hook/{HOOK_TOKEN}", {"reconciler_stack": "checkout", "status": "firing"})
    found = check(
        "{data: deliveries.pages, expect: {count: 1, all: {status: firing, receiver: pager}}}", code=ExitCode.DONE
    )
    assert found["delivery"] is None


LISTENING = """\
stack: checkout
providers:
  aom: {endpoint: embedded, project_id: p, auth: {token: t}}
  receiver: {endpoint: listen}
checks:
  path: {canary: {}, expect: {delivered: {within: 20s, resolved: true, at_most: 1}}}
drills:
  outage:
    max_duration: 10m
    resources:
      aom_alarm: {outage: {event_severity: Major, resource_provider: a, resource_type: b, resource_id: c}}
    steps: [{at: 1s, raise: aom_alarm.outage}, {at: 30s, check: path}, {at: 2m, clear: aom_alarm.outage}]
"""


def test_a_run_that_listens_proves_a_canary_without_any_other_process(tmp_path: Path) -> None:
    (tmp_path / "stack.yaml").write_text(LISTENING)
    done = reconciler("check", tmp_path, "--listen", "127.0.0.1:0", "--format", "json")
    assert done.code == ExitCode.DONE, done
    assert json.loads(done.out)["checks"][0]["delivery"]["status"] == "delivered"


def test_a_receiver_to_listen_with_must_be_started(tmp_path: Path) -> None:
    (tmp_path / "stack.yaml").write_text(LISTENING)
    done = reconciler("check", tmp_path)
    assert done.code == ExitCode.ERROR
    assert "start it with --listen HOST:PORT" in done.out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--listen", "0.0.0.0:0"], "anyone who reaches 0.0.0.0 could send to /alertmanager"),
        (["--listen", "8090"], "expected HOST:PORT"),
        (["--hostname", "a"], "--hostname requires --listen"),
    ],
)
def test_options_of_listening_that_do_not_fit_are_refused(tmp_path: Path, options: list[str], said: str) -> None:
    (tmp_path / "stack.yaml").write_text(LISTENING)
    done = reconciler("check", tmp_path, *options)
    assert done.code == ExitCode.ERROR
    assert said in done.err


def test_a_run_that_listens_on_all_addresses_is_reached_by_the_name_given(tmp_path: Path) -> None:
    (tmp_path / "stack.yaml").write_text(LISTENING)
    env = {"RECONCILER_SENDER_TOKEN": "sender-token-0123456789"}
    done = reconciler("check", tmp_path, "--listen", "0.0.0.0:0", "--hostname", "receiver.example.com", env=env)
    assert done.code == ExitCode.DONE, done


def test_a_rehearsal_proves_delivery_at_a_receiver_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "stack.yaml").write_text(LISTENING)
    done = reconciler("drill", "run", "outage", tmp_path, "--rehearse", "--speed", "30", "--format", "json")
    assert done.code == ExitCode.DONE, done
    assert "notification of its end arrived" in done.out
    [sent] = json.loads(done.out)["sent"]
    assert sent["delivered"] == "embedded"
    assert sent["delivered_after"] >= 0
    assert (sent["resolved"], sent["resolved_after"] >= 0) == ("embedded", True)
