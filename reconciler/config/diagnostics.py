"""Diagnostics: collects the errors and warnings of one load, so that all of them are reported at once."""

from __future__ import annotations

from collections.abc import Callable

from reconciler.config.yaml.source_map import SourceMap
from reconciler.core.address import Address
from reconciler.core.diagnostic import Diagnostic, DiagnosticError, Position, Severity

Shown = Callable[[int], bool]


class DiagnosticCollector:
    """Collects diagnostics by offset; duplicates (same offset and message) are dropped.

    A diagnostic that differs only in its ``for_each`` instance is counted instead. Source lines are added at the end,
    when it is known which of them could hold a secret.
    """

    def __init__(self, source_map: SourceMap) -> None:
        self.source_map = source_map
        self._found: dict[tuple[int, str], Diagnostic] = {}
        self._last: dict[tuple[int, str], str | None] = {}
        self._errors = 0

    def add(
        self,
        offset: int | None,
        summary: str,
        hint: str | None = None,
        *,
        address: Address | None = None,
        severity: Severity = Severity.ERROR,
        rule: str | None = None,
        position: Position | None = None,
    ) -> None:
        """Add a diagnostic.

        Without an offset it concerns the whole stack, or a ``position`` in a file outside the stack, and sorts first.
        ``address`` is an instance's. Instances that break the same ``rule`` at one offset have the same problem,
        although each message quotes its own value; without a rule, those with the same message.
        """
        key = (-1 if offset is None else offset, summary if rule is None or address is None else f"\0{rule}")
        instance = None if address is None else str(address)
        found = self._found.get(key)
        if found is None:
            position = position if offset is None else self.source_map.position(offset)
            self._found[key] = Diagnostic(summary, position, hint, None, instance, severity)
            self._errors += severity is Severity.ERROR
        elif found.address is not None and instance not in (None, found.address, self._last.get(key)):
            self._found[key] = found._replace(repeated=found.repeated + 1)
            self._last[key] = instance

    @property
    def found(self) -> bool:
        """Whether there is an error or a warning."""
        return bool(self._found)

    def __len__(self) -> int:
        """The number of errors."""
        return self._errors

    def sorted(self, shown: Shown) -> tuple[Diagnostic, ...]:
        """All diagnostics by offset, with the source line if ``shown`` says that it holds no secret."""
        found_in_order = []
        for (offset, _), found in sorted(self._found.items(), key=lambda item: (item[0][0], item[1].summary)):
            if offset >= 0 and shown(offset):
                line = self.source_map.line(offset)
                found = found._replace(source=line)
            found_in_order.append(found)
        return tuple(found_in_order)

    def raise_if_errors(self, shown: Shown) -> None:
        """Raise DiagnosticError if there is an error."""
        if len(self):
            raise DiagnosticError(*self.sorted(shown))
