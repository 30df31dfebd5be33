"""Authentication for Huawei Cloud, for ``requests``: a token, or credentials from ``reconciler.providers.iam``."""

import os
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

import requests
import requests.auth

from reconciler.core.diagnostic import Diagnostic, DiagnosticError
from reconciler.core.text import Redactor
from reconciler.providers.protocol import ProviderContext
from reconciler.providers.settings import HuaweiSettings

TOKEN = "X-Auth-Token"  # noqa: S105 - the name of a header


class TokenAuth(requests.auth.AuthBase):
    """A fixed token from the settings."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers[TOKEN] = self._token
        return request


def authentication(settings: HuaweiSettings, secrets: Redactor, context: ProviderContext) -> requests.auth.AuthBase:
    """The authentication that the settings select. Raises DiagnosticError if the required extra is missing."""
    if settings.auth.token is not None:
        return TokenAuth(settings.auth.token.get_secret_value())
    from reconciler.providers.iam import iam_authentication

    return iam_authentication(settings, secrets, context)


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
