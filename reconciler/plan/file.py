"""The plan file: a saved plan as text, and back, refused when it was altered."""

from __future__ import annotations

from pydantic import ValidationError

from reconciler.core.diagnostic import Diagnostic, DiagnosticError, Position
from reconciler.plan.plan import Plan
from reconciler.plan.planfile import FORMAT_VERSION, PlanDocument, absent, checksum, document_of, plan_of


def dump_plan(plan: Plan, tool_version: str) -> str:
    """The text of a plan file; secrets can't be in it, because none reaches a payload."""
    document = document_of(plan, tool_version)
    return document.model_dump_json(indent=2, exclude=set(absent(document))) + "\n"


def parse_plan(text: str, name: str) -> Plan:
    """Read a plan file back; ``name`` is for messages. Raises DiagnosticError where it is none, or was altered."""
    try:
        document = PlanDocument.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        if first["loc"] == ("format_version",) and first["type"] != "missing":
            raise _refused(
                name,
                f"this version reads plan format {FORMAT_VERSION}, and the file says {first['input']!r}",
                "make a new plan, or use the version of reconciler that made it",
            ) from None
        problem = f"{where}: {first['msg']}" if where else first["msg"]
        raise _refused(
            name, f"it is not a saved plan ({problem})", "make one with reconciler plan --out FILE"
        ) from None
    if checksum(document) != document.checksum:
        raise _refused(
            name,
            "it was altered after it was saved",
            "a plan is applied as it was shown, or not at all: make a new one",
        )
    try:
        return plan_of(document)
    except ValueError as error:
        raise _refused(name, str(error), "make a new plan") from None


def _refused(name: str, why: str, hint: str) -> DiagnosticError:
    return DiagnosticError(Diagnostic(f"the plan file can't be used: {why}", Position(name, 1, 1), hint))
