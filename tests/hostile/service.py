"""Answers that no service should give, by name; each is the raw bytes of a response to any request."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Mapping
from typing import Any

from tests.providers.service import Asked

NOW = 1_793_534_400_000
Answer = Callable[[Asked], bytes]


def response(body: bytes, status: str = "200 OK", **headers: str) -> bytes:
    """A whole response; header names are written with ``_`` for ``-``."""
    fields = {"Content-Type": "application/json", "Content-Length": str(len(body)), "Connection": "close"}
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status}\r\n{head}\r\n".encode("latin-1", "replace") + body


def page(*events: Mapping[str, Any], marker: object = "", count: object = None) -> bytes:
    """A page of AOM's; what JSON cannot write in UTF-8 is written as escapes."""
    info = {"next_marker": marker, "current_count": len(events) if count is None else count}
    return json.dumps({"events": list(events), "page_info": info}).encode()


def alarm(**changes: Any) -> dict[str, Any]:
    """An active alarm with the marks of the stack; metadata and annotations are merged."""
    metadata = {
        "event_type": "alarm",
        "event_name": "hot",
        "event_severity": "Major",
        "resource_provider": "ecs",
        "resource_type": "vm",
        "resource_id": "r1",
        "reconciler_stack": "hostile",
        "reconciler_address": "aom_alarm.hot",
        **changes.pop("metadata", {}),
    }
    annotations = {"message": "m", "reconciler_digest": "d", "reconciler_key": "k", **changes.pop("annotations", {})}
    fixed = {"id": "a1", "starts_at": NOW, "arrives_at": NOW, "ends_at": 0, "timeout": 1_800_000, "attach_rule": {}}
    return {**fixed, "metadata": metadata, "annotations": annotations, **changes}


def shows(*events: Mapping[str, Any], marker: object = "", count: object = None) -> Answer:
    """A service that shows these alarms, whatever it is asked, and takes every push."""
    content = page(*events, marker=marker, count=count)

    def reply(asked: Asked) -> bytes:
        return response(b"", "204 No Content") if asked.method == "PUT" else response(content)

    return reply


def always(content: bytes) -> Answer:
    return lambda asked: content


def says(value: object) -> Answer:
    """A service that answers everything with this JSON; what JSON cannot write in UTF-8 is written as escapes."""
    return always(response(json.dumps(value).encode()))


ODD_TEXT = {
    "surrogate": "half \ud83d of a pair",
    "nul": "a\x00b",
    "bidi": "a\u202eb\u2066c",
    "zero-width": "a\u200bb\ufeffc",
    "tags": "a\U000e0041\U000e0042b",
    "escapes": "a\x1b[31mb\x9b2Jc\x07",
    "lines": "a\r\n::error::b\u2028c\x85d",
    "markup": "<script>alert(1)</script>|`@all`![x](http://x)",
    "long": "x" * 100_000,
}


def _odd_texts() -> Mapping[str, Answer]:
    found: dict[str, Answer] = {}
    for name, text in ODD_TEXT.items():
        found[f"{name} in a value"] = shows(alarm(metadata={"resource_id": text}, annotations={"message": text}))
        found[f"{name} in a key"] = shows(alarm(metadata={text: "v"}, annotations={text: "v"}, attach_rule={text: 1}))
        found[f"{name} in the marks"] = shows(
            alarm(
                metadata={"reconciler_address": f"aom_alarm.hot[{json.dumps(text)}]"},
                annotations={"reconciler_digest": text, "reconciler_key": text, "reconciler_run": text},
            )
        )
        found[f"{name} in an id"] = shows(alarm(id=text))
        found[f"{name} in a marker"] = shows(alarm(), marker=text)
        body = json.dumps({"error_code": text[:200], "error_msg": text, "trace_id": text}).encode()
        found[f"{name} in an error"] = always(response(body, "400 Bad Request"))
    return found


def _echo(asked: Asked) -> bytes:
    """Everything that was sent, as an error message."""
    said = json.dumps({"error_code": "E", "error_msg": " ".join(f"{k}: {v}" for k, v in asked.headers.items())})
    return response(said.encode(), "400 Bad Request")


def _nested(levels: int) -> object:
    value: object = "x"
    for _ in range(levels):
        value = {"a": [value]}
    return value


def _deep(asked: Asked) -> bytes:
    return response(b'{"events":' + b"[" * 50_000 + b"]" * 50_000 + b"}")


