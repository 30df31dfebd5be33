"""A cluster of Alertmanager: its instances share silences but not alerts, so alerts are posted to each instance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

import requests.auth

from reconciler.core.diagnostic import Diagnostic, DiagnosticError
from reconciler.core.observed import KEY, STACK, Observed
from reconciler.core.text import Redactor
from reconciler.providers.alertmanager.settings import AlertmanagerAuth, AlertmanagerSettings
from reconciler.providers.alertmanager.wire import Alert, annotations_of, observed, owner_of, read_instant
from reconciler.providers.connection import check_ca_file, make_client, resolve_base_url
from reconciler.providers.http import Client
from reconciler.providers.protocol import ErrorKind, ProviderContext, ServiceError
from reconciler.providers.response import text
from reconciler.providers.settings import EMBEDDED, answers_at

_Answer = TypeVar("_Answer")

_WORST = (ErrorKind.AMBIGUOUS, ErrorKind.DENIED, ErrorKind.REJECTED, ErrorKind.BUSY, ErrorKind.UNSENT)
"""The overall error if instances fail in different ways: the most serious first."""


class Instance(NamedTuple):
    """One Alertmanager; ``name`` is its endpoint, as reports show it."""

    name: str
    client: Client
    headers: Mapping[str, str]


class Cluster:
    """All instances of one provider block; ``quorum`` is how many must accept a write."""

    def __init__(self, instances: Sequence[Instance], quorum: int) -> None:
        self.instances = tuple(instances)
        self.quorum = quorum
        self._pool = ThreadPoolExecutor(len(instances), "alertmanager") if len(instances) > 1 else None

    def ask_all(self, request: Callable[[Instance], _Answer]) -> dict[str, _Answer | ServiceError]:
        """Make a request at each instance concurrently; returns the responses by instance name."""

        def attempt(instance: Instance) -> _Answer | ServiceError:
            try:
                return request(instance)
            except ServiceError as error:
                return error

        if self._pool is None:
            return {instance.name: attempt(instance) for instance in self.instances}
        contexts = [copy_context() for _ in self.instances]
        answers = self._pool.map(lambda context, instance: context.run(attempt, instance), contexts, self.instances)
        return dict(zip((item.name for item in self.instances), answers, strict=True))

    def write(self, request: Callable[[Instance], object]) -> None:
        """Make a request at each instance. Raises ServiceError if fewer than the quorum accepted it.

        If the result at one instance is ambiguous, the whole is ambiguous: it is read back, then sent again where
        missing.
        """
        answers = self.ask_all(request)
        failed = {name: error for name, error in answers.items() if isinstance(error, ServiceError)}
        if len(answers) - len(failed) >= self.quorum and not any(
            error.kind is ErrorKind.DENIED for error in failed.values()
        ):
            return
        name, error = min(failed.items(), key=lambda item: _WORST.index(item[1].kind))
        partly = len(failed) < len(answers)
        kind = ErrorKind.AMBIGUOUS if partly and error.kind is not ErrorKind.DENIED else error.kind
        told = (
            f"{error.detail.message} (at {name}; {len(answers) - len(failed)} of {len(answers)} instances accepted it)"
        )
        detail = error.detail._replace(message=told) if len(answers) > 1 else error.detail
        raise ServiceError(kind, detail, error.retry_after, partly=partly)

    def close(self) -> None:
        """Close every connection."""
        for instance in self.instances:
            instance.client.close()
        if self._pool is not None:
            self._pool.shutdown()


def as_one(
    shown: Mapping[str, Sequence[Alert]], instances: Sequence[str], quorum: int, provider: str, stack: str, kind: str
) -> Iterator[Observed]:
    """Merge the stack's alerts of all instances; ``shown`` has each instance's response, by name.

    An alert is identified by its labels, and has the earliest start. Its content is what most instances show; in a tie,
    what was posted last. If fewer than the quorum show it so, the other instances are named.
    """
    by_labels: dict[str, dict[str, Alert]] = {}
    for name, alerts in shown.items():
        for alert in alerts:
            by_labels.setdefault(text(alert.get("fingerprint")), {})[name] = alert
    for places in by_labels.values():
        keys = {name: annotations_of(alert).get(KEY, "") for name, alert in places.items()}
        count = Counter(keys.values())
        best = max(places, key=lambda name: (count[keys[name]], read_instant(places[name].get("updatedAt")) or 0))
        begun = min((alert.get("startsAt") for alert in places.values()), key=lambda start: read_instant(start) or 0)
        found = observed({**places[best], "startsAt": begun}, provider, stack, kind)
        if found is None:
            continue
        if count[keys[best]] < quorum:
            found = found._replace(missing_at=tuple(name for name in instances if keys.get(name) != keys[best]))
        yield found


def by_owner(
    shown: Mapping[str, Sequence[Alert]], stacks: Collection[str]
) -> Mapping[str, Mapping[str, Sequence[Alert]]]:
    """Each instance's response, by stack, for ``as_one``.

    An alert that instances attribute to different stacks is passed to each of them.
    """
    owners: dict[str, set[str]] = {}
    for alerts in shown.values():
        for alert in alerts:
            owners.setdefault(text(alert.get("fingerprint")), set()).add(owner_of(alert).get(STACK, ""))
    found: dict[str, dict[str, list[Alert]]] = {stack: {} for stack in stacks}
    for name, alerts in shown.items():
        for alert in alerts:
            for stack in owners[text(alert.get("fingerprint"))]:
                if stack in found:
                    found[stack].setdefault(name, []).append(alert)
    return found


EMBEDDED_PREFIX = "/alertmanager"
"""The path of the embedded emulator's Alertmanager."""


def open_cluster(key: str, settings: AlertmanagerSettings, context: ProviderContext) -> Cluster:
    """A client for each instance, not yet connected. Raises DiagnosticError if one cannot be created."""
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
    assert auth.basic is not None  # noqa: S101 - narrows a type
    password = auth.basic.password.get_secret_value()
    return requests.auth.HTTPBasicAuth(auth.basic.username.encode(), password.encode())
