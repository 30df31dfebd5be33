"""Documents kept beside a stack's ledger: drill records, and when each command last ran."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from threading import RLock
from typing import Protocol

from reconciler.core.files import write_text
from reconciler.ledger.kinds import open_store
from reconciler.ledger.location import Location
from reconciler.ledger.store import JournalStore

PREFIX = "drills/"


class Documents(Protocol):
    """Storage for documents, by names with a suffix."""

    def where(self, name: str) -> str:
        """The location of a document, for messages."""

    def names(self, suffix: str) -> Sequence[str]: ...

    def read(self, name: str) -> str | bytes | None:
        """The text of a document; None if it does not exist."""

    def write(self, name: str, text: str) -> None:
        """Write a document durably and atomically."""

    def delete(self, name: str) -> None: ...


class Files:
    """Documents in a directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def where(self, name: str) -> str:
        return str(self._directory / name)

    def names(self, suffix: str) -> Sequence[str]:
        return [file.name for file in self._directory.glob(f"*{suffix}")]

    def read(self, name: str) -> str | bytes | None:
        file = self._directory / name
        return file.read_bytes() if file.exists() else None

    def write(self, name: str, text: str) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        write_text(self._directory / name, text)

    def delete(self, name: str) -> None:
        (self._directory / name).unlink(missing_ok=True)


class SharedDocuments:
    """Documents in a shared ledger; thread-safe. Nothing is created before the first write."""

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
