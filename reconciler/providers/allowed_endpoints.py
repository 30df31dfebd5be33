"""Allowed endpoints: the environment variable that pins where credentials may go, whatever a configuration says."""

from __future__ import annotations

import os
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

from reconciler.core.diagnostic import Diagnostic, DiagnosticError

VARIABLE = "RECONCILER_ALLOWED_ENDPOINTS"


def check_allowed_endpoint(url: str) -> None:
    """Raise DiagnosticError if the variable is set and names neither this URL nor its host.

    The variable holds URLs (``https://aom.example:8443``) or hosts (``aom.example``, ``*.myhuaweicloud.com``),
    separated by spaces or commas. A host allows https on its default port; a URL allows its scheme, host and port.
    """
    value = os.environ.get(VARIABLE)
    if value is None:
        return
    entries = value.replace(",", " ").split()
    if not any(_allows(entry.lower(), url) for entry in entries):
        raise DiagnosticError(
            Diagnostic(
                f"the endpoint {url} is not one of those that {VARIABLE} allows",
                hint=f"allowed: {' '.join(entries) or 'none'}; check `endpoint` or `region` under `providers`",
            )
        )


def _allows(entry: str, url: str) -> bool:
    scheme, host, port = _parts(url)
    wanted = _parts(entry if "://" in entry else f"https://{entry}")
    return scheme == wanted[0] and port == wanted[2] and bool(wanted[1]) and fnmatchcase(host, wanted[1])


def _parts(url: str) -> tuple[str, str, int | None]:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "", "", None
    return parts.scheme, (parts.hostname or "").lower(), port or {"http": 80, "https": 443}.get(parts.scheme)
