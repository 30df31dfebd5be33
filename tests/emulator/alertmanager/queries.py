"""The table of queries: filters, states, groups and the status."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tests.emulator.alertmanager.scenario import Story, Table
from tests.emulator.alertmanager.target import Target

scenario = Table()

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

    def alert_groups() -> list[dict[str, Any]]:
        params = {"filter": 'alertname="groups"'}
        return list(target.send("GET", "/api/v2/alerts/groups", params=params).json())

    target.until(lambda: len(alert_groups()) >= expected)
    return [
        (
            group["receiver"]["name"],
            group["labels"],
            [(each["labels"]["id"], [one["name"] for one in each["receivers"]]) for each in group["alerts"]],
        )
        for group in alert_groups()
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
