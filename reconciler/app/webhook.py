"""Webhooks: which events a run reports and how they are sent; a failed delivery never fails a run."""

import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

from reconciler.app.trigger import Trigger
from reconciler.core.diagnostic import Diagnostic, DiagnosticError
from reconciler.core.duration import SECOND, format_duration, in_seconds
from reconciler.core.origin import Origin
from reconciler.core.system_clock import monotonic, sleep
from reconciler.core.text import SHORTEST_SECRET, sanitize

BOUND = 10 * SECOND
"""How long (ms) all webhooks of one event may take together."""
_CONNECT, _READ, _PAUSE = 3 * SECOND, 5 * SECOND, SECOND
_ATTEMPTS = 3
_BUSY = frozenset((429, 500, 502, 503, 504))
_TOKEN = re.compile(r"[A-Za-z0-9_-]{16,}")


class Detail(NamedTuple):
    """One subject of an event (an address, a check, a step), and its result."""

    subject: str
    text: str


class RunEvent(NamedTuple):
    """An event of a run. ``at`` is epoch milliseconds; ``run`` is its id in the ledger, or that of a drill's record.

    The renderer limits ``details``, so they may be many. ``id`` is the same for every webhook and retry.
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
    """Validate the URL of a webhook. Raises DiagnosticError, which does not quote the URL, since it may hold a
    token.
    """
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
    """The URL without secrets: its path and query often authorize the caller."""
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname}{port}/…"


def secrets_of(url: str) -> Iterator[str]:
    """The parts of a URL that must not be shown: the whole, its user's password, and everything that looks like a
    token.
    """
    yield url
    parts = urlsplit(url)
    if parts.password:
        yield parts.password
    for found in (*_TOKEN.findall(parts.path), *re.findall(r"=([^&]+)", parts.query)):
        if len(found) >= SHORTEST_SECRET:
            yield found


def post_all(messages: Mapping[str, Message], bound: int = BOUND) -> list[str]:
    """Post a message to each URL concurrently; returns the errors as sentences without secrets.

    A refused connection, 429 and 5xx are retried. Never raises, and returns within ``bound`` ms whatever the server
    does; redirects are not followed.
    """
    deadline = monotonic() + bound
    failures: dict[str, str] = {}
    workers = {}
    for url, message in messages.items():
        # A daemon thread: one that hangs in the system's resolver must not keep the process alive.
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
                stream=True,  # only the head of the response is read
            ) as response:
                status, reason = response.status_code, sanitize(str(response.reason), 80)
        except requests.ConnectionError as error:
            why = "connection failed" if not isinstance(error, requests.exceptions.SSLError) else "TLS failed"
        except requests.Timeout:
            failures[url] = "timed out"  # the message may have arrived
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