ANSWERS: Mapping[str, Answer] = {
    **_odd_texts(),
    "nothing": always(b""),
    "no HTTP": always(b"220 smtp.example ESMTP\r\n"),
    "half a status line": always(b"HTTP/1.1 2"),
    "a strange status": always(response(b"", "999 What")),
    "status zero": always(response(b"", "000 None")),
    "only informational": always(b"HTTP/1.1 100 Continue\r\n\r\n" * 50),
    "switching protocols": always(response(b"", "101 Switching Protocols")),
    "a reset": always(response(b"", "205 Reset Content")),
    "a redirect": always(response(b"", "302 Found", Location="http://127.0.0.1:9/\x1b[31m")),
    "a redirect to itself": lambda asked: response(b"", "307 Temporary Redirect", Location=asked.path),
    "a page of a gateway": always(response(b"<html><h1>Welcome</h1></html>", Content_Type="text/html")),
    "an empty body": always(response(b"")),
    "null": always(response(b"null")),
    "a list": always(response(b"[1, 2]")),
    "a text": always(response(b'"\\u001b[31m"')),
    "bytes that are no text": always(response(b"\xff\xfe\x00{")),
    "half of the JSON": always(response(b'{"events": [')),
    "deep JSON": _deep,
    "infinite numbers": always(response(b'{"events": [{"id": 1e999, "metadata": NaN}]}')),
    "huge numbers": always(response(b'{"events": [{"id": 1' + b"0" * 5000 + b"}]}")),
    "too short": lambda asked: response(page())[:-10],
    "a length that lies": always(response(page(), Content_Length="7")),
    "a length that is no number": always(response(page(), Content_Length="many")),
    "a negative length": always(response(page(), Content_Length="-5")),
    "two lengths": always(response(page(), Content_length="3", Content_Length="70")),
    "a broken chunk": always(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\nzz\r\n{}\r\n"),
    "gzip that is none": always(response(page(), Content_Encoding="gzip")),
    "many layers of gzip": always(response(gzip.compress(page()), Content_Encoding=", ".join(["gzip"] * 50))),
    "thousands of headers": always(response(page(), **{f"X_{n}": "v" for n in range(3000)})),
    "a header of a megabyte": always(response(page(), X_Long="v" * 1_000_000)),
    "events that are no list": always(response(b'{"events": {"a": 1}}')),
    "events that are no objects": always(response(b'{"events": [1, null, "x", []]}')),
    "a marker that comes again": shows(alarm(), marker="1"),
    "a marker that is an object": shows(alarm(), marker={"a": 1}),
    "a megabyte of a marker": shows(alarm(), marker="m" * 2_000_000),
    "an error in a success": always(response(b'{"error_code": "E", "error_msg": {"a": ["\\u0000"]}}')),
    "everything that was sent": _echo,
    "a thousand alarms at one address": shows(*(alarm(id=f"a{n}") for n in range(1000))),
    "an address of another type": shows(alarm(metadata={"reconciler_address": "aom_event.hot"})),
    "an address that is none": shows(alarm(metadata={"reconciler_address": "]["})),
    "an address that is a number": shows(alarm(metadata={"reconciler_address": 7})),
    "a long address": shows(alarm(metadata={"reconciler_address": f"aom_alarm.{'x' * 100_000}"})),
    "marks that are objects": shows(alarm(annotations={"reconciler_digest": {"a": 1}, "reconciler_key": [1]})),
    "metadata that is a list": shows(alarm() | {"metadata": [1]}),
    "annotations that are a text": shows(alarm() | {"annotations": "x"}),
    "a nested rule": shows(alarm(attach_rule={"a": _nested(40)})),
    "a deeply nested rule": shows(alarm(attach_rule={"a": _nested(90)})),
    "times that are none": shows(alarm(starts_at="soon", arrives_at=[], ends_at={}, timeout="x")),
    "times beyond all years": shows(alarm(starts_at=10**18, arrives_at=10**18, timeout=10**18)),
    "times before all years": shows(alarm(starts_at=-(10**18), arrives_at=-(10**18), timeout=-5)),
    "fractions of times": shows(alarm(starts_at=1.5e300, timeout=1e308)),
}


def ces_page(*events: Mapping[str, Any], total: object = None) -> dict[str, Any]:
    """A page of Cloud Eye that is a listing of names and the details of one name."""
    return {"events": list(events), "event_info": list(events), "meta_data": {"total": total or len(events)}}


def ces_event(**changes: Any) -> dict[str, Any]:
    detail = {"event_state": "normal", "event_level": "Info", "content": "c", **changes.pop("detail", {})}
    fixed = {"event_name": "deployed", "event_source": "tests.hostile", "event_id": "e1", "time": NOW}
    return {**fixed, "event_type": "EVENT.CUSTOM", "detail": detail, **changes}


def bcm_page(*alarms: Mapping[str, Any], total: object = None) -> dict[str, Any]:
    return {"success": True, "msg": "", "result": {"alarms": list(alarms), "totalCount": total or len(alarms)}}


def bcm_alarm(**changes: Any) -> dict[str, Any]:
    fixed = {"id": "b1", "state": "ALERT", "startTime": NOW, "endTime": 0, "policy": {"aliasName": "busy"}}
    return {**fixed, **changes}


CES_ANSWERS: Mapping[str, Answer] = {
    **{name: ANSWERS[name] for name in ("nothing", "null", "a list", "half of the JSON", "deep JSON", "too short")},
    **{f"{name} in an error": ANSWERS[f"{name} in an error"] for name in ODD_TEXT},
    **{
        f"{name} in an event": says(ces_page(ces_event(event_id=text, detail={"content": text, "event_user": text})))
        for name, text in ODD_TEXT.items()
    },
    **{f"{name} in a name": says(ces_page(ces_event(event_name=text))) for name, text in ODD_TEXT.items()},
    "everything that was sent": _echo,
    "a page that comes again": says(ces_page(ces_event(), total=1000)),
    "events that are no objects": says(ces_page() | {"events": [1, None], "event_info": [1, None]}),
    "events that are no list": says({"events": {}, "event_info": "x"}),
    "a detail that is a list": says(ces_page(ces_event(detail={}) | {"detail": [1]})),
    "a time beyond all years": says(ces_page(ces_event(time=10**18))),
    "a total that is none": says(ces_page(ces_event(), total="many")),
    "a negative total": says(ces_page(ces_event(), total=-5)),
}

BCM_ANSWERS: Mapping[str, Answer] = {
    **{name: ANSWERS[name] for name in ("nothing", "null", "a text", "half of the JSON", "deep JSON", "too short")},
    **{f"{name} in an error": says({"success": False, "msg": text}) for name, text in ODD_TEXT.items()},
    **{
        f"{name} in an alarm": says(bcm_page(bcm_alarm(id=text, state=text, policy={"aliasName": text, "level": text})))
        for name, text in ODD_TEXT.items()
    },
    "everything that was sent": _echo,
    "a page that comes again": says(bcm_page(bcm_alarm(), total=1000)),
    "alarms that are no objects": says(bcm_page() | {"result": {"alarms": [1, None]}}),
    "a policy that is a list": says(bcm_page(bcm_alarm(policy=[1], resource="x", actions={"a": 1}))),
    "times beyond all years": says(bcm_page(bcm_alarm(startTime=10**18, endTime=10**17))),
    "a success that is a text": says({"success": "true", "result": {"alarms": []}}),
    "a total that is none": says(bcm_page(bcm_alarm(), total=[1])),
}


def am_alert(**changes: Any) -> dict[str, Any]:
    """An alert as Alertmanager's API shows it, with the marks of the stack; labels and annotations are merged."""
    labels = {
        "alertname": "hot",
        "severity": "critical",
        "reconciler_stack": "hostile",
        "reconciler_address": "alertmanager_alert.hot",
        **changes.pop("labels", {}),
    }
    annotations = {"reconciler_digest": "d", "reconciler_key": "k", **changes.pop("annotations", {})}
    fixed = {
        "fingerprint": "f1",
        "startsAt": "2026-11-01T12:00:00.000Z",
        "updatedAt": "2026-11-01T12:00:00.000Z",
        "endsAt": "2036-11-01T12:00:00.000Z",
        "receivers": [{"name": "oncall"}],
        "status": {"state": "active", "silencedBy": [], "inhibitedBy": [], "mutedBy": []},
        "generatorURL": "",
    }
    return {**fixed, "labels": labels, "annotations": annotations, **changes}


AM_ANSWERS: Mapping[str, Answer] = {
    **{name: ANSWERS[name] for name in ("nothing", "null", "a text", "half of the JSON", "deep JSON", "too short")},
    **{f"{name} in an error": ANSWERS[f"{name} in an error"] for name in ODD_TEXT},
    **{
        f"{name} in an alert": says([am_alert(labels={"job": text}, annotations={"summary": text}, fingerprint=text)])
        for name, text in ODD_TEXT.items()
    },
    **{
        f"{name} in a key": says([am_alert(labels={text: "v"}, annotations={text: "v"})])
        for name, text in ODD_TEXT.items()
    },
    **{
        f"{name} in the marks": says(
            [
                am_alert(
                    labels={"reconciler_address": f"alertmanager_alert.hot[{json.dumps(text)}]"},
                    annotations={"reconciler_digest": text, "reconciler_key": text},
                )
            ]
        )
        for name, text in ODD_TEXT.items()
    },
    "everything that was sent": _echo,
    "alerts that are no objects": says([1, None, "x", []]),
    "labels that are a list": says([am_alert() | {"labels": [1]}]),
    "times that are none": says([am_alert(startsAt="soon", endsAt=7, updatedAt=None)]),
    "times beyond all years": says([am_alert(startsAt="9999-12-31T23:59:59.999Z", endsAt="9999-12-31T23:59:59.999Z")]),
    "an address of another type": says([am_alert(labels={"reconciler_address": "aom_event.hot"})]),
    "a thousand alerts at one address": says(
        [am_alert(fingerprint=f"f{n}", labels={"n": str(n)}) for n in range(1000)]
    ),
}
