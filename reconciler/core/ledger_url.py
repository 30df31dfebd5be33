"""URLs of ledgers: which texts are URLs, and which parts of them must not be shown."""

from __future__ import annotations

import re

VARIABLE = "RECONCILER_LEDGER"
"""The environment variable with the location of ledgers."""

SCHEMES = ("postgresql", "postgres", "s3", "gs", "az")
"""The schemes of stores that several machines can share."""

ENVIRONMENT_VARIABLE = re.compile(r"\$\{\s*env\.(\w+)\s*\}")
"""An environment variable in the location of ledgers, ``${env.NAME}``."""

_SCHEME = r"([A-Za-z][A-Za-z0-9+.-]+):"
_CREDENTIALS = r"(?<=://)([^/@:\s]*):([^/\s]*)@"
_PARAMETER = r"(?i)((?:^|[?&])[a-z_]*(?:password|secret|token|key)[a-z_]*=)([^&\s]*)"


def scheme(text: str) -> str | None:
    """The scheme of a URL, in lower case; None for a path."""
    found = re.match(_SCHEME, text) if ":" in text else None
    return None if found is None else found[1].lower()


def mask(url: str) -> str:
    """The URL with passwords and keys masked."""
    return re.sub(_PARAMETER, r"\1***", re.sub(_CREDENTIALS, r"\1:***@", url))


def secrets_of(url: str) -> frozenset[str]:
    """The passwords and keys of a URL."""
    return frozenset(
        found[2] for pattern in (_CREDENTIALS, _PARAMETER) for found in re.finditer(pattern, url) if found[2]
    )
