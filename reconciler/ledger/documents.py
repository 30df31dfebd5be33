"""Documents of a stack in a shared ledger: the records of its drills."""

from __future__ import annotations

from collections.abc import Sequence
from threading import RLock

from reconciler.ledger.location import Location, open_store
from reconciler.ledger.store import JournalStore

PREFIX = "drills/"


class SharedDocuments:
    """Documents by name; any number of threads may call it. Nothing is made before the first is written."""

    def __init__(self, location: Location) -> None:
        self._location = location
        self._lock = RLock()
        self._store: JournalStore | None = None
        self._writing = False

    def where(self, name: str) -> str:
        return f"{self._location}: {PREFIX}{name}"

    def names(self, suffix: str) -> Sequence[str]:
        with self._lock:
            found = self._opened().documents(PREFIX)
        return [name.removeprefix(PREFIX) for name in found if name.endswith(suffix)]

    def read(self, name: str) -> str | bytes | None:
        with self._lock:
            return self._opened().document(PREFIX + name)

    def write(self, name: str, text: str) -> None:
        with self._lock:
            self._opened(writing=True).put_document(PREFIX + name, text)

    def delete(self, name: str) -> None:
        with self._lock:
            self._opened(writing=True).delete_document(PREFIX + name)

    def close(self) -> None:
        with self._lock:
            if self._store is not None:
                self._store.close()
                self._store = None

    def _opened(self, *, writing: bool = False) -> JournalStore:
        if self._store is not None and writing and not self._writing:
            self.close()
        if self._store is None:
            self._store = open_store(self._location, reading=not writing)
            self._writing = writing
        return self._store
