"""The table of notifications: who is told of what."""

from __future__ import annotations

from typing import Any

from tests.emulator.alertmanager.scenario import Story, Table
from tests.emulator.alertmanager.target import Target

scenario = Table()


@scenario(
    [
        ["1 firing", "2 firing"],
        ["1 firing", "2 firing", "3 firing", "4 firing"],
        ["1 resolved", "2 firing", "3 firing", "4 firing"],
        ["2 resolved", "3 resolved", "4 resolved"],
    ]
)
def a_group_is_told_of_together(target: Target) -> Any:
    story = Story(target, "grouping")
    story.push(story.alert("1"))
    story.push(story.alert("2"))
    target.until_notified(story.name, 1)
    story.push(story.alert("3"))
    story.push(story.alert("4"))
    target.until_notified(story.name, 2)
    story.clear("1")
    target.until_notified(story.name, 3)
    story.clear("2", "3", "4")
    return target.until_notified(story.name, 4)


@scenario([["old firing"]])
def an_old_alert_does_not_wait_for_its_group(target: Target) -> Any:
    story = Story(target, "group-wait")
    story.push(story.alert("new", start=0, team="slow"))
    story.push(story.alert("old", start=-7200, team="slow"))
    return target.until_notified(story.name, 1)


@scenario([["1 firing"], ["1 firing", "2 firing"]])
def nobody_is_told_of_the_same_or_of_other_annotations(target: Target) -> Any:
    story = Story(target, "again")
    story.push(story.alert("1", start=-60))
    target.until_notified(story.name, 1)
    story.push(story.alert("1", start=-60))
    story.push(story.alert("1", start=-60, end=3600, note="other"))
    target.wait(2.5)
    story.push(story.alert("2"))
    return target.until_notified(story.name, 2)


@scenario([["2 firing"]])
def nobody_is_told_of_what_is_cleared_before_its_group_is_due(target: Target) -> Any:
    story = Story(target, "brief")
    story.push(story.alert("1"))
    story.clear("1")
    target.wait(1.5)
    story.push(story.alert("2"))
    return target.until_notified(story.name, 1)


@scenario(([["1 firing"], ["1 resolved"], ["2 firing"]], {"note": "why"}))
def a_clear_is_told_once_with_its_own_annotations(target: Target) -> Any:
    story = Story(target, "cleared")
    story.push(story.alert("1", start=-60, note="old"))
    target.until_notified(story.name, 1)
    story.clear("1", note="why")
    target.until_notified(story.name, 2)
    story.clear("1", note="why")
    target.wait(2.5)
    story.push(story.alert("2", start=-60))
    told = target.until_notified(story.name, 3)
    return told, target.hook.deliveries(alertname=story.name)[1].payload["alerts"][0]["annotations"]


@scenario([["1 firing"], ["1 resolved"]])
def an_expiry_is_told(target: Target) -> Any:
    story = Story(target, "expired")
    story.push(story.alert("1", start=-60, end=1.5))
    return target.until_notified(story.name, 2)


@scenario([["1 firing"], ["2 firing"]])
def who_does_not_want_to_hear_of_the_end_does_not(target: Target) -> Any:
    story = Story(target, "quiet")
    story.push(story.alert("1", start=-60, team="quiet"))
    target.until_notified(story.name, 1)
    story.clear("1", team="quiet")
    target.wait(2.5)
    story.push(story.alert("2", team="quiet"))
    return target.until_notified(story.name, 2)


@scenario([["1 firing"], ["1 firing"], ["1 firing"]])
def what_goes_on_is_told_again(target: Target) -> Any:
    story = Story(target, "repeat")
    story.push(story.alert("1", start=-60, team="again"))
    return target.until_notified(story.name, 3)[:3]


@scenario(([["1 firing"], ["1 resolved"]], [2, 2]))
def what_is_too_much_is_counted(target: Target) -> Any:
    story = Story(target, "many")
    story.push(*(story.alert(each, team="few") for each in "123"))
    target.until_notified(story.name, 1)
    story.clear("1", "2", "3", team="few")
    told = target.until_notified(story.name, 2)
    return told, [each.payload["truncatedAlerts"] for each in target.hook.deliveries(alertname=story.name)]


@scenario([["2 firing"], ["1 firing", "2 firing"]])
def nobody_is_told_of_a_silenced_alert_until_its_silence_ends(target: Target) -> Any:
    story = Story(target, "muted")
    silence = target.put_silence(target.silence(alertname="muted", id="1"))
    story.push(story.alert("1", start=-60), story.alert("2", start=-60))
    target.until_notified(story.name, 1)
    target.send("DELETE", f"/api/v2/silence/{silence}")
    return target.until_notified(story.name, 2)


