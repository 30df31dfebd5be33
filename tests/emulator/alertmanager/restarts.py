"""The table of scenarios that restart a server, or need a cluster: each has a target of its own."""

from __future__ import annotations

from typing import Any

from tests.emulator.alertmanager.scenario import Story, Table
from tests.emulator.alertmanager.target import Target

scenario = Table()


def silences(target: Target, name: str, peer: int = 0) -> list[str]:
    found = target.send("GET", "/api/v2/silences", params={"filter": f'alertname="{name}"'}, peer=peer).json()
    return [f"{each['comment']} {each['status']['state']}" for each in found]


def put(target: Target, name: str, comment: str) -> str:
    return target.put_silence({**target.silence(alertname=name, id="muted"), "comment": comment})


@scenario([["1"], ["kept active", "ended expired"], [], ["kept active", "ended expired"], True])
def a_restart_loses_alerts_and_keeps_silences(target: Target) -> Any:
    story = Story(target, "restart")
    started = target.send("GET", "/api/v2/status").json()["uptime"]
    target.push(story.alert("1"))
    put(target, story.name, "kept")
    target.send("DELETE", f"/api/v2/silence/{put(target, story.name, 'ended')}")
    before = story.ids(), silences(target, story.name)
    target.wait(0.1)
    target.restart()
    is_younger = target.send("GET", "/api/v2/status").json()["uptime"] > started
    return [*before, story.ids(), silences(target, story.name), is_younger]


@scenario([["1 firing"], ["1 firing", "2 firing"]])
def nobody_is_told_again_after_a_restart(target: Target) -> Any:
    story = Story(target, "restart-told")
    target.push(story.alert("1", start=-60))
    target.until_notified(story.name, 1)
    target.wait(0.5)  # for the log: it is written after the receiver's answer
    target.restart()
    target.push(story.alert("1", start=-60))
    target.wait(1.5)
    target.push(story.alert("2", start=-60))
    return target.until_notified(story.name, 2)


@scenario([["1 firing"], ["1 resolved"]])
def a_clear_after_a_restart_is_told(target: Target) -> Any:
    story = Story(target, "restart-cleared")
    target.push(story.alert("1", start=-60))
    target.until_notified(story.name, 1)
    target.wait(0.5)  # for the log: it is written after the receiver's answer
    target.restart()
    target.push({**story.alert("1", start=-60), "endsAt": target.time()})
    return target.until_notified(story.name, 2)


@scenario([[["1 firing"], ["1 firing"]], [], ["old active"]])
def a_kill_loses_what_was_not_written(target: Target) -> Any:
    story = Story(target, "kill")
    put(target, story.name, "old")
    target.restart()
    put(target, story.name, "new")
    target.push(story.alert("1", start=-60))
    target.until_notified(story.name, 1)
    target.restart(kill=True)
    lost = story.ids()
    target.push(story.alert("1", start=-60))
    return [target.until_notified(story.name, 2), lost, silences(target, story.name)]


@scenario(
    {
        "alerts": [["1"], []],
        "silences": [["c active"], ["c active"]],
        "muted": [["muted suppressed"], ["muted suppressed"]],
        "expired": [["c expired"], ["c expired"]],
        "cluster": [("ready", 2), ("ready", 2)],
    },
    peers=2,
)
def peers_share_silences_and_not_alerts(target: Target) -> Any:
    found: dict[str, Any] = {}
    story = Story(target, "peers")
    target.push(story.alert("1"), peers=[0])
    found["alerts"] = [
        [each["labels"]["id"] for each in target.query('alertname="peers"', peer=peer)] for peer in (0, 1)
    ]
    identifier = put(target, story.name, "c")
    target.until(lambda: silences(target, story.name, 1) == ["c active"])
    found["silences"] = [silences(target, story.name, peer) for peer in (0, 1)]
    target.push(story.alert("muted"), peers=[0, 1])
    found["muted"] = [
        [f"{each['labels']['id']} {each['status']['state']}" for each in target.query("id=muted", peer=peer)]
        for peer in (0, 1)
    ]
    target.send("DELETE", f"/api/v2/silence/{identifier}", peer=1)
    target.until(lambda: silences(target, story.name) == ["c expired"])
    found["expired"] = [silences(target, story.name, peer) for peer in (0, 1)]
    clusters = [target.send("GET", "/api/v2/status", peer=peer).json()["cluster"] for peer in (0, 1)]
    found["cluster"] = [(each["status"], len(each["peers"])) for each in clusters]
    return found


@scenario([["1 firing"], ["1 firing", "2 firing"]], peers=2)
def peers_that_have_the_same_alerts_tell_once(target: Target) -> Any:
    story = Story(target, "peers-told")
    target.push(story.alert("1", start=-60), peers=[0, 1])
    target.until_notified(story.name, 1)
    target.wait(3)
    target.push(story.alert("2", start=-60), peers=[0, 1])
    target.until_notified(story.name, 2)
    target.wait(3)
    return target.notifications(story.name)


@scenario([["1 firing"], ["1 resolved"], ["1 firing"]], peers=2)
def a_clear_at_one_peer_is_contradicted_by_the_other(target: Target) -> Any:
    story = Story(target, "peers-differ")
    target.push(story.alert("1", start=-60), peers=[0, 1])
    target.until_notified(story.name, 1)
    target.wait(1.5)
    target.push({**story.alert("1", start=-60), "endsAt": target.time()}, peers=[0])
    return target.until_notified(story.name, 3)[:3]
