"""Connections: creates an authenticated client from a provider's settings; errors are diagnostics."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import requests.auth
from pydantic import BaseModel, SecretStr

from reconciler.core.diagnostic import Diagnostic, DiagnosticError
from reconciler.core.target import is_loopback
from reconciler.core.text import SHORTEST_SECRET, Redactor
from reconciler.providers.auth import authentication, check_allowed_endpoint
from reconciler.providers.http import Client
from reconciler.providers.protocol import Limits, ProviderContext
from reconciler.providers.settings import HuaweiSettings

log = logging.getLogger(__name__)


class HttpSettings(Protocol):
    """The settings for HTTP requests."""

    @property
    def parallelism(self) -> int: ...

    @property
    def request_timeout(self) -> int: ...

    @property
    def ca_file(self) -> str | None: ...

    @property
    def rate_limit(self) -> float | None: ...


def connect(service: str, key: str, settings: HuaweiSettings, context: ProviderContext) -> Client:
    """A client for ``service`` (``aom``, ``ces``), not yet connected. Raises DiagnosticError if the settings are
    invalid.
    """
    base_url = resolve_base_url(
        key, lambda: settings.base_url(service, context.embedded_endpoint), own=context.embedded_endpoint
    )
    check_ca_file(key, settings.ca_file)
    warn_of_short_secrets(key, base_url, settings.auth)
    secrets = Redactor(settings.auth.secrets)
    auth = authentication(settings, secrets, context)
    return make_client(base_url, auth, secrets, settings, context)


def resolve_base_url(key: str, base_url: Callable[[], str], *, own: str | None = None) -> str:
    """The URL in the provider's settings; their ValueError becomes a diagnostic.

    ``own`` is the URL of a server inside this process, which needs no permission.
    """
    try:
        url = base_url()
    except ValueError as error:
        raise DiagnosticError(Diagnostic(f"providers.{key}: {error}")) from None
    if url != own:
        check_allowed_endpoint(url)
    if url.startswith("http://") and not is_loopback(url):
        log.warning("providers.%s: %s is not encrypted: anyone on the network path can read the credentials", key, url)
    return url


def warn_of_short_secrets(key: str, base_url: str, auth: BaseModel, path: str = "auth") -> None:
    """Warn about credentials that are too short to be redacted, except those for loopback, which are not secret."""
    if is_loopback(base_url):
        return
    for name, value in auth:
        if isinstance(value, BaseModel):
            warn_of_short_secrets(key, base_url, value, f"{path}.{name}")
        elif isinstance(value, SecretStr) and len(value.get_secret_value()) < SHORTEST_SECRET:
            log.warning(
                "providers.%s.%s.%s: shorter than %d characters, so it is not masked where it is shown",
                key,
                path,
                name,
                SHORTEST_SECRET,
            )


def check_ca_file(key: str, ca_file: str | None) -> None:
    """Raise DiagnosticError if the file under ``ca_file`` is invalid."""
    if ca_file is not None and not Path(ca_file).is_file():
        raise DiagnosticError(
            Diagnostic(
                f"providers.{key}.ca_file: there is no file {ca_file}",
                hint="give the path of a PEM file, from the directory the command runs in",
            )
        )


def make_client(
    base_url: str,
    auth: requests.auth.AuthBase | None,
    secrets: Redactor,
    settings: HttpSettings,
    context: ProviderContext,
) -> Client:
    """A client for one service, not yet connected."""
    rate = settings.rate_limit
    turns = None
    if context.rate_limiter is not None:
        turns = context.rate_limiter(base_url, rate)
    elif rate is not None:
        from reconciler.providers.throttle import throttle

        turns = throttle(rate)
    return Client(
        base_url,
        auth=auth,
        secrets=secrets,
        user_agent=context.user_agent,
        now=context.now,
        parallelism=settings.parallelism,
        timeout_ms=settings.request_timeout,
        ca_file=settings.ca_file,
        throttle=turns,
    )


def limits(settings: HuaweiSettings) -> Limits:
    """The provider's limits for the applier."""
    return Limits(
        batch_size=settings.batch_size,
        parallelism=settings.parallelism,
        rate_limit=settings.rate_limit,
        visible_within=settings.visible_within,
        request_timeout=settings.request_timeout,
    )
