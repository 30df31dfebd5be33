"""Problems: the diagnostics a load has found so far, kept so that all of them are told at once."""

from __future__ import annotations

from collections.abc import Callable

from reconciler.config.yaml.source_map import SourceMap
from reconciler.core.address import Address
from reconciler.core.diagnostic import Diagnostic, DiagnosticError, Severity

Shown = Callable[[int], bool]


class DiagnosticCollector:
    """Collects diagnostics by place; one that is already there (same place, same words) is not added again.

    Nor is one that differs only in the instance of a ``for_each`` it was found in: those are counted.

    The lines of text are looked up at the end, when it is known which of them could hold a secret.
    """

    def __init__(self, texts: SourceMap) -> None:
        self.texts = texts
        self._found: dict[tuple[int, str], Diagnostic] = {}
        self._last: dict[tuple[int, str], str | None] = {}
        self._errors = 0

    def add(
        self,
        place: int | None,
        summary: str,
        hint: str | None = None,
        *,
        address: Address | None = None,
        severity: Severity = Severity.ERROR,
        rule: str | None = None,
    ) -> None:
        """Note a problem; without a place it concerns the whole, and is told first.

        ``address`` is that of an instance. Instances whose problems at one place break the same ``rule`` have the same
        problem, though what is said quotes the value of each; without a rule, those of which the same is said.
        """
        key = (-1 if place is None else place, summary if rule is None or address is None else f"\0{rule}")
        instance = None if address is None else str(address)
        found = self._found.get(key)
        if found is None:
            position = None if place is None else self.texts.position(place)
            self._found[key] = Diagnostic(summary, position, hint, None, instance, severity)
            self._errors += severity is Severity.ERROR
        elif found.address is not None and instance not in (None, found.address, self._last.get(key)):
            self._found[key] = found._replace(more=found.more + 1)
            self._last[key] = instance

    def __len__(self) -> int:
        """How many errors there are."""
        return self._errors

    def listed(self, shown: Shown) -> tuple[Diagnostic, ...]:
        """All of them by place; with the line of text where ``shown`` says it holds no secret."""
        listed = []
        for (place, _), found in sorted(self._found.items(), key=lambda item: (item[0][0], item[1].summary)):
            if place >= 0 and shown(place):
                line = self.texts.line(place)
                found = found._replace(source=line)
            listed.append(found)
        return tuple(listed)

    def stop(self, shown: Shown) -> None:
        """Raise DiagnosticError if there is an error."""
        if len(self):
            raise DiagnosticError(*self.listed(shown))