@scenario([["1 firing"], ["1 resolved", "2 firing"]])
def nobody_is_told_of_an_inhibited_alert_until_what_inhibits_it_ends(target: Target) -> Any:
    story = Story(target, "inhibited")
    story.push(story.alert("1", severity="critical"), story.alert("2", severity="warning"))
    target.until_notified(story.name, 1)
    story.clear("1", severity="critical")
    return target.until_notified(story.name, 2)


@scenario([["1 firing"], ["1 firing", "2 firing"]])
def nobody_is_told_of_what_is_raised_again_at_once(target: Target) -> Any:
    story = Story(target, "shorter")
    story.push(story.alert("1", start=-60, end=3600))
    target.until_notified(story.name, 1)
    now = target.now() - story.began
    story.push(story.alert("1", end=now - 0.002), story.alert("1", start=now - 0.001, end=600))
    target.wait(2.5)
    story.push(story.alert("2"))
    return target.until_notified(story.name, 2)


@scenario([["1 firing"], ["1 resolved", "2 firing"]])
def a_replacement_is_told_in_one(target: Target) -> Any:
    story = Story(target, "replaced")
    story.push(story.alert("1", start=-60))
    target.until_notified(story.name, 1)
    story.push({**story.alert("1"), "endsAt": target.time()}, story.alert("2", start=0))
    return target.until_notified(story.name, 2)


@scenario([503, 500, 200, 400, 200])
def a_failed_delivery_is_tried_again(target: Target) -> Any:
    story = Story(target, "failing")
    target.hook.respond_with("/broken", 503, 500)
    story.push(story.alert("1", start=-60, team="broken"))
    target.until(lambda: len(target.notifications(story.name)) >= 3)
    target.hook.respond_with("/broken", 400)
    story.push(story.alert("2", start=-60, team="broken"))
    target.until(lambda: len(target.notifications(story.name)) >= 5)
    return [each.status for each in target.hook.deliveries(alertname=story.name)]


@scenario(
    {
        "alerts": [
            {
                "annotations": {"summary": "s", "note": "x"},
                "endsAt": "0001-01-01T00:00:00Z",
                "fingerprint": "107d17fa1787f465",
                "generatorURL": "http://h/x",
                "labels": {"alertname": "payload", "id": "1", "job": "j"},
                "startsAt": "2020-01-01T00:00:00.9999999Z",
                "status": "firing",
            },
            {
                "annotations": {"summary": "s"},
                "endsAt": "0001-01-01T00:00:00Z",
                "fingerprint": "dec226528a5321d6",
                "generatorURL": "",
                "labels": {"alertname": "payload", "id": "2", "job": "j"},
                "startsAt": "2020-01-01T02:00:00+02:00",
                "status": "firing",
            },
        ],
        "commonAnnotations": {"summary": "s"},
        "commonLabels": {"alertname": "payload", "job": "j"},
        "groupKey": '{}:{alertname="payload"}',
        "groupLabels": {"alertname": "payload"},
        "receiver": "hook",
        "status": "firing",
        "truncatedAlerts": 0,
        "version": "4",
    }
)
def what_a_webhook_says(target: Target) -> Any:
    story = Story(target, "payload")
    story.push(
        {
            **story.alert("1", job="j"),
            "startsAt": "2020-01-01T00:00:00.9999999Z",
            "annotations": {"summary": "s", "note": "x"},
            "generatorURL": "http://h/x",
        },
        {
            **story.alert("2", job="j"),
            "startsAt": "2020-01-01T02:00:00+02:00",
            "annotations": {"summary": "s"},
        },
    )
    # What began so long ago is told at once: the first alert alone, if the second comes a moment later.
    target.until(lambda: any(len(told) == 2 for told in target.notifications(story.name)))
    delivery = next(one for one in target.hook.deliveries(alertname=story.name) if len(one.payload["alerts"]) == 2)
    payload = dict(delivery.payload)
    assert payload.pop("externalURL").startswith("http://")
    assert delivery.headers["User-Agent"] == "Alertmanager/0.25.0"
    assert delivery.headers["Content-Type"] == "application/json"
    return payload


@scenario([r"no\.resolved", '{}/{team="quiet"}:{alertname="key"}'])
def how_a_receiver_and_a_group_are_named(target: Target) -> Any:
    story = Story(target, "key")
    story.push(story.alert("1", start=-60, team="quiet"))
    target.until_notified(story.name, 1)
    payload = target.hook.deliveries(alertname=story.name)[0].payload
    return [payload["receiver"], payload["groupKey"]]
