"""Requests to a bucket: plain and conditional, each with a timeout, and the store's clock.

A conditional write is not retried blindly: after a lost response or a conflict the object is read back. Each attempt
writes unique content, so finding that content means success.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from threading import Lock
from typing import Any, NamedTuple, TypeVar, cast
from urllib.error import HTTPError
from urllib.request import HTTPRedirectHandler, Request, build_opener

import obstore
from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    NotFoundError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)

from reconciler.core.diagnostic import Diagnostic, DiagnosticError
from reconciler.core.duration import MINUTE, from_datetime, in_seconds
from reconciler.core.ledger_url import mask
from reconciler.core.system_clock import monotonic, sleep
from reconciler.ledger.objects import bucket
from reconciler.ledger.objects.bucket import STATUS, open_bucket, said
from reconciler.ledger.store import FIRST, RESUME, RESUME_PAUSES

TRUSTED_CLOCK = MINUTE
"""How long (ms) a reading of the store's clock is extrapolated with the clock since boot."""

_AT_ONCE = 16
_FULL = re.compile("status code: 507|QuotaExceeded|InsufficientStorage|StorageFull|DiskFull")
_GONE = (NotFoundError, FileNotFoundError)
_FAILED = (BaseError, OSError)
_CHANGED = (AlreadyExistsError, PreconditionError, *_GONE)

Tag = dict[str, str]
"""What identifies a version of an object; a store uses an ETag, a version, or both."""

_T = TypeVar("_T")


class Found(NamedTuple):
    """An object as it was read."""

    data: bytes
    tag: Tag
    modified: int


class Listed(NamedTuple):
    """A listed object: its name below the prefix, its size, and when it was written (epoch ms)."""

    name: str
    size: int
    modified: int


class ObjectLink:
    """Requests to the objects below the prefix of a URL."""

    def __init__(self, url: str) -> None:
        self.label = mask(url.partition("?")[0])
        self._store, self._prefix, self._clock_at = open_bucket(url, self.label)
        self.place = (self._clock_at, self.label)
        self._answered = False
        self._down: DiagnosticError | None = None
        self._down_until = 0
        self._pool: ThreadPoolExecutor | None = None

    def get(self, name: str) -> Found | None:
        """Get an object; None if it does not exist."""

        def get() -> Found | None:
            try:
                found = obstore.get(self._store, self._path(name))
                return Found(bytes(found.bytes()), _tag(found.meta), from_datetime(found.meta["last_modified"]))
            except _GONE as error:
                if "NoSuchBucket" in str(error):
                    raise self._explained(error) from error
                return None

        return self._resumed(get)

    def get_all(self, names: Sequence[str]) -> list[Found | None]:
        """Get several objects concurrently."""
        return self.at_once(self.get, names)

    def at_once(self, work: Callable[[str], _T], names: Sequence[str]) -> list[_T]:
        """Call a function for each name, concurrently; the function must not call ``at_once``."""
        if len(names) < 2:
            return [work(name) for name in names]
        if self._pool is None:
            self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="ledger")
        return list(self._pool.map(work, names))

    def create(self, name: str, data: bytes) -> bytes | None:
        """Create an object that must not exist; None if this call wrote it, else the existing object."""

        def create() -> tuple[bytes | None] | None:
            try:
                obstore.put(self._store, self._path(name), data, mode="create", use_multipart=False)
            except _CHANGED as error:
                found = self.get(name)
                if found is None:  # a conflict with another request, or a missing bucket
                    self._check_bucket(error)
                    return None
                return (None if found.data == data else found.data,)
            return (None,)

        return self._decided(create)

    def replace(self, name: str, data: bytes, tag: Tag) -> Tag | None:
        """Replace the version of an object that ``tag`` identifies; None if it has another version."""

        def replace() -> tuple[Tag | None] | None:
            try:
                written = obstore.put(
                    self._store,
                    self._path(name),
                    data,
                    mode=cast("Any", tag),  # stores differ in which part of a version they require
                    use_multipart=False,
                )
            except _CHANGED:
                found = self.get(name)
                if found is not None and found.tag == tag:  # a conflict with another request, which failed as well
                    return None
                return (found.tag if found is not None and found.data == data else None,)
            return (_tag(written),)

        return self._decided(replace)

    def put(self, name: str, data: bytes) -> None:
        """Write an object unconditionally."""
        self._resumed(lambda: obstore.put(self._store, self._path(name), data, use_multipart=False))

    def put_all(self, names: Sequence[str], data: bytes) -> None:
        """Write the same content to many objects concurrently."""
        self.at_once(lambda name: self.put(name, data), names)

    def delete(self, names: Iterable[str]) -> None:
        """Delete objects; missing ones are ignored."""

        def delete(name: str) -> None:
            try:
                obstore.delete(self._store, self._path(name))
            except _GONE:
                return

        self.at_once(lambda name: self._resumed(lambda: delete(name)), list(names))

    def list_objects(self, start: str, after: str | None = None) -> list[Listed]:
        """List the objects whose names start with ``start``, which ends in a slash, in name order.

        With ``after``, only names greater than that.
        """
        skipped = len(self._prefix)

        def listing() -> list[Listed]:
            offset = None if after is None else self._path(after)
            stream = obstore.list(self._store, self._path(start), offset=offset, chunk_size=1000)
            return sorted(
                Listed(meta["path"][skipped:], meta["size"], from_datetime(meta["last_modified"]))
                for chunk in stream
                for meta in chunk
            )

        return self._resumed(listing)

    def children(self) -> list[str]:
        """The names directly below the prefix that have objects below them."""
        found = self._resumed(lambda: obstore.list_with_delimiter(self._store, self._prefix))
        return sorted(path[len(self._prefix) :] for path in found["common_prefixes"])

    def now(self) -> int:
        """The store's current time (epoch ms)."""
        return clock_of(self._clock_at, self._read_clock)

    def _read_clock(self) -> datetime:
        date = self._resumed(lambda: _date(self._clock_at))
        if date is None:
            raise self._diagnostic("cannot be used: the answers of the store have no Date", None, "use another store")
        return date

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None

    def _path(self, name: str) -> str:
        return self._prefix + name

    def _check_bucket(self, error: Exception) -> None:
        if isinstance(error, _GONE) and "NoSuchBucket" in str(error):
            raise self._explained(error) from error

    def _decided(self, write: Callable[[], tuple[_T] | None]) -> _T:
        """Retry a conditional write until its result is known."""
        until = monotonic() + RESUME
        tries = 0
        while (decided := self._resumed(write)) is None:
            if monotonic() > until:
                what = "cannot be written: the store answers each conditional write with a conflict"
                raise self._diagnostic(what, None, "try again in a moment, or run: reconciler ledger doctor URL")
            sleep(RESUME_PAUSES[min(tries, len(RESUME_PAUSES) - 1)])
            tries += 1
        return decided[0]

    def _resumed(self, work: Callable[[], _T]) -> _T:
        """Run a request that may be repeated, with retries if there is no response. Raises DiagnosticError."""
        if self._down is not None and monotonic() < self._down_until:
            raise self._down
        until = monotonic() + (RESUME if self._answered else FIRST)
        tries = 0
        while True:
            try:
                found = work()
            except _FAILED as error:
                if not _is_unanswered(error):
                    raise self._explained(error) from error
                if monotonic() > until:
                    # Once the store is unreachable, the writes that end a run do not wait a second time.
                    self._down, self._down_until = self._explained(error), monotonic() + RESUME
                    raise self._down from error
                sleep(RESUME_PAUSES[min(tries, len(RESUME_PAUSES) - 1)])
                tries += 1
            else:
                self._answered = True
                self._down = None
                return found

    def _explained(self, error: Exception) -> DiagnosticError:
        told = said(str(error))
        if _FULL.search(str(error)):
            return self._diagnostic("cannot be written: the store is full", told, "free some space, or raise its quota")
        if isinstance(error, UnauthenticatedError | PermissionDeniedError):
            hint = "check the credentials in the environment; docs/ledger.md lists the rights that the ledger needs"
            return self._diagnostic("cannot be used: the store refused the request", told, hint)
        if isinstance(error, _GONE):
            return self._diagnostic("has no bucket", told, "create the bucket, or correct its name in the URL")
        if _is_unanswered(error):
            return self._diagnostic("cannot be reached", told, "check the URL, its endpoint and the network")
        return self._diagnostic(
            "cannot be used", told, "check the URL, its options and the credentials in the environment"
        )

    def _diagnostic(self, what: str, said: str | None, hint: str) -> DiagnosticError:
        told = "" if said is None else f" ({said})"
        return DiagnosticError(Diagnostic(f"the ledger {self.label} {what}{told}", hint=hint))


