"""The table of scenarios on one server: what becomes of alerts and silences, and who is told.

A scenario uses labels of its own, so that all of them share a server, and can run on it at the same time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tests.emulator.alertmanager.target import Target, text_of

Steps = Callable[[Target], Any]


@dataclass(frozen=True, slots=True)
class Scenario:
    """``steps`` give what they observed; times in it are seconds from the beginning, to the nearest ten."""

    steps: Steps
    expected: Any

    @property
    def name(self) -> str:
        return self.steps.__name__


SCENARIOS: list[Scenario] = []


def scenario(expected: Any) -> Callable[[Steps], Steps]:
    def add(steps: Steps) -> Steps:
        SCENARIOS.append(Scenario(steps, expected))
        return steps

    return add


class Story:
    """The alerts of one name, at times counted from the beginning."""

    def __init__(self, target: Target, name: str) -> None:
        self.target = target
        self.name = name
        self.began = target.now()

    def alert(
        self,
        identifier: str = "1",
        *,
        start: float | None = None,
        end: float | None = 600,
        note: str = "",
        **labels: str,
    ) -> dict[str, Any]:
        """An alert whose ``start`` and ``end`` are seconds from the beginning, left out where None."""
        alert: dict[str, Any] = {"labels": {"alertname": self.name, "id": identifier, **labels}}
        for key, seconds in (("startsAt", start), ("endsAt", end)):
            if seconds is not None:
                alert[key] = self.time(seconds)
        if note:
            alert["annotations"] = {"note": note}
        return alert

    def push(self, *alerts: dict[str, Any]) -> None:
        self.target.push(*alerts)

    def clear(self, *identifiers: str, note: str = "", **labels: str) -> None:
        now = self.target.time()
        self.push(*({**self.alert(each, note=note, **labels), "endsAt": now} for each in identifiers))

    def time(self, seconds: float) -> str:
        return text_of(self.began + seconds)

    def shown(self) -> list[tuple[Any, ...]]:
        """What is active: id, start, end and note."""
        return sorted(
            (
                alert["labels"]["id"],
                self.since(alert["startsAt"]),
                self.since(alert["endsAt"]),
                alert["annotations"].get("note"),
            )
            for alert in self.target.query(f'alertname="{self.name}"')
        )

    def since(self, text: str) -> int:
        return round((datetime.fromisoformat(text).timestamp() - self.began) / 10) * 10

    def ids(self, *filters: str, **options: str) -> list[str]:
        found = self.target.query(f'alertname="{self.name}"', *filters, **options)
        return sorted(alert["labels"]["id"] for alert in found)


# Identity and defaults


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


# A second post of the same labels


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


# Queries

FILTERS: dict[str, list[str]] = {
    'x="1"': ["1"],
    "x=1": ["1"],
    " x = 1 ": ["1"],
    "x!=1": ["2", "3"],
    'x=~"1|2"': ["1", "2"],
    "x=~1|2": ["1", "2"],
    'x=~"."': ["1", "2"],
    'x=~"\\d"': ["1", "2"],
    'x!~"1|2"': ["3"],
    'x=""': ["3"],
    "x=": ["3"],
    'x!=""': ["1", "2"],
    'x=~"1|"': ["1", "3"],
    'x=~"(?i)ONE"': [],
    "x==1": [],
    'x="1",y="2"': ["error"],
    "x=1,y=2": [],
    'q="a\\"b\\\\c\\n"': ["3"],
    'q=~"a.b.*"': [],
    "q='x'": [],
    "nobody=": ["1", "2", "3"],
}


@scenario(FILTERS)
def filters(target: Target) -> Any:
    story = Story(target, "filters")
    story.push(story.alert("1", x="1"), story.alert("2", x="2"), story.alert("3", q='a"b\\c\n'))
    found = {}
    for text in FILTERS:
        params = [("filter", 'alertname="filters"'), ("filter", text)]
        answer = target.send("GET", "/api/v2/alerts", params=params)
        found[text] = sorted(each["labels"]["id"] for each in answer.json()) if answer.ok else ["error"]
    return found


SWITCHES: dict[str, list[str]] = {
    "active=false": ["inhibited", "silenced", "silenced-and-inhibited"],
    "active=nonsense": ["inhibited", "silenced", "silenced-and-inhibited"],
    "active=1": ["critical", "inhibited", "plain", "silenced", "silenced-and-inhibited"],
    "active=": ["critical", "inhibited", "plain", "silenced", "silenced-and-inhibited"],
    "silenced=false": ["critical", "inhibited", "plain"],
    "inhibited=False": ["critical", "plain", "silenced"],
    "unprocessed=false": ["critical", "inhibited", "plain", "silenced", "silenced-and-inhibited"],
    "receiver=hook": ["critical", "inhibited", "plain"],
    "receiver=hoo": [],
    "receiver=no.*": ["silenced", "silenced-and-inhibited"],
    "receiver=n..resolved|hook": ["critical", "inhibited", "plain", "silenced", "silenced-and-inhibited"],
}


@scenario(
    {
        **SWITCHES,
        "states": {
            "critical": ("active", 0, 0),
            "inhibited": ("suppressed", 0, 1),
            "plain": ("active", 0, 0),
            "silenced": ("suppressed", 1, 0),
            "silenced-and-inhibited": ("suppressed", 1, 1),
        },
        "inhibited by the critical one": True,
        "silenced by the silence": True,
    }
)
def states(target: Target) -> Any:
    story = Story(target, "states")
    story.push(
        story.alert("critical", severity="critical"),
        story.alert("inhibited", severity="warning"),
        story.alert("silenced", team="quiet"),
        story.alert("silenced-and-inhibited", severity="info", team="quiet"),
        story.alert("plain"),
    )
    silence = target.put_silence(target.silence(alertname="states", team="quiet"))
    found: dict[str, Any] = {}
    for text in SWITCHES:
        name, _, value = text.partition("=")
        found[text] = story.ids(**{name: value})
    alerts = {alert["labels"]["id"]: alert for alert in target.query('alertname="states"')}
    found["states"] = {
        name: (each["status"]["state"], len(each["status"]["silencedBy"]), len(each["status"]["inhibitedBy"]))
        for name, each in alerts.items()
    }
    inhibited, critical = alerts["inhibited"], alerts["critical"]
    found["inhibited by the critical one"] = inhibited["status"]["inhibitedBy"] == [critical["fingerprint"]]
    found["silenced by the silence"] = alerts["silenced"]["status"]["silencedBy"] == [silence]
    return found


@scenario(
    [
        ("few", {"alertname": "groups"}, [("3", ["few", "nobody"])]),
        ("hook", {"alertname": "groups"}, [("2", ["hook"]), ("1", ["hook"])]),
        ("nobody", {"alertname": "groups"}, [("3", ["few", "nobody"]), ("4", ["nobody"])]),
        ("hook", {"alertname": "groups", "id": "5"}, [("5", ["hook"])]),
    ]
)
def groups(target: Target) -> Any:
    story = Story(target, "groups")
    story.push(
        story.alert("1"),
        story.alert("2", job="a"),
        story.alert("3", team="both"),
        story.alert("4", team="nobody"),
        story.alert("5", team="slow"),
    )
    expected = 4

    def listed() -> list[dict[str, Any]]:
        params = {"filter": 'alertname="groups"'}
        return list(target.send("GET", "/api/v2/alerts/groups", params=params).json())

    target.until(lambda: len(listed()) >= expected)
    return [
        (
            group["receiver"]["name"],
            group["labels"],
            [(each["labels"]["id"], [one["name"] for one in each["receivers"]]) for each in group["alerts"]],
        )
        for group in listed()
    ]


@scenario({"cluster": "disabled", "peers": [], "version": "0.25.0", "config": True, "up": True})
def status(target: Target) -> Any:
    found = target.send("GET", "/api/v2/status").json()
    return {
        "cluster": found["cluster"]["status"],
        "peers": found["cluster"]["peers"],
        "version": found["versionInfo"]["version"],
        "config": "resolve_timeout" in found["config"]["original"],
        "up": datetime.fromisoformat(found["uptime"]).timestamp() <= target.now() + 1,
    }


# Silences


def described(target: Target, identifier: str, story: Story) -> tuple[Any, ...]:
    found = target.send("GET", f"/api/v2/silence/{identifier}").json()
    return found["status"]["state"], story.since(found["startsAt"]), story.since(found["endsAt"]), found["comment"]


@scenario([("active", 0, 600, "c"), ("active", 0, 60, "new"), ("expired", 0, 0, "new"), ("expired", 0, 0, "new")])
def the_life_of_a_silence(target: Target) -> Any:
    story = Story(target, "silence-life")
    body = target.silence(alertname="silence-life")
    identifier = target.put_silence(body)
    found = [described(target, identifier, story)]
    started = target.send("GET", f"/api/v2/silence/{identifier}").json()["startsAt"]
    changed = {**body, "id": identifier, "startsAt": started, "endsAt": story.time(60), "comment": "new"}
    assert target.put_silence(changed) == identifier
    found.append(described(target, identifier, story))
    for _ in range(2):
        answer = target.send("DELETE", f"/api/v2/silence/{identifier}")
        assert (answer.status_code, answer.text) == (200, "")
        found.append(described(target, identifier, story))
    return found


@scenario(("active", 0, 600, "c"))
def a_silence_from_the_past_starts_now(target: Target) -> Any:
    story = Story(target, "silence-past")
    return described(target, target.put_silence(target.silence(alertname="silence-past", start=-3600)), story)


@scenario([("pending", 300, 600, "c"), ("pending", 200, 600, "c"), ("expired", 0, 0, "c"), ["1"]])
def the_life_of_a_pending_silence(target: Target) -> Any:
    story = Story(target, "silence-pending")
    story.push(story.alert("1"))
    identifier = target.put_silence(target.silence(alertname="silence-pending", start=300))
    found = [described(target, identifier, story)]
    sooner = {**target.silence(alertname="silence-pending", start=200), "id": identifier}
    assert target.put_silence(sooner) == identifier
    found.append(described(target, identifier, story))
    target.send("DELETE", f"/api/v2/silence/{identifier}")
    return [*found, described(target, identifier, story), story.ids(silenced="false")]


@scenario({"matchers": "replaced", "start": "replaced", "expired": "replaced", "start of a pending one": "replaced"})
def what_replaces_a_silence(target: Target) -> Any:
    name = "silence-replaced"
    found = {}

    def change(what: str, identifier: str, body: dict[str, Any], old: str = "expired") -> None:
        new = target.put_silence({**body, "id": identifier})
        states = [target.send("GET", f"/api/v2/silence/{each}").json()["status"]["state"] for each in (identifier, new)]
        is_replaced = new != identifier and states[0] == old and states[1] != "expired"
        found[what] = "replaced" if is_replaced else f"{new == identifier} {states}"

    first = target.put_silence(target.silence(alertname=name))
    change("matchers", first, target.silence(alertname=name, x="1"))
    second = target.put_silence(target.silence(alertname=name))
    change("start", second, target.silence(alertname=name, start=60))
    third = target.put_silence(target.silence(alertname=name))
    target.send("DELETE", f"/api/v2/silence/{third}")
    change("expired", third, target.silence(alertname=name))
    fourth = target.put_silence(target.silence(alertname=name, start=300))
    change("start of a pending one", fourth, target.silence(alertname=name, start=-5))
    return found


@scenario(2)
def a_silence_posted_twice_is_there_twice(target: Target) -> Any:
    body = target.silence(alertname="silence-twice")
    target.put_silence(body)
    target.put_silence(body)
    return len(target.send("GET", "/api/v2/silences", params={"filter": 'alertname="silence-twice"'}).json())


@scenario([["soon", "late", "pending", "expired"], [], [], []])
def the_list_of_silences(target: Target) -> Any:
    name = "silence-list"
    for comment, start, end in (("expired", 0, 60), ("pending", 300, 600), ("late", 0, 600), ("soon", 0, 300)):
        identifier = target.put_silence(target.silence(alertname=name, comment=comment, start=start, end=end))
        if comment == "expired":
            target.send("DELETE", f"/api/v2/silence/{identifier}")

    def listed(text: str) -> list[str]:
        found = target.send("GET", "/api/v2/silences", params={"filter": text}).json()
        return [each["comment"] for each in found]

    return [listed(f'alertname="{name}"'), *(listed(f"alertname{end}") for end in (f'=~"{name}"', '!="x"', '=""'))]


@scenario({"regex": ["aab", "ab"], "not": ["ab", "b"], "not regex": ["b"], "both": ["aab"]})
def what_a_silence_matches(target: Target) -> Any:
    found = {}
    for what, matchers in {
        "regex": [("id", "a+b", True, True)],
        "not": [("id", "aab", False, False)],
        "not regex": [("id", "a+b", True, False)],
        "both": [("id", "a.*", True, True), ("id", "ab", False, False)],
    }.items():
        story = Story(target, f"silence-matches-{what.replace(' ', '-')}")
        story.push(*(story.alert(each) for each in ("ab", "aab", "b")))
        listed = [
            {"name": name, "value": value, "isRegex": regex, "isEqual": equal}
            for name, value, regex, equal in (*matchers, ("alertname", story.name, False, True))
        ]
        target.put_silence({**target.silence(), "matchers": listed})
        found[what] = sorted(set(story.ids()) - set(story.ids(silenced="false")))
    return found


# Who is told


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
    story.push(story.alert("1", start=-60, severity="critical"), story.alert("2", start=-60, severity="warning"))
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
    target.hook.answer("/broken", 503, 500)
    story.push(story.alert("1", start=-60, team="broken"))
    target.until(lambda: len(target.notifications(story.name)) >= 3)
    target.hook.answer("/broken", 400)
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
    target.until_notified(story.name, 1)
    delivery = target.hook.deliveries(alertname=story.name)[0]
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
