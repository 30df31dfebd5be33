"""Diagnostics as JSON: what any command answers when it fails.

``{"format_version", "error_count", "warning_count", "diagnostics": [{"severity", "summary", "hint", "address",
"more", "position": {"file", "line", "column"} | null, "source"}]}``; what a diagnostic lacks is null. ``more`` counts
the further instances of a ``for_each`` with the same problem; ``address`` is the first.
"""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.core.diagnostic import Diagnostic, Severity
from reconciler.views.json.document import document


def diagnostics_document(diagnostics: Sequence[Diagnostic]) -> dict[str, object]:
    """The document of a command that failed, or only checked."""
    errors = sum(diagnostic.severity is Severity.ERROR for diagnostic in diagnostics)
    return document(
        error_count=errors,
        warning_count=len(diagnostics) - errors,
        diagnostics=[diagnostic_member(diagnostic) for diagnostic in diagnostics],
    )


def diagnostic_member(diagnostic: Diagnostic) -> dict[str, object]:
    """One diagnostic, for a document."""
    return {
        "severity": diagnostic.severity.value,
        "summary": diagnostic.summary,
        "hint": diagnostic.hint,
        "address": diagnostic.address,
        "more": diagnostic.repeated,
        "position": diagnostic.position._asdict() if diagnostic.position else None,
        "source": diagnostic.source,
    }
