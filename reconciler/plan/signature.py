"""Signatures of plan files: HMAC-SHA256 with a key that the planning and the applying machine share."""

from __future__ import annotations

import hmac
from collections.abc import Mapping

from reconciler.core.diagnostic import Diagnostic, DiagnosticError

KEY_VARIABLE = "RECONCILER_PLAN_KEY"
"""The environment variable that holds the key."""

MIN_KEY_LENGTH = 16


def signing_key(environment: Mapping[str, str]) -> str:
    """The key of the environment; DiagnosticError if there is none, or one too short to protect anything."""
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