def _is_unanswered(error: Exception) -> bool:
    """Whether a request got no response, or one that asks for a retry."""
    if isinstance(error, (UnauthenticatedError, PermissionDeniedError, *_CHANGED)):
        return False
    status = STATUS.search(str(error))
    if _FULL.search(str(error)):
        return False
    if status is None:
        return isinstance(error, OSError) or "error sending request" in str(error) or "HTTP error" in str(error)
    return status[1] in ("408", "429") or (status[1][0] == "5" and status[1] != "501")


def _tag(version: Any) -> Tag:
    return {key: version[key] for key in ("e_tag", "version") if version.get(key) is not None}


class _Reading(NamedTuple):
    at: int
    since_boot: int


_clocks: dict[str, _Reading] = {}
_clocks_lock = Lock()


def clock_of(where: str, read: Callable[[], datetime]) -> int:
    """A store's clock (epoch ms), shared by all links of this process; it is read again once a minute."""
    with _clocks_lock:
        known = _clocks.get(where)
        if known is None or monotonic() - known.since_boot > TRUSTED_CLOCK:
            _clocks[where] = known = _Reading(from_datetime(read()), monotonic())
        return known.at + monotonic() - known.since_boot


class _Staying(HTTPRedirectHandler):
    """Follows no redirect, since another server has another clock."""

    def redirect_request(self, *_: Any) -> None:
        return None


def _date(where: str) -> datetime | None:
    """The time in a store's response; without credentials the store refuses, but its response still has a date."""
    try:
        with build_opener(_Staying).open(Request(where, method="HEAD"), timeout=in_seconds(bucket.ANSWER)) as answer:  # noqa: S310 - http(s), as open_bucket checks
            headers = answer.headers
    except HTTPError as error:
        headers = error.headers
    except HTTPException as error:
        raise OSError(f"HTTP error: {error}") from error
    try:
        return parsedate_to_datetime(headers.get("Date", ""))
    except ValueError:
        return None
