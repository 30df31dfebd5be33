"""kill -9 at 40 points of an apply to the real Alertmanager, alone and as a cluster, and one more apply.

Nothing is lost, nothing doubled, and no server repeats itself. Every point has a stack of its own; they stand side by
side at one server.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.e2e.alertmanager_stack import Stack
from tests.e2e.crash_harness import CrashHarness, Death, Step
from tests.emulator.alertmanager.target import Real
from tests.servers.alertmanager import alertmanager, alertmanager_cluster, alertmanager_config
from tests.servers.webhook import webhook_receiver

OPERATIONS = 10
DEATHS = [
    Death(Step.BEFORE_INTENT, 1),
    Death(Step.AFTER_INTENT, 1),
    Death(Step.BEFORE_CONFIRMING, 1),
    *(Death(Step.AFTER_BEGIN, count) for count in range(1, OPERATIONS + 1)),
    *(Death(Step.AFTER_SENDING, count) for count in range(1, OPERATIONS + 1)),
    *(Death(Step.BEFORE_OUTCOME, count) for count in range(1, OPERATIONS)),
    *(Death(Step.AFTER_OUTCOME, count) for count in range(1, OPERATIONS - 1)),
]
PEER_TIMEOUT_S = 3
GROUP_INTERVAL = {1: "500ms", 2: "15s"}
"""In a cluster the peer that waits for the other looks at alerts as they were before it waited: one that is cleared in
between it tells to fire. The clears of this test come before the next look, unless the machine is busy.
"""
PATIENCE_S = 60


def before(stack: Stack) -> Stack:
    stack.silences = {name: silence(name) for name in ("Commented", "Rematched", "Ended")}
    return stack.declare(Kept=alert(), Changed=alert(), Relabelled=alert(), Gone=alert())


def after(stack: Stack) -> Stack:
    """Ten operations: two replaces of two each, and an update, a create and a clear of each kind."""
    stack.silences = {
        "Commented": silence("Commented", comment="later"),
        "Rematched": silence("Another"),
        "Made": silence("Made"),
    }
    changed = alert(annotations={"summary": "changed"})
    return stack.declare(Kept=alert(), Changed=changed, Relabelled=alert("warning"), New=alert())


def alert(severity: str = "critical", **more: Any) -> dict[str, Any]:
    return {"labels": {"severity": severity}, "timeout": "1h", **more}


def silence(service: str, comment: str = "now") -> dict[str, Any]:
    return {"matchers": [f'service="{service}"'], "comment": comment, "duration": "1h"}


@contextmanager
def site(peers: int, directory: Path) -> Iterator[Real]:
    """The server, or both; every alert is a group of its own, so that each of its notifications is about it alone."""
    with webhook_receiver() as hook:
        config = alertmanager_config(
            hook.url, group_by=["..."], group_wait="200ms", group_interval=GROUP_INTERVAL[peers]
        )
        if peers == 1:
            with alertmanager(directory, config) as server:
                yield Real([server], hook)
        else:
            with alertmanager_cluster(directory, config, peer_timeout=f"{PEER_TIMEOUT_S}s") as servers:
                yield Real(servers, hook)


class Notified(NamedTuple):
    """A peer notified that an alert fires, or that it has ended."""

    alert: str
    status: str
    peer: str


def notified(servers: Real) -> list[Notified]:
    """What the peers told, in order."""
    told = []
    for delivery in servers.hook.deliveries():
        for alert in delivery.payload["alerts"]:
            labels = alert["labels"]
            name = f"{labels['reconciler_stack']} {labels['alertname']} {labels['severity']}"
            told.append(Notified(name, alert["status"], delivery.payload["externalURL"]))
    return told


def kinds(told: Sequence[Notified]) -> set[tuple[str, str]]:
    return {(each.alert, each.status) for each in told}


def repeated(told: Sequence[Notified]) -> list[Notified]:
    """What a peer told although it had told it before, and no peer anything else of that alert since.

    Two peers may tell the same: on a busy machine one does not hear of the other in time. And a process that is killed
    while its clear has come to one peer only leaves an alert that has ended there and fires at the other: both tell
    what they know, until the next apply.
    """
    found = []
    latest: dict[str, tuple[str, set[str]]] = {}
    for each in told:
        status, peers = latest.get(each.alert, ("", set()))
        if status != each.status:
            peers = set()
        elif each.peer in peers:
            found.append(each)
        latest[each.alert] = each.status, peers | {each.peer}
    return found


def await_count(count: Callable[[], int], expected: int) -> None:
    """Wait until so many came; more, or fewer in the end, are for the caller to notice."""
    deadline = time.monotonic() + PATIENCE_S
    while count() < expected and time.monotonic() < deadline:
        time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.parametrize("peers", [1, 2], ids=["alone", "cluster"])
def test_one_more_apply_completes_what_a_killed_one_began_and_no_server_repeats_itself(
    peers: int, tmp_path: Path, harness: CrashHarness
) -> None:
    assert len(set(DEATHS)) == 40
    with site(peers, tmp_path / "servers") as servers:
        stacks = [Stack(tmp_path / "stacks", servers, f"point-{number}") for number in range(len(DEATHS))]
        for stack in stacks:
            stack.settings = {"batch_size": 1, "parallelism": 1, "visible_within": "10s"}
            before(stack).apply("7 created")
        await_count(lambda: len(kinds(notified(servers))), 4 * len(stacks))
        for stack, death in zip(stacks, DEATHS, strict=True):
            after(stack)
            killed = harness.run("apply", stack.directory, "--auto-approve", death=death)
            assert killed.signal == signal.SIGKILL, f"{death}: {killed.out}{killed.err}"
        for stack, death in zip(stacks, DEATHS, strict=True):
            done = stack.run("apply", "--auto-approve")
            assert done.code == 0, f"{death}: {done.out}{done.err}"
        for stack, death in zip(stacks, DEATHS, strict=True):
            for peer in range(peers):
                assert firing(stack, peer) == EXPECTED, death
                assert standing(stack, peer) == ["Another now", "Commented later", "Made now"], death
        assert all("No changes. 4 alarms and 3 silences are as declared." in stack.plan() for stack in stacks[::13])
        await_count(lambda: len(kinds(notified(servers))), 8 * len(stacks))
        time.sleep(1 if peers == 1 else PEER_TIMEOUT_S + 1)  # for what should not come
        told = notified(servers)
        assert len(kinds(told)) == 8 * len(stacks)
        assert repeated(told) == []
        assert peers > 1 or len(told) == 8 * len(stacks)


EXPECTED = ["Changed critical changed", "Kept critical None", "New critical None", "Relabelled warning None"]


def firing(stack: Stack, peer: int) -> list[str]:
    return sorted(
        f"{each['labels']['alertname']} {each['labels']['severity']} {each['annotations'].get('summary')}"
        for each in stack.firing(peer)
    )


def standing(stack: Stack, peer: int) -> list[str]:
    shown = stack.shown(peer)
    return sorted(f"{each['matchers'][0]['value']} {each['comment'].splitlines()[0]}" for each in shown)
