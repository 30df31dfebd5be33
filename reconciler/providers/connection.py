"""Connections: from a provider's settings to an authenticated client, with what is wrong told as diagnostics."""

from __future__ import annotations

import logging
from pathlib import Path

from reconciler.core.diagnostic import Diagnostic, DiagnosticError
from reconciler.providers.auth import authentication
from reconciler.providers.http import Client, is_loopback
from reconciler.providers.protocol import Environment, Limits
from reconciler.providers.settings import HuaweiSettings
from reconciler.providers.text import Secrets

log = logging.getLogger(__name__)


def connect(service: str, key: str, settings: HuaweiSettings, environment: Environment) -> Client:
    """A client for ``service`` (``aom``, ``ces``), not yet connected; raises DiagnosticError where it can't be made."""
    if settings.ca_file is not None and not Path(settings.ca_file).is_file():
        raise DiagnosticError(
            Diagnostic(
                f"providers.{key}.ca_file: there is no file {settings.ca_file}",
                hint="give the path of a PEM file, from the directory the command runs in",
            )
        )
    try:
        base_url = settings.base_url(service, environment.embedded_endpoint)
    except ValueError as error:
        raise DiagnosticError(Diagnostic(f"providers.{key}: {error}")) from None
    if base_url.startswith("http://") and not is_loopback(base_url):
        log.warning("providers.%s: %s is not encrypted: whoever is on the way can read the credentials", key, base_url)
    secrets = Secrets(settings.auth.secrets)
    return Client(
        base_url,
        auth=authentication(settings, secrets, environment.user_agent, environment.embedded_endpoint),
        secrets=secrets,
        user_agent=environment.user_agent,
        parallelism=settings.parallelism,
        timeout=settings.request_timeout / 1000,
        ca_file=settings.ca_file,
    )


def limits(settings: HuaweiSettings) -> Limits:
    """How the provider wants to be driven."""
    return Limits(
        batch_size=settings.batch_size,
        parallelism=settings.parallelism,
        rate_limit=settings.rate_limit,
        visible_within=settings.visible_within,
    )
