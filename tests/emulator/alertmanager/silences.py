"""The table of silences: their life, their list and what they match."""

from __future__ import annotations

from typing import Any

from tests.emulator.alertmanager.scenario import Story, Table
from tests.emulator.alertmanager.target import Target

scenario = Table()


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

    def comments(text: str) -> list[str]:
        found = target.send("GET", "/api/v2/silences", params={"filter": text}).json()
        return [each["comment"] for each in found]

    return [comments(f'alertname="{name}"'), *(comments(f"alertname{end}") for end in (f'=~"{name}"', '!="x"', '=""'))]


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
