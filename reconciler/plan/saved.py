"""Saved plans: writes the text of a plan file in pieces, and parses it."""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterator, Mapping

from pydantic import BaseModel, ValidationError

from reconciler.core.action import Action
from reconciler.core.diagnostic import Diagnostic, DiagnosticError, Position, expectation
from reconciler.core.digest import digest, digest_text
from reconciler.plan.plan import Plan
from reconciler.plan.planfile import (
    FORMAT_VERSION,
    PlanDocument,
    change_document,
    plan_of,
    unchanged_document,
    warning_document,
)

KEY_VARIABLE = "RECONCILER_PLAN_KEY"
"""The environment variable that holds the key."""

MIN_KEY_LENGTH = 16

_MAKE = "make a new one with `reconciler plan --out FILE`; a plan file is not edited"


def signing_key(environment: Mapping[str, str]) -> str:
    """The key in the environment. Raises DiagnosticError if there is none, or if it is too short."""
    key = environment.get(KEY_VARIABLE, "").strip()
    if len(key) >= MIN_KEY_LENGTH:
        return key
    found = "is not set" if not key else f"is shorter than {MIN_KEY_LENGTH} characters"
    hint = "set it to a random text that only the machines that plan and apply know, such as `openssl rand -hex 32`"
    raise DiagnosticError(Diagnostic(f"{KEY_VARIABLE} {found}: a plan cannot be signed or verified", hint=hint))


def sign(checksum: str, key: str) -> str:
    """The signature of a plan file with this checksum."""
    return hmac.new(key.encode(), f"reconciler-plan/{checksum}".encode(), "sha256").hexdigest()


def is_signed(checksum: str, signature: str | None, key: str) -> bool:
    """Whether the signature is that of the checksum, made with the key."""
    return signature is not None and hmac.compare_digest(sign(checksum, key).encode(), signature.encode())


def dump_plan(plan: Plan, tool_version: str, key: str | None = None) -> str:
    """The text of a plan file, signed if there is a key. No payload contains a secret, so neither does the file."""
    return "".join(plan_parts(plan, tool_version, key))


def plan_parts(plan: Plan, tool_version: str, key: str | None = None) -> Iterator[str]:
    """The same text in pieces, generated on demand, since it is larger than the plan."""
    head = _head(plan, tool_version)
    sums = _Checksum(head)
    yield "{"
    for name, value in head.items():
        yield f"\n  {_encode(name)}: {_indented(value, 2)},"
    changes = map(change_document, plan.pending)
    unchanged = (change for change in plan.changes if change.action is Action.NO_OP)
    for name, documents in (("changes", changes), ("unchanged", map(unchanged_document, unchanged))):
        yield f'\n  "{name}": ['
        between = ""
        for document in documents:
            sums.add(name, document)
            yield f"{between}\n    " + document.model_dump_json(indent=2).replace("\n", "\n    ")
            between = ","
        yield "\n  ]," if between else "],"
    if plan.warnings:
        warnings = [warning_document(warning).model_dump() for warning in plan.warnings]
        sums.add("warnings", warnings)
        yield f'\n  "warnings": {_indented(warnings, 2)},'
    yield f'\n  "checksum": {_encode(sums.value)}'
    yield f',\n  "signature": {_encode(sign(sums.value, key))}\n}}\n' if key is not None else "\n}\n"


_encode = json.JSONEncoder(indent=2, ensure_ascii=False).encode


def _indented(value: object, by: int) -> str:
    return _encode(value).replace("\n", "\n" + " " * by)


def _head(plan: Plan, tool_version: str) -> dict[str, object]:
    """The part of a plan file before its changes."""
    return {
        "format_version": FORMAT_VERSION,
        "tool_version": tool_version,
        "id": plan.id,
        "stack": plan.stack,
        "planned_at": plan.planned_at,
        "send_by": plan.send_by,
        "config_digest": plan.config_digest,
        "providers": dict(plan.providers),
        "targets": {key: str(target) for key, target in plan.targets.items()},
        "basis": dict(plan.basis),
    }


class _Checksum:
    """The digest of a plan file, computed from its parts: the head, the changes, what is unchanged, the warnings."""

    def __init__(self, head: Mapping[str, object]) -> None:
        self._sums = [digest(head)]

    def add(self, name: str, part: object) -> None:
        value = part.model_dump(mode="json") if isinstance(part, BaseModel) else part
        self._sums.append(f"{name} {digest(value)}")

    @property
    def value(self) -> str:
        return digest_text("\n".join(self._sums))


def checksum(document: PlanDocument) -> str:
    """The expected ``checksum`` of a document."""
    sums = _Checksum(document.model_dump(mode="json", exclude={"checksum", "signature", *_PARTS}))
    for change in document.changes:
        sums.add("changes", change)
    for unchanged in document.unchanged:
        sums.add("unchanged", unchanged)
    if document.warnings:
        sums.add("warnings", [warning.model_dump() for warning in document.warnings])
    return sums.value


_PARTS = ("changes", "unchanged", "warnings")


def parse_plan(text: str, name: str, key: str | None = None) -> Plan:
    """Parse a plan file; ``name`` is for messages.

    Raises DiagnosticError if it is not a plan file or was altered and, with a key, if it was not signed with it.
    """
    try:
        document = PlanDocument.model_validate_json(text)
    except ValidationError as error:
        raise _not_a_plan(name, text, error, FORMAT_VERSION) from None
    if checksum(document) != document.checksum:
        raise _refused(name, "it was altered after it was saved", _AS_SHOWN)
    if key is not None and not is_signed(document.checksum, document.signature, key):
        signed = "it was signed with another key" if document.signature else "it is not signed"
        raise _refused(name, signed, "make it with `reconciler plan --sign`, with the same key in the environment")
    try:
        plan = plan_of(document)
    except ValueError as error:
        raise _refused(name, str(error), "make a new plan") from None
    if plan.send_by != document.send_by:
        raise _refused(name, "its send_by is not that of its operations", _AS_SHOWN)
    return plan


_AS_SHOWN = "make a new plan; a saved plan is applied exactly as it was shown"


def _refused(name: str, why: str, hint: str, position: Position | None = None) -> DiagnosticError:
    """The diagnostic for the plan file ``name``."""
    return DiagnosticError(Diagnostic(f"the plan file cannot be used: {why}", position or Position(name, 1, 1), hint))


def _not_a_plan(name: str, text: str, error: ValidationError, version: str) -> DiagnosticError:
    """The diagnostic for a text that is not a plan of format ``version``, from pydantic's errors."""
    findings = error.errors(include_url=False)
    for item in findings:
        if item["loc"][:1] == ("format_version",) and item["type"] != "missing":
            why = f"this version reads plan format {version}, and the file says {item['input']!r}"
            return _refused(name, why, "make a new plan, or use the version of reconciler that made it")
    field = ".".join(str(part) for part in findings[0]["loc"])
    why = f"it is not a saved plan: {field or 'it'} {expectation(findings[0]['type'])}"
    return _not_json(name, text) or _refused(name, why, _MAKE)


def _not_json(name: str, text: str) -> DiagnosticError | None:
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        why = "it is empty" if not text.strip() else "it is not JSON, or was cut short"
        return _refused(name, why, _MAKE, Position(name, error.lineno, error.colno))
    except (ValueError, RecursionError):
        return _refused(name, "its JSON is nested too deeply, or holds a number that is too long", _MAKE)
    return None
