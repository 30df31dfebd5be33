"""What is wrong with a plan file, told to the person who gave it."""

import json

from pydantic import ValidationError

from reconciler.core.diagnostic import Diagnostic, DiagnosticError, Position, expectation

_MAKE = "make a new one with `reconciler plan --out FILE`; a plan file is not edited"


def refused(name: str, why: str, hint: str, position: Position | None = None) -> DiagnosticError:
    """The diagnostic for the plan file ``name``."""
    return DiagnosticError(Diagnostic(f"the plan file cannot be used: {why}", position or Position(name, 1, 1), hint))


def not_a_plan(name: str, text: str, error: ValidationError, version: str) -> DiagnosticError:
    """The diagnostic for a text that is no plan of format ``version``, from what pydantic found."""
    findings = error.errors(include_url=False)
    for item in findings:
        if item["loc"][:1] == ("format_version",) and item["type"] != "missing":
            why = f"this version reads plan format {version}, and the file says {item['input']!r}"
            return refused(name, why, "make a new plan, or use the version of reconciler that made it")
    field = ".".join(str(part) for part in findings[0]["loc"])
    why = f"it is not a saved plan: {field or 'it'} {expectation(findings[0]['type'])}"
    return _not_json(name, text) or refused(name, why, _MAKE)


def _not_json(name: str, text: str) -> DiagnosticError | None:
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        why = "it is empty" if not text.strip() else "it is not JSON, or was cut short"
        return refused(name, why, _MAKE, Position(name, error.lineno, error.colno))
    except (ValueError, RecursionError):
        return refused(name, "its JSON is nested too deeply, or holds a number that is too long", _MAKE)
    return None
