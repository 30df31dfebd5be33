"""Webhooks: where a run tells what happened, and how it is sent there; a failure to tell never fails a run."""

import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple
from urllib.parse import urlsplit

from reconciler.core.diagnostic import Diagnostic, DiagnosticError
from reconciler.core.duration import SECOND, format_duration, in_seconds
from reconciler.core.origin import Origin
from reconciler.core.system_clock import monotonic, sleep
from reconciler.core.text import SHORTEST_SECRET, sanitize

BOUND = 10 * SECOND
"""How long all webhooks of one event may take together."""
_CONNECT, _READ, _PAUSE = 3 * SECOND, 5 * SECOND, SECOND
_ATTEMPTS = 3
_BUSY = frozenset((429, 500, 502, 503, 504))
_TOKEN = re.compile(r"[A-Za-z0-9_-]{16,}")


class Trigger(StrEnum):
    """What a run tells."""

    DRIFT = "drift"
    """A service moved, and not the configuration."""
    APPLY_FAILED = "apply-failed"
    """An apply or destroy did not do all it was to do."""
    CHECK_FAILED = "check-failed"
    """A check failed, or could not be queried."""
    RECOVERED = "recovered"
    """A check that failed holds again; told by what tells changes alone."""
    DRILL_FAILED = "drill-failed"
    """A drill did not end well: a step, a check, or an alarm that may be left."""
    ERROR = "error"
    """The command ended with an error before it could tell."""
    DONE = "done"
    """All went well."""


FAILURES = tuple(trigger for trigger in Trigger if trigger is not Trigger.DONE)
"""The events that are sent by default."""


class WebhookFormat(StrEnum):
    """What the body of a request is."""

    JSON = "json"
    SLACK = "slack"
    CLOUDEVENTS = "cloudevents"


class Detail(NamedTuple):
    """What an event is about, one of several: an address, a check, a step; and what became of it."""

    subject: str
    text: str


class RunEvent(NamedTuple):
    """What a run tells. ``at`` is epoch milliseconds; ``run`` is its id in the ledger, or of a drill's record.

    ``details`` are bounded by the renderer, so they may be many. ``id`` is the same for every webhook and retry.
    """

    id: str
    trigger: Trigger
    stack: str
    command: str
    at: int
    summary: str
    origin: Origin
    run: str | None = None
    plan_id: str | None = None
    details: Sequence[Detail] = ()


class Message(NamedTuple):
    """The body of a request, and its headers."""

    headers: Mapping[str, str]
    body: bytes


def check_url(url: str) -> str:
    """The URL of a webhook; DiagnosticError if it is none. Of a wrong one, nothing is quoted: it may hold a token."""
    try:
        parts = urlsplit(url)
        wrong = parts.scheme not in ("http", "https") or not parts.hostname or (parts.port or 1) < 1
    except ValueError:
        wrong = True
    if wrong or not url.isprintable() or " " in url:
        hint = "write it like https://hooks.example.com/path"
        raise DiagnosticError(Diagnostic("a webhook is not an http or https URL", hint=hint))
    return url


def masked(url: str) -> str:
    """The URL as far as it can be shown: its path and query are often what allows to post."""
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname}{port}/…"


def secrets_of(url: str) -> Iterator[str]:
    """What of a URL must not be shown: the whole, its user's password, and whatever looks like a token."""
    yield url
    parts = urlsplit(url)
    if parts.password:
        yield parts.password
    for found in (*_TOKEN.findall(parts.path), *re.findall(r"=([^&]+)", parts.query)):
        if len(found) >= SHORTEST_SECRET:
            yield found


def post_all(messages: Mapping[str, Message], bound: int = BOUND) -> list[str]:
    """Post a message to each URL, side by side; returns what went wrong, in sentences without secrets.

    A refused connection, 429 and 5xx are tried again. Never raises, and returns within ``bound`` ms whatever the
    other side does; redirects are not followed.
    """
    deadline = monotonic() + bound
    failures: dict[str, str] = {}
    workers = {}
    for url, message in messages.items():
        # A daemon: one that hangs in the system's resolver must not keep the process.
        worker = threading.Thread(target=_post, args=(url, message, deadline, failures), name="webhook", daemon=True)
        worker.start()
        workers[url] = worker
    told = []
    for url, worker in workers.items():
        worker.join(in_seconds(max(deadline - monotonic(), 0)))
        why = f"no answer within {format_duration(bound)}" if worker.is_alive() else failures.get(url)
        if why is not None:
            told.append(f"cannot notify {masked(url)}: {why}")
    return told


def _post(url: str, message: Message, deadline: int, failures: dict[str, str]) -> None:
    import requests

    why = ""
    for attempt in range(_ATTEMPTS):
        if attempt:
            sleep(_PAUSE)
        if monotonic() >= deadline:
            break
        try:
            with requests.post(
                url,
                data=message.body,
                headers=dict(message.headers),
                timeout=(in_seconds(_CONNECT), in_seconds(_READ)),
                allow_redirects=False,
                stream=True,  # nothing of the answer is read but its head
            ) as response:
                status, reason = response.status_code, sanitize(str(response.reason), 80)
        except requests.ConnectionError as error:
            why = "connection failed" if not isinstance(error, requests.exceptions.SSLError) else "TLS failed"
        except requests.Timeout:
            failures[url] = "timed out"  # it may have arrived
            return
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not end a run
            failures[url] = type(error).__name__
            return
        else:
            if 200 <= status < 300:
                failures.pop(url, None)
                return
            why = f"{status} {reason}".strip()
            if status not in _BUSY:
                break
        failures[url] = why
    failures[url] = why or "no time was left"
