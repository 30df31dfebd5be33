"""The kinds of shared ledgers: what the scheme of a URL names; the drivers of each are imported only then."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from reconciler.core.diagnostic import Diagnostic, DiagnosticError
from reconciler.core.ledger_url import mask, scheme
from reconciler.ledger.location import Location
from reconciler.ledger.store import JournalStore, Probe, Rates, Shards, StackState


def open_store(location: Location, *, reading: bool = False) -> JournalStore:
    """The store of a shared ledger. Raises DiagnosticError if it cannot be used, or if its extra is not installed."""
    url = str(location.place)
    with _extra_needed(url):
        return _kind(url).open(url, location.stack, reading)


def list_stacks(url: str) -> Sequence[StackState]:
    """Every stack of a shared ledger, sorted by name."""
    with _extra_needed(url):
        return _kind(url).stacks(url)


def rates_at(url: str) -> Rates | None:
    """The rate limits that processes share through this ledger; None if the store does not support it."""
    with _extra_needed(url):
        make = _kind(url).rates
        return None if make is None else make(url)


def shards_at(location: Location) -> Shards | None:
    """The shards of a stack; None if its ledger does not support several concurrent writers."""
    if location.path is not None:
        return None
    url = str(location.place)
    with _extra_needed(url):
        make = _kind(url).shards
        return None if make is None else make(url, location.stack)


def tried_promises(url: str) -> Sequence[Probe]:
    """Test the guarantees that this kind of store must give beyond those tested for every store."""
    with _extra_needed(url):
        tried = _kind(url).promises
        return () if tried is None else tried(url)


class _Kind(NamedTuple):
    """A kind of shared ledger, and the extra that installs its client."""

    extra: str
    open: Callable[[str, str, bool], JournalStore]
    stacks: Callable[[str], Sequence[StackState]]
    rates: Callable[[str], Rates] | None = None
    shards: Callable[[str, str], Shards] | None = None
    promises: Callable[[str], Sequence[Probe]] | None = None


def _open_postgres(url: str, stack: str, reading: bool) -> JournalStore:
    from reconciler.ledger.postgres import PostgresStore

    return PostgresStore(url, stack, reading=reading)


def _list_postgres(url: str) -> Sequence[StackState]:
    from reconciler.ledger import postgres

    return postgres.list_stacks(url)


def _postgres_rates(url: str) -> Rates:
    from reconciler.ledger.postgres_rate import PostgresRates

    return PostgresRates(url)


def _postgres_shards(url: str, stack: str) -> Shards:
    from reconciler.ledger.postgres_shards import PostgresShards

    return PostgresShards(url, stack)


_POSTGRES = _Kind("postgres", _open_postgres, _list_postgres, _postgres_rates, _postgres_shards)


def _open_objects(url: str, stack: str, reading: bool) -> JournalStore:
    from reconciler.ledger.objects.store import open_objects

    return open_objects(url, stack, reading=reading)


def _list_objects(url: str) -> Sequence[StackState]:
    from reconciler.ledger.objects import store

    return store.list_stacks(url)


def _objects_promises(url: str) -> Sequence[Probe]:
    from reconciler.ledger.objects import promises

    return promises.tried_promises(url)


_OBJECTS = _Kind("objectstore", _open_objects, _list_objects, promises=_objects_promises)
_KINDS = {"postgresql": _POSTGRES, "postgres": _POSTGRES, "s3": _OBJECTS, "gs": _OBJECTS, "az": _OBJECTS}


def _kind(url: str) -> _Kind:
    name = scheme(url) or ""
    if name not in _KINDS:
        raise DiagnosticError(Diagnostic(f"no ledger can be kept at {name}:", hint=f"known: a directory, {_known()}"))
    return _KINDS[name]


def _known() -> str:
    return ", ".join(f"{name}://..." for name in _KINDS if name != "postgres")


@contextmanager
def _extra_needed(url: str) -> Iterator[None]:
    """Convert a missing client library to a diagnostic that names the extra."""
    kind = _kind(url)
    try:
        yield
    except ImportError as error:
        if (error.name or "").startswith("reconciler"):
            raise
        summary = f"the ledger {mask(url)} needs the extra {kind.extra}, which is not installed ({error})"
        hint = f'run: pip install "alarm-reconciler[{kind.extra}]"'
        raise DiagnosticError(Diagnostic(summary, hint=hint)) from None
