"""Diagnostics as JSON: the output of any command that fails, and of ``validate`` for a valid stack."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from reconciler.config.stack import StackConfig
from reconciler.core.diagnostic import Diagnostic, Position, Severity
from reconciler.views.json.document import FORMAT_VERSION
from reconciler.views.phrases.plan import section_size

if TYPE_CHECKING:
    from reconciler.views.json.schema import Diagnostics, DiagnosticShape, Place


def diagnostics_document(diagnostics: Sequence[Diagnostic]) -> Diagnostics:
    """The document of a command that failed, or that only validates."""
    errors = sum(diagnostic.severity is Severity.ERROR for diagnostic in diagnostics)
    return {
        "format_version": FORMAT_VERSION,
        "error_count": errors,
        "warning_count": len(diagnostics) - errors,
        "diagnostics": [diagnostic_member(diagnostic) for diagnostic in diagnostics],
    }


def diagnostic_member(diagnostic: Diagnostic) -> DiagnosticShape:
    """One diagnostic, as a member of a document."""
    return {
        "severity": diagnostic.severity,
        "summary": diagnostic.summary,
        "hint": diagnostic.hint,
        "address": diagnostic.address,
        "more": diagnostic.repeated,
        "position": _position(diagnostic.position) if diagnostic.position is not None else None,
        "source": diagnostic.source,
    }


def _position(position: Position) -> Place:
    return {"file": position.file, "line": position.line, "column": position.column}


def validation_document(stack: StackConfig) -> Diagnostics:
    """The document of a valid stack."""
    types = Counter(desired.address.type for desired in stack.desired)
    return {
        **diagnostics_document(stack.warnings),
        "stack": stack.name,
        "resources": dict(sorted(types.items())),
        "queries": len(stack.data),
        "checks": section_size(stack, "checks"),
        "drills": section_size(stack, "drills"),
    }
