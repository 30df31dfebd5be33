"""The table of single calls: a request, and the status and the body of its answer."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

ALERTS = "/api/v2/alerts"
SILENCES = "/api/v2/silences"
NO_SILENCE = "/api/v2/silence/11111111-1111-4111-8111-111111111111"
JSON = {"Content-Type": "application/json"}

OBJECT = "an object with code and message"
NOTHING = "no body"
ANYTHING = "any body"


@dataclass(frozen=True, slots=True)
class Call:
    """``body`` is sent as it is; ``answer`` is a JSON value, or one of the words above."""

    name: str
    method: str
    path: str
    body: str | None
    status: int
    answer: object
    headers: dict[str, str] = field(default_factory=dict)


def push(name: str, alerts: Any, status: int, answer: object) -> Call:
    body = alerts if isinstance(alerts, str) else json.dumps(alerts)
    return Call(name, "POST", ALERTS, body, status, answer, JSON)


def alert(labels: object = None, **fields: object) -> dict[str, object]:
    return {"labels": {"alertname": "call"} if labels is None else labels, **fields}


def silence(name: str, status: int, answer: object, **changes: object) -> Call:
    """A silence that is right but for the changes; a field changed to ... is left out."""
    body: dict[str, object] = {
        "matchers": [{"name": "alertname", "value": "silence-call", "isRegex": False}],
        "startsAt": "2020-01-01T00:00:00Z",
        "endsAt": "2040-01-01T00:00:00Z",
        "createdBy": "test",
        "comment": "c",
        **changes,
    }
    sent = {key: value for key, value in body.items() if value is not ...}
    return Call(f"silence: {name}", "POST", SILENCES, json.dumps(sent), status, answer, JSON)


def matcher(**changes: object) -> list[dict[str, object]]:
    whole = {"name": "a", "value": "b", "isRegex": False, **changes}
    return [{key: value for key, value in whole.items() if value is not ...}]


def get(name: str, path: str, status: int, answer: object, method: str = "GET") -> Call:
    return Call(name, method, path, None, status, answer)


def required(name: str, code: int = 602, words: str = "is required") -> dict[str, object]:
    return {"code": code, "message": f"{name} in body {words}"}


NO_URI = 'must be of type uri: "{}"'
START_AFTER_END = "Failed to create silence: start time must be before end time"
MATCHES_EMPTY = "silence invalid: at least one matcher must not match the empty string"

CALLS = (
    # What a list of alerts may be
    push("an empty list", [], 200, NOTHING),
    push("null", "null", 200, NOTHING),
    push("text after the value", "[] x", 200, NOTHING),
    push("an object", {}, 400, OBJECT),
    push("text", '"x"', 400, OBJECT),
    push("a number in the list", [1], 400, OBJECT),
    push("no JSON", "[", 400, OBJECT),
    push("not a number", '[{"labels": {"a": NaN}}]', 400, OBJECT),
    push("an empty body", "", 422, required("alerts")),
    Call("no body and another type", "POST", ALERTS, None, 422, required("alerts"), {"Content-Type": "text/plain"}),
    *(
        Call(f"content type {kind!r}", "POST", ALERTS, "[]", status, answer, {"Content-Type": kind})
        for kind, status, answer in (
            ("application/json; charset=utf-8", 200, NOTHING),
            ("APPLICATION/JSON", 200, NOTHING),
            ("text/plain", 415, OBJECT),
            ("application/vnd.json", 415, OBJECT),
            ("application/json;;", 400, OBJECT),
            ("", 415, OBJECT),
        )
    ),
    # What an alert may be
    push("unknown fields", [alert(foo=5)], 200, NOTHING),
    push("nulls", [alert(annotations=None, startsAt=None, endsAt=None, generatorURL=None)], 200, NOTHING),
    push("a label twice", '[{"labels": {"alertname": "twice", "a": "b", "a": "c"}}]', 200, NOTHING),
    push("no alertname", [alert({"no": "name"})], 200, NOTHING),
    push("no labels", [{"annotations": {}}], 422, required("0.labels")),
    push("labels null", [{"labels": None}], 422, required("0.labels")),
    push("the second without labels", [alert(), {}], 422, required("1.labels")),
    push("labels empty", [alert({})], 400, "at least one label pair required"),
    push("empty values only", [alert({"a": "", "b-c": ""})], 400, "at least one label pair required"),
    push("a value null", [alert({"a": None})], 400, "at least one label pair required"),
    push("a value that is a number", [alert({"a": 1})], 400, OBJECT),
    push("labels in a list", [alert([])], 400, OBJECT),
    push("an annotation that is an object", [alert(annotations={"a": {}})], 400, OBJECT),
    push("an annotation null", [alert(annotations={"a": None})], 200, NOTHING),
    push("an odd label", [alert({"a-b": "c"})], 400, 'invalid label set: invalid name "a-b"'),
    push("a dotted label", [alert({"a.b": "c"})], 400, 'invalid label set: invalid name "a.b"'),
    push("an umlaut", [alert({"größe": "c"})], 400, 'invalid label set: invalid name "größe"'),
    push("an empty name", [alert({"": "c"})], 400, 'invalid label set: invalid name ""'),
    push("an odd annotation", [alert(annotations={"a-b": "c"})], 400, 'invalid annotations: invalid name "a-b"'),
    push(
        "two bad ones",
        [alert(startsAt="2030-01-01T00:00:00Z", endsAt="2029-01-01T00:00:00Z"), alert({})],
        400,
        "start time must be before end time; at least one label pair required",
    ),
    # Times
    *(
        push(f"time {text!r}", [alert({"alertname": "time"}, endsAt=text)], status, answer)
        for text, status, answer in (
            ("2030-01-01T00:00:00Z", 200, NOTHING),
            ("2030-01-01T00:00:00.123456789+02:00", 200, NOTHING),
            ("2030-01-01T00:00:00", 200, NOTHING),
            ("2030-01-01T00:00", 200, NOTHING),
            ("2030-01-01T00:00Z", 200, NOTHING),
            ("2030-01-01 00:00:00", 200, NOTHING),
            ("0001-01-01T00:00:00Z", 200, NOTHING),
            ("", 200, NOTHING),
            ("2030-01-01", 400, OBJECT),
            ("2030-01-01 00:00:00Z", 400, OBJECT),
            ("2030-01-01t00:00:00z", 400, OBJECT),
            ("2030-01-01T00:00:00+0200", 400, OBJECT),
            ("2030-13-01T00:00:00Z", 400, OBJECT),
            ("2030-01-01T24:00:00Z", 400, OBJECT),
            ("2030-01-01T00:00:60Z", 400, OBJECT),
            ("noon", 400, OBJECT),
        )
    ),
    push("a time that is a number", [alert(endsAt=1_900_000_000)], 400, OBJECT),
    # Generator URLs
    *(
        push(f"generator {url!r}", [alert({"alertname": "url"}, generatorURL=url)], 200, NOTHING)
        for url in ("", "/x", "http://", "http://h:80/a?b#c", "mailto:x", "urn:x:y", "http:/x")
    ),
    *(
        push(f"generator {url!r}", [alert(generatorURL=url)], 422, required("0.generatorURL", 601, NO_URI.format(url)))
        for url in ("foo", " http://x", "http://a b", "http://h/%zz")
    ),
    # Paths and methods
    get("ready", "/-/ready", 200, "OK"),
    get("healthy", "/-/healthy", 200, "OK"),
    get("a POST to ready", "/-/ready", 405, ANYTHING, "POST"),
    get("an unknown path", "/foo", 404, ANYTHING),
    get("an unknown path of the API", "/api/v2/foo", 404, {"code": 404, "message": "path /api/v2/foo was not found"}),
    get("the API itself", "/api/v2/", 404, OBJECT),
    get("a silence without id", "/api/v2/silence/", 404, OBJECT),
    get("a slash at the end", f"{ALERTS}/", 200, ANYTHING),
    get("PUT alerts", ALERTS, 405, OBJECT, "PUT"),
    get("DELETE alerts", ALERTS, 405, OBJECT, "DELETE"),
    get("HEAD alerts", ALERTS, 405, NOTHING, "HEAD"),
    get("POST status", "/api/v2/status", 405, OBJECT, "POST"),
    get("PUT silences", SILENCES, 405, OBJECT, "PUT"),
    get(
        "receivers", "/api/v2/receivers", 200, [{"name": n} for n in ("hook", "no.resolved", "few", "broken", "nobody")]
    ),
    # Filters
    *(
        get(f"filter {text}", f"{path}?filter={text}", 400, f"bad matcher format: {text}")
        for path in (ALERTS, f"{ALERTS}/groups", SILENCES)
        for text in ('{a="b"}', "a", "a-b=c", '"a"="b"', '="b"', "")
    ),
    *(
        get(
            f"filter {text}",
            f"{ALERTS}?filter={text}",
            400,
            f"matcher value contains unescaped double quote: {text[2:]}",
        )
        for text in ('a="b', 'a=b"', 'a="b"c', 'a="b",c="d"')
    ),
    get("a filter that RE2 refuses", f'{ALERTS}?filter=a=~"["', 400, ANYTHING),
    get("a receiver that RE2 refuses", f"{ALERTS}?receiver=[", 400, ANYTHING),
    # Silences
    silence("in the past until later", 200, ANYTHING),
    silence("unknown fields", 200, ANYTHING, foo=1),
    silence("an empty id", 200, ANYTHING, id=""),
    silence("an empty comment", 200, ANYTHING, comment="", createdBy=""),
    silence("a negative matcher of nothing", 200, ANYTHING, matchers=matcher(name="none", value="", isEqual=False)),
    silence("no start", 200, ANYTHING, startsAt="0001-01-01T00:00:00Z"),
    *(
        silence(f"without {name}", 422, required(name), **{name: ...})
        for name in ("comment", "createdBy", "endsAt", "matchers", "startsAt")
    ),
    silence("no matchers", 422, required("matchers", 612, "should have at least 1 items"), matchers=[]),
    *(
        silence(f"a matcher without {name}", 422, required(f"matchers.0.{name}"), matchers=matcher(**{name: ...}))
        for name in ("isRegex", "name", "value")
    ),
    silence("matchers in an object", 400, OBJECT, matchers={}),
    silence("a time that is none", 400, OBJECT, startsAt="noon"),
    silence("ends before it starts", 400, START_AFTER_END, startsAt="2041-01-01T00:00:00Z"),
    silence("no end", 400, START_AFTER_END, endsAt="0001-01-01T00:00:00Z"),
    silence("has ended", 400, "Failed to create silence: end time can't be in the past", endsAt="2021-01-01T00:00:00Z"),
    silence("matches nothing", 400, MATCHES_EMPTY, matchers=matcher(value="")),
    silence("matches anything", 400, MATCHES_EMPTY, matchers=matcher(value=".*", isRegex=True)),
    silence(
        "an odd name",
        400,
        'silence invalid: invalid label matcher 0: invalid label name "a-b"',
        matchers=matcher(name="a-b"),
    ),
    silence("a bad regex", 400, ANYTHING, matchers=matcher(value="[", isRegex=True)),
    silence("an unknown id", 404, "silence not found", id="11111111-1111-4111-8111-111111111111"),
    silence("an id that is none", 404, "silence not found", id="foo"),
    Call("silence: empty body", "POST", SILENCES, "", 422, required("silence"), JSON),
    Call("silence: null", "POST", SILENCES, "null", 422, required("comment"), JSON),
    Call("silence: a list", "POST", SILENCES, "[]", 400, OBJECT, JSON),
    Call("silence: text", "POST", SILENCES, "{}", 415, OBJECT, {"Content-Type": "text/plain"}),
    get("an unknown silence", NO_SILENCE, 404, NOTHING),
    get("expire an unknown silence", NO_SILENCE, 500, "silence not found", "DELETE"),
    get("no UUID", "/api/v2/silence/x", 422, {"code": 601, "message": 'silenceID in path must be of type uuid: "x"'}),
)
