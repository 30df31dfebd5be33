"""Connections: from the settings of a block to a client for each instance."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import requests.auth

from reconciler.core.diagnostic import Diagnostic, DiagnosticError
from reconciler.core.text import Redactor
from reconciler.providers.alertmanager.cluster import Cluster, Instance
from reconciler.providers.alertmanager.settings import AlertmanagerAuth, AlertmanagerSettings
from reconciler.providers.connection import check_ca_file, make_client, resolve_base_url
from reconciler.providers.protocol import ProviderContext
from reconciler.providers.settings import EMBEDDED, answers_at

EMBEDDED_PREFIX = "/alertmanager"
"""Where the embedded emulator answers as Alertmanager."""


def open_cluster(key: str, settings: AlertmanagerSettings, context: ProviderContext) -> Cluster:
    """A client for each instance, not yet connected; raises DiagnosticError where one cannot be made."""
    check_ca_file(key, settings.ca_file)
    secrets = Redactor(
        [
            *(settings.auth.secrets if settings.auth else ()),
            *(value.get_secret_value() for value in settings.headers.values()),
        ]
    )
    headers = {name: value.get_secret_value() for name, value in settings.headers.items()}
    instances = []
    for endpoint in settings.endpoints:
        own = f"{context.embedded_endpoint}{EMBEDDED_PREFIX}" if context.embedded_endpoint else None
        url = resolve_base_url(key, partial(answers_at, endpoint, endpoint, own), own=own)
        client = make_client(url, _auth(settings.auth), secrets, settings, context)
        certificate = settings.client_certificate
        if certificate is not None:
            for name, file in (("cert_file", certificate.cert_file), ("key_file", certificate.key_file)):
                if not Path(file).is_file():
                    raise DiagnosticError(
                        Diagnostic(
                            f"providers.{key}.client_certificate.{name}: there is no file {file}",
                            hint="give the path of a PEM file, from the directory the command runs in",
                        )
                    )
            client.use_certificate(certificate.cert_file, certificate.key_file)
        instances.append(Instance(EMBEDDED if endpoint == EMBEDDED else url, client, headers))
    return Cluster(instances, min(settings.quorum or len(instances), len(instances)))


class _BearerAuth(requests.auth.AuthBase):
    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def _auth(auth: AlertmanagerAuth | None) -> requests.auth.AuthBase | None:
    if auth is None:
        return None
    if auth.bearer is not None:
        return _BearerAuth(auth.bearer.get_secret_value())
    assert auth.basic is not None
    password = auth.basic.password.get_secret_value()
    return requests.auth.HTTPBasicAuth(auth.basic.username.encode(), password.encode())
