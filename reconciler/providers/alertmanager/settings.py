"""Settings of an Alertmanager provider."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, SecretStr, model_validator

from reconciler.core.duration import SECOND
from reconciler.core.target import canonical_endpoint
from reconciler.providers.settings import (
    CA_FILE,
    EMBEDDED,
    SHARE_RATE_LIMIT,
    Credential,
    Secret,
    Strict,
    Wait,
    check_url,
    request_timeout,
    visible_within,
)

_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_RESERVED = frozenset({"authorization", "content-type", "content-length", "host", "user-agent", "accept"})


def _endpoint(value: str) -> str:
    if value == EMBEDDED:
        return value
    return check_url(value, f"an endpoint is {EMBEDDED}, or a URL such as https://alertmanager.example.com:9093")


def _header(name: str) -> str:
    if not _HEADER.fullmatch(name) or name.lower() in _RESERVED:
        raise ValueError("is not the name of a header that can be added")
    return name


def _header_value(value: SecretStr) -> SecretStr:
    if not re.fullmatch(r"[\x20-\x7e]*", value.get_secret_value()):
        raise ValueError("must hold printable ASCII characters only")
    return value


class BasicAuth(Strict):
    """A user and a password (`basic_auth_users` of the server's web configuration)."""

    username: str = Field(min_length=1, description="The user's name.")
    password: Secret = Field(description="The password; take it from a sensitive variable.")


class AlertmanagerAuth(Strict):
    """The credentials: a user and a password, or a bearer token."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": ["basic"]}, {"required": ["bearer"]}]})

    basic: BasicAuth | None = Field(None, description="A user and a password.")
    bearer: Credential | None = Field(None, description="A token for `Authorization: Bearer`.")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.basic is None) == (self.bearer is None):
            raise ValueError("give exactly one of: basic; bearer")
        return self

    @property
    def secrets(self) -> tuple[str, ...]:
        """The texts that must not be shown."""
        given = (self.bearer, self.basic.password if self.basic else None)
        return tuple(secret.get_secret_value() for secret in given if secret is not None)


class ClientCertificate(Strict):
    """A client certificate, with its private key."""

    cert_file: str = Field(min_length=1, description="The certificate, as a PEM file.")
    key_file: str = Field(min_length=1, description="Its private key, as a PEM file.")


class AlertmanagerSettings(Strict):
    """How to reach one Alertmanager, or every instance of a cluster."""

    model_config = ConfigDict(title="alertmanager")

    endpoints: list[Annotated[str, AfterValidator(_endpoint)]] = Field(
        min_length=1,
        max_length=16,
        description="Every instance of the cluster, each by its own URL: instances share silences, but no alerts, so "
        "each push and clear goes to all of them. `embedded` is the emulator inside the command.",
    )
    quorum: int | None = Field(
        None, ge=1, description="How many instances must accept an operation; all of them by default."
    )
    path_prefix: Annotated[str, Field(pattern=r"^(/[A-Za-z0-9._~-]+)*$")] = Field(
        "", description="The path before /api/v2, such as /alertmanager for Mimir (`--web.route-prefix`)."
    )
    auth: AlertmanagerAuth | None = Field(None, description="The credentials; none by default.")
    client_certificate: ClientCertificate | None = Field(None, description="A client certificate for mutual TLS.")
    headers: dict[Annotated[str, AfterValidator(_header)], Annotated[SecretStr, AfterValidator(_header_value)]] = Field(
        {}, description="More headers for every request, such as X-Scope-OrgID for Mimir and Cortex."
    )
    marks: Literal["labels", "annotations"] = Field(
        "labels",
        description="Where alerts carry the marks of their stack and address: in labels, by which they are "
        "queried; or in annotations, for alerts whose labels must equal those of the real ones. With "
        "annotations, every query reads all alerts of the server.",
    )
    parallelism: int = Field(2, ge=1, le=16, description="How many requests run at once, at most, for each instance.")
    rate_limit: float | None = Field(
        None, gt=0, description="The maximum number of requests a second, for each instance."
    )
    share_rate_limit: bool = SHARE_RATE_LIMIT
    batch_size: int = Field(1000, ge=1, le=10_000, description="How many alerts one request sends, at most.")
    request_timeout: Wait = request_timeout(30)
    visible_within: Wait = visible_within("an instance", 2 * SECOND)
    ca_file: str | None = CA_FILE

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(set(self.endpoints)) != len(self.endpoints):
            raise ValueError("endpoints names an instance twice")
        if self.quorum is not None and self.quorum > len(self.endpoints):
            raise ValueError(f"quorum is {self.quorum}, and there are {len(self.endpoints)} endpoints")
        return self

    @property
    def place(self) -> str:
        """The endpoints in canonical form and order."""
        return ",".join(sorted(canonical_endpoint(endpoint + self.path_prefix) for endpoint in self.endpoints))

    @property
    def project(self) -> str:
        """The tenant of Mimir and Cortex, or an empty text."""
        tenant = next((value for name, value in self.headers.items() if name.lower() == "x-scope-orgid"), None)
        return tenant.get_secret_value() if tenant else ""
