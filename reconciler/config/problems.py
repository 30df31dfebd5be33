"""Problems: the diagnostics a load has found so far, kept so that all of them are told at once."""

from __future__ import annotations

from collections.abc import Callable

from reconciler.config.place import Texts
from reconciler.core.address import Address
from reconciler.core.diagnostic import Diagnostic, DiagnosticError, Severity

Shown = Callable[[int], bool]


class Problems:
    """Collects diagnostics by place; one that is already there (same place, same words) is not added again.

    The lines of text are looked up at the end, when it is known which of them could hold a secret.
    """

    def __init__(self, texts: Texts) -> None:
        self.texts = texts
        self._found: dict[tuple[int, str], Diagnostic] = {}
        self._errors = 0

    def add(
        self,
        place: int | None,
        summary: str,
        hint: str | None = None,
        *,
        address: Address | None = None,
        severity: Severity = Severity.ERROR,
    ) -> None:
        """Note a problem; without a place it concerns the whole, and is told first."""
        key = (-1 if place is None else place, summary)
        if key not in self._found:
            position = None if place is None else self.texts.position(place)
            self._found[key] = Diagnostic(
                summary, position, hint, None, None if address is None else str(address), severity
            )
            self._errors += severity is Severity.ERROR

    def __len__(self) -> int:
        """How many errors there are."""
        return self._errors

    def listed(self, shown: Shown) -> tuple[Diagnostic, ...]:
        """All of them by place; with the line of text where ``shown`` says it holds no secret."""
        listed = []
        for (place, _), found in sorted(self._found.items(), key=lambda item: item[0]):
            if place >= 0 and shown(place):
                line = self.texts.line(place)
                found = Diagnostic(found.summary, found.position, found.hint, line, found.address, found.severity)
            listed.append(found)
        return tuple(listed)

    def stop(self, shown: Shown) -> None:
        """Raise DiagnosticError if there is an error."""
        if len(self):
            raise DiagnosticError(*self.listed(shown))
