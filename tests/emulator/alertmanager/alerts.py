"""The table of alerts: what is stored of them, and what becomes of it."""

from __future__ import annotations

from typing import Any

from tests.emulator.alertmanager.scenario import Story, Table
from tests.emulator.alertmanager.target import Target

scenario = Table()


@scenario([("a", -60, 600, None), ("b", 600, 600, None), ("c", 0, 60, None), ("d", -60, 60, None)])
def times_left_out(target: Target) -> Any:
    story = Story(target, "times-left-out")
    story.push(
        story.alert("a", start=-60),
        story.alert("b"),
        story.alert("c", end=None),
        story.alert("d", start=-60, end=None),
    )
    return story.shown()


@scenario(
    {
        "annotations": {"empty": "", "note": "größer"},
        "endsAt": "2040-01-01T00:00:00.123+02:00",
        "fingerprint": "ec8503cb6272089b",
        "generatorURL": "http://h/x",
        "labels": {"alertname": "as-shown", "id": "1", "text": 'a"\\\n\u0000ß😀'},
        "receivers": [{"name": "hook"}],
        "startsAt": "2020-01-01T00:00:00.999Z",
        "status": {"inhibitedBy": [], "silencedBy": [], "state": "active"},
    }
)
def as_it_is_shown(target: Target) -> Any:
    story = Story(target, "as-shown")
    alert = {
        **story.alert(text='a"\\\n\u0000ß😀', empty=""),
        "annotations": {"empty": "", "note": "größer"},
        "startsAt": "2020-01-01T00:00:00.9999999Z",
        "endsAt": "2040-01-01T00:00:00.123456789+02:00",
        "generatorURL": "http://h/x",
    }
    story.push(alert)
    [shown] = target.query('alertname="as-shown"')
    del shown["updatedAt"]
    return shown


@scenario([["a�b"], ["a�b"]])
def text_that_is_no_unicode_is_replaced(target: Target) -> Any:
    found = []
    for index, sent in enumerate((b"a\xffb", b"a\\ud800b")):
        body = b'[{"labels": {"alertname": "unicode-%d", "text": "%b"}}]' % (index, sent)
        target.send("POST", "/api/v2/alerts", data=body, headers={"Content-Type": "application/json"})
        found.append([alert["labels"]["text"] for alert in target.query(f'alertname="unicode-{index}"')])
    return found


@scenario((400, "at least one label pair required", ["1", "2"]))
def the_good_ones_of_a_bad_batch_are_taken(target: Target) -> Any:
    story = Story(target, "partial")
    batch = [story.alert("1"), {"labels": {}}, story.alert("2")]
    answer = target.send("POST", "/api/v2/alerts", json=batch)
    return answer.status_code, answer.json(), story.ids()


@scenario((422, []))
def nothing_of_a_batch_against_the_schema_is_taken(target: Target) -> Any:
    story = Story(target, "schema")
    answer = target.send("POST", "/api/v2/alerts", json=[story.alert("1"), {}])
    return answer.status_code, story.ids()


@scenario([("1", -600, 3600, "new")])
def the_earlier_start_and_the_later_end_win(target: Target) -> Any:
    story = Story(target, "merge")
    story.push(story.alert(start=-600, end=600, note="old"))
    story.push(story.alert(start=-60, end=3600, note="new"))
    return story.shown()


@scenario([("1", -60, 3600, None)])
def an_end_is_not_shortened_and_annotations_are_erased(target: Target) -> Any:
    story = Story(target, "shorten")
    story.push(story.alert(start=-60, end=3600, note="old"))
    story.push(story.alert(start=-60, end=600))
    return story.shown()


@scenario([("1", -60, 600, None)])
def an_end_that_was_a_default_is_shortened(target: Target) -> Any:
    story = Story(target, "default-shortened")
    story.push(story.alert(start=-60, end=None))
    before = story.shown()
    story.push(story.alert(start=-60, end=30))
    assert [each[2] for each in before] == [60]
    shortened = story.shown()
    assert [each[2] for each in shortened] == [30]
    story.push(story.alert(start=-60, end=600))
    return story.shown()


@scenario([("1", -60, 3600, None)])
def a_default_end_does_not_shorten(target: Target) -> Any:
    story = Story(target, "default-after")
    story.push(story.alert(start=-60, end=3600))
    story.push(story.alert(start=-60, end=None))
    return story.shown()


@scenario([("1", -60, 600, "last")])
def the_last_of_a_batch_wins(target: Target) -> Any:
    story = Story(target, "twice")
    story.push(story.alert(start=-60, note="first"), story.alert(start=-60, note="last"))
    return story.shown()


@scenario([("1", 600, 3600, "later")])
def times_that_do_not_overlap_replace(target: Target) -> Any:
    story = Story(target, "apart")
    story.push(story.alert(start=-60, end=60, note="earlier"))
    story.push(story.alert(start=600, end=3600, note="later"))
    return story.shown()


@scenario([("1", -3600, 7200, "longer")])
def a_longer_time_around_replaces(target: Target) -> Any:
    story = Story(target, "around")
    story.push(story.alert(start=-60, end=600))
    story.push(story.alert(start=-3600, end=7200, note="longer"))
    return story.shown()


@scenario([["1", "2"], ["2"], [], ["1"]])
def a_clear_hides_and_a_push_shows_again(target: Target) -> Any:
    story = Story(target, "clear")
    story.push(story.alert("1", start=-60), story.alert("2", start=-60))
    found = [story.ids()]
    story.clear("1")
    found.append(story.ids())
    story.clear("2")
    found.append(story.ids())
    story.push(story.alert("1"))
    return [*found, story.ids()]


@scenario([("1", 0, 60, "shorter")])
def a_clear_and_a_push_in_one_batch_shorten(target: Target) -> Any:
    story = Story(target, "clear-and-push")
    story.push(story.alert(start=-60, end=3600, note="long"))
    now = target.now() - story.began
    story.push(story.alert(end=now - 0.002), story.alert(start=now - 0.001, end=60, note="shorter"))
    return story.shown()


@scenario((["1"], ["1"]))
def a_clear_with_one_label_less_clears_nothing(target: Target) -> Any:
    story = Story(target, "other-labels")
    story.push(story.alert("1", extra="x"))
    before = story.ids()
    story.clear("1")
    return before, story.ids()


@scenario((["1"], []))
def an_alert_expires_by_itself(target: Target) -> Any:
    story = Story(target, "expiry")
    story.push(story.alert(start=-60, end=1.5))
    before = story.ids()
    target.until(lambda: not story.ids())
    return before, story.ids()
