"""The location of a ledger: a file in a directory, or a shared store named by a URL, whose module is imported on first
use.
"""

from pathlib import Path
from typing import NamedTuple

from reconciler.core.ledger_url import mask
from reconciler.ledger.protocol import Ledger

DIRECTORY = ".reconciler"
"""The ledger directory of a configuration that does not name one."""


class Location(NamedTuple):
    """Where a stack's ledger is: ``place`` is a directory or a URL."""

    place: Path | str
    stack: str

    @property
    def path(self) -> Path | None:
        """The file of a local ledger."""
        return self.place / f"{self.stack}.db" if isinstance(self.place, Path) else None

    @property
    def is_shared(self) -> bool:
        return isinstance(self.place, str)

    def __str__(self) -> str:
        """The location as messages print it."""
        return mask(self.place) if isinstance(self.place, str) else str(self.path)


def open_at(location: Location) -> Ledger:
    """Open a stack's ledger for writing; it is created if missing. Raises DiagnosticError if it cannot be used."""
    if location.path is not None:
        from reconciler.ledger.sqlite import open_ledger

        return open_ledger(location.path)
    from reconciler.ledger.kinds import open_store
    from reconciler.ledger.shared import SharedLedger

    return SharedLedger(open_store(location))


def read_at(location: Location) -> Ledger:
    """Open a stack's ledger for reading, beside any writer; a missing ledger reads as empty and is not created."""
    if location.path is not None:
        from reconciler.ledger.sqlite import read_ledger

        return read_ledger(location.path)
    from reconciler.ledger.kinds import open_store
    from reconciler.ledger.shared import SharedLedger

    return SharedLedger(open_store(location, reading=True), reading=True)
