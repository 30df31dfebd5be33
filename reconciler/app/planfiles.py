"""Plan files: saved plans, written and read back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from reconciler import __version__
from reconciler.core.diagnostic import Diagnostic, DiagnosticError
from reconciler.plan.plan import Plan
from reconciler.plan.saved import parse_plan, plan_parts


def plan_file(plan: Plan, key: str | None = None) -> Iterator[str]:
    """The content of a plan file, in pieces, signed if there is a key."""
    return plan_parts(plan, __version__, key)


def load_plan(path: Path, key: str | None = None) -> Plan:
    """Read a saved plan. Raises DiagnosticError if the file is invalid, was altered, or is not signed with the key."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        hint = "check the path; `reconciler plan --out FILE` saves a plan, `reconciler ledger list` names past runs"
        if path == Path("-"):
            hint = "write /dev/stdin to read the plan from standard input"
        raise DiagnosticError(Diagnostic(f"cannot read {path}: {error.strerror}", hint=hint)) from None
    except UnicodeDecodeError:
        hint = "make one with `reconciler plan --out FILE`"
        raise DiagnosticError(Diagnostic(f"{path} is not a saved plan: it is not text", hint=hint)) from None
    return parse_plan(text, str(path), key)
