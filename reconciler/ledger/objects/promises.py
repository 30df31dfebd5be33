"""The guarantees that a bucket must give to hold a ledger: tested before the first use of a prefix, and by the
doctor.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator

from reconciler.core.diagnostic import Diagnostic, DiagnosticError
from reconciler.core.duration import in_seconds
from reconciler.ledger.objects.link import ObjectLink
from reconciler.ledger.objects.segment import FORMAT
from reconciler.ledger.store import Probe

_MARK = "format.json"
_CLOCK_SLACK = 5_000  # ms between the clock in responses and the one in object timestamps
_ready: set[tuple[str, ...]] = set()  # prefixes that this process has tested successfully


def prepare(link: ObjectLink, *, create: bool) -> bool:
    """Whether the prefix is in use; with ``create`` it is put into use if the store gives its guarantees.

    Raises DiagnosticError if it does not, or if a newer version writes there.
    """
    if link.place in _ready:
        return True
    found = link.get(_MARK)
    if found is None:
        if not create:
            return False
        for probe in promises(link):
            if probe.problem is not None:
                raise DiagnosticError(
                    Diagnostic(
                        f"the ledger {link.label} cannot be kept there: the store does not give a guarantee:"
                        f" {probe.promise} ({probe.problem})",
                        hint="use another store, or PostgreSQL; reconciler ledger doctor URL tests all guarantees",
                    )
                )
        link.create(_MARK, json.dumps({"format": FORMAT}).encode())
    else:
        _check_version(found.data, link.label)
    _ready.add(link.place)
    return True


def _check_version(mark: bytes, label: str) -> None:
    try:
        version = int(json.loads(mark)["format"])
    except (ValueError, TypeError, KeyError):
        hint = "name a prefix that nothing else uses"
        raise DiagnosticError(Diagnostic(f"the ledger {label} has a {_MARK} of something else", hint=hint)) from None
    if version > FORMAT:
        raise DiagnosticError(
            Diagnostic(
                f"the ledger {label} was written by a newer reconciler: its format is {version},"
                f" this one reads up to {FORMAT}",
                hint="upgrade reconciler",
            )
        )


def promises(link: ObjectLink) -> Iterator[Probe]:
    """Test each guarantee with temporary objects. Raises DiagnosticError if nothing can be tested."""
    scratch = f".probe/{secrets.token_hex(8)}/"
    one, missing = f"{scratch}1", f"{scratch}2"
    try:
        yield _kept("an object is created only if there is none", _creates_once(link, one))
        yield _kept("a version is replaced only if it is the latest", _replaces_latest(link, one))
        yield _kept("an object that is missing is not replaced", _replaces_none(link, one, missing))
        yield _kept("what was written is listed", [found.name for found in link.list_objects(scratch)] == [one])
        found = link.get(one)
        apart = 0 if found is None else abs(found.modified - link.now())
        yield Probe(
            "answers and objects bear the time of one clock",
            None if apart <= _CLOCK_SLACK else f"they are {in_seconds(apart):.0f} s apart",
        )
        link.delete([one])
        yield _kept("what was removed is gone", link.get(one) is None)
    finally:
        link.delete([one, missing])


def tried_promises(url: str) -> list[Probe]:
    """Test every guarantee of a URL's bucket; one that cannot be tested counts as not given."""
    link = ObjectLink(url)
    tried: list[Probe] = []
    try:
        tried.extend(promises(link))
    except DiagnosticError as error:
        tried.append(Probe("objects are written, read, listed and removed", error.line))
    finally:
        link.close()
    return tried


def _creates_once(link: ObjectLink, name: str) -> bool:
    first, second = _unique(), _unique()
    return link.create(name, first) is None and link.create(name, second) == first and _is(link, name, first)


def _replaces_latest(link: ObjectLink, name: str) -> bool:
    found = link.get(name)
    new, stale = _unique(), _unique()
    if found is None or link.replace(name, new, found.tag) is None:
        return False
    return link.replace(name, stale, found.tag) is None and _is(link, name, new)


def _replaces_none(link: ObjectLink, name: str, missing: str) -> bool:
    found = link.get(name)
    return found is not None and link.replace(missing, _unique(), found.tag) is None and link.get(missing) is None


def _is(link: ObjectLink, name: str, data: bytes) -> bool:
    found = link.get(name)
    return found is not None and found.data == data


def _unique() -> bytes:
    return secrets.token_hex(16).encode()


def _kept(promise: str, holds: bool) -> Probe:
    return Probe(promise, None if holds else "it does not")
