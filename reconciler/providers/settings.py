"""Settings: those of every service, and those of Huawei Cloud services."""

import re
from collections.abc import Callable
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

from reconciler.core.duration import DAY, HOUR, MINUTE, SECOND, format_duration
from reconciler.core.fields import Duration
from reconciler.core.target import canonical_endpoint, domain_of
from reconciler.providers.protocol import VISIBLE_WITHIN

EMBEDDED = "embedded"
"""The endpoint of the embedded emulator."""

_PUBLIC_ENDPOINT = r"https://[a-z]+\.(?P<region>[a-z0-9-]+)\.(?P<domain>myhuaweicloud\.(?:com|eu))"
"""Regions of Huawei Cloud Europe, which have a separate domain."""


def _endpoint(value: str) -> str:
    if value == EMBEDDED:
        return value
    return check_url(value, f"an endpoint is {EMBEDDED}, or a URL such as https://aom.cn-north-4.myhuaweicloud.com")


def check_url(value: str, wanted: str) -> str:
    """A base URL without a trailing slash. Raises ValueError that says what is expected."""
    try:
        parts = urlsplit(value)
        fine = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        fine = None
    if not fine or parts.query or parts.fragment:
        raise ValueError(wanted)
    if parts.username is not None or parts.password is not None:
        raise ValueError("an endpoint cannot contain a user or a password: write them under auth")
    return value.rstrip("/")


def _credential(value: SecretStr) -> SecretStr:
    # It is sent in a header: anything else would fail there, with an error that quotes it.
    text = value.get_secret_value()
    if text.strip() != text and text.strip():
        raise ValueError("begins or ends with white space: remove it, such as the line end of a file")
    if not (text and text.isascii() and text.isprintable()) or " " in text:
        raise ValueError("must not be empty, and must hold neither spaces, line ends nor characters beyond ASCII")
    return value


def _secret(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if not text.strip():
        raise ValueError("must not be empty")
    if text.strip() != text:
        raise ValueError("begins or ends with white space: remove it, such as the line end of a file")
    return value


def _untrimmed(value: str) -> str:
    if value.strip() != value or not value:
        raise ValueError("must not be empty, nor begin or end with white space")
    return value


def _positive(value: int) -> int:
    if value <= 0:
        raise ValueError("must be longer than zero")
    return value


def _agency_duration(value: int) -> int:
    if not 15 * MINUTE <= value <= DAY:
        raise ValueError("must be from 15m to 24h")
    return value


def _at_most(longest: int) -> Callable[[int], int]:
    def check(value: int) -> int:
        if value > longest:
            raise ValueError(f"must be at most {format_duration(longest)}")
        return value

    return check


Endpoint = Annotated[str, AfterValidator(_endpoint)]
Credential = Annotated[SecretStr, AfterValidator(_credential)]
Secret = Annotated[SecretStr, AfterValidator(_secret)]
Name = Annotated[str, AfterValidator(_untrimmed)]
"""The name of a user, an account or an agency."""
PositiveDuration = Annotated[Duration, AfterValidator(_positive)]
Wait = Annotated[PositiveDuration, AfterValidator(_at_most(HOUR))]
"""How long a command may wait for a service."""
Lookback = Annotated[PositiveDuration, AfterValidator(_at_most(365 * DAY))]
"""How far back a query looks. Only AOM's page limits it, and only together with `step`, which is chosen to fit; no
service is known to keep older objects than a year.
"""
Region = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=64)]
ProjectId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


class Strict(BaseModel):
    """A block of settings: unknown keys are errors, and nothing is converted silently."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, allow_inf_nan=False, hide_input_in_errors=True, defer_build=True
    )


class Iam(Strict):
    """An IAM user who gets a token with a password."""

    user: Name = Field(min_length=1, description="The IAM user's name.")
    password: Secret = Field(description="The IAM user's password; take it from a sensitive variable.")
    domain: Name = Field(min_length=1, description="The account (domain) the user belongs to.")
    project: Name = Field(min_length=1, description="The name of the project the token is for, such as cn-north-4.")
    endpoint: Endpoint | None = Field(
        None, description="Where IAM is; by default the IAM of the region, or the emulator when it is embedded."
    )


class Agency(Strict):
    """An agency of another account whose permissions are assumed: IAM issues a temporary access key for it."""

    name: Name = Field(min_length=1, description="The agency's name.")
    domain: Name = Field(min_length=1, description="The account (domain) that created the agency.")
    duration: Annotated[PositiveDuration, AfterValidator(_agency_duration)] = Field(
        HOUR,
        description="How long a temporary access key is valid, from 15m to 24h; 1h by default.",
        json_schema_extra={"default": "1h"},
    )
    endpoint: Endpoint | None = Field(
        None, description="Where IAM is; by default the IAM of the region, or the emulator when it is embedded."
    )


class Auth(Strict):
    """The credentials: a token, an access key, or an IAM user."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": ["token"]}, {"required": ["ak", "sk"]}, {"required": ["iam"]}]}
    )

    token: Credential | None = Field(None, description="A token obtained from IAM.")
    ak: Credential | None = Field(None, description="The id of an access key; needs the extra huaweicloud.")
    sk: Secret | None = Field(None, description="The secret of that access key.")
    security_token: Credential | None = Field(
        None, description="The security token that belongs to a temporary access key; goes with ak and sk."
    )
    agency: Agency | None = Field(None, description="An agency to assume with the access key.")
    iam: Iam | None = Field(None, description="An IAM user and password; a token is fetched and renewed as needed.")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        ways = (self.token is not None) + (self.ak is not None or self.sk is not None) + (self.iam is not None)
        if ways != 1 or (self.ak is None) != (self.sk is None):
            raise ValueError("give exactly one of: token; ak and sk; iam")
        if self.ak is None and (self.security_token is not None or self.agency is not None):
            raise ValueError("security_token and agency go with ak and sk")
        return self

    @property
    def secrets(self) -> tuple[str, ...]:
        """The texts that must not be shown."""
        given = (self.token, self.ak, self.sk, self.security_token, self.iam.password if self.iam else None)
        return tuple(secret.get_secret_value() for secret in given if secret is not None)


CA_FILE: Any = Field(None, min_length=1, description="A file of certificates to trust instead of the built-in ones.")


SHARE_RATE_LIMIT: Any = Field(
    False,
    description="Whether all runs with the same PostgreSQL ledger share `rate_limit`; a fleet's runs always do.",
)


def request_timeout(seconds: int) -> Any:
    """The field for the request timeout, with this default (s)."""
    return Field(
        seconds * SECOND,
        description=f"How long one request may take, at most 1h; {seconds}s by default.",
        json_schema_extra={"default": f"{seconds}s"},
    )


def visible_within(what: str, span: int) -> Any:
    """The field for how long ``what`` may take to show a write, ``span`` (ms) by default."""
    default = format_duration(span)
    return Field(
        span,
        description=f"How long {what} may take to show what was written, at most 1h; {default} by default.",
        json_schema_extra={"default": default},
    )


class ServiceSettings(Strict):
    """What every service is configured with."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": ["endpoint"]}, {"required": ["region"]}]})

    endpoint: Endpoint | None = Field(
        None, description="The service's URL, or `embedded` for the emulator; give this or region."
    )
    region: Region | None = Field(None, description="The region whose endpoint is used; give this or endpoint.")
    auth: Strict = Field(description="The credentials.")
    parallelism: int = Field(4, ge=1, le=64, description="How many requests run at once, at most.")
    rate_limit: float | None = Field(
        None, gt=0, description="The maximum number of requests a second; no limit by default."
    )
    share_rate_limit: bool = SHARE_RATE_LIMIT
    request_timeout: Wait = request_timeout(30)
    ca_file: str | None = CA_FILE

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.endpoint is None) == (self.region is None):
            raise ValueError("give exactly one of: endpoint; region")
        return self

    @property
    def place(self) -> str:
        """The region or the endpoint in canonical form."""
        return self.region or canonical_endpoint(self.endpoint or "")

    @property
    def project(self) -> str:
        """The id of the project or account; empty if the service has none."""
        return ""


def answers_at(endpoint: str | None, public: str, embedded: str | None) -> str:
    """The URL of a service: ``public`` without an endpoint. Raises ValueError if the embedded emulator is configured
    but absent.
    """
    if endpoint is None:
        return public
    if endpoint != EMBEDDED:
        return endpoint
    if embedded is None:
        raise ValueError("endpoint: embedded requires an emulator, and none is running in this process")
    return embedded.rstrip("/")


class HuaweiSettings(ServiceSettings):
    """What every Huawei Cloud service is configured with."""

    project_id: ProjectId = Field(description="The id of the project to work in.")
    auth: Auth = Field(description="The credentials: {token}, {ak, sk} or {iam: ...}.")
    batch_size: int = Field(100, ge=1, le=1000, description="How many items one request sends, at most.")
    # An alarm stays active up to 15 days after its last push, and keeps its start when it is pushed again: one that
    # started long ago must still be found, or it would be raised a second time.
    lookback: Lookback = Field(
        30 * DAY,
        description="How far back a query looks, at most 365d; 30d by default. Alarms that began earlier are not seen.",
        json_schema_extra={"default": "30d"},
    )
    visible_within: Wait = visible_within("the service", VISIBLE_WITHIN)

    @model_validator(mode="after")
    def _place_of_iam(self) -> Self:
        for name, issuer in (("iam", self.auth.iam), ("agency", self.auth.agency)):
            if issuer and issuer.endpoint is None and self.region is None and self.endpoint != EMBEDDED:
                raise ValueError(
                    f"auth.{name} needs its endpoint if the provider is configured by endpoint, not by region"
                )
        return self

    @property
    def place(self) -> str:
        """The region or the endpoint; the public endpoint of a region counts as the region."""
        place = super().place
        public = re.fullmatch(_PUBLIC_ENDPOINT, place) if "myhuaweicloud" in place else None
        return public["region"] if public and public["domain"] == domain_of(public["region"]) else place

    @property
    def project(self) -> str:
        return self.project_id

    def base_url(self, service: str, embedded: str | None) -> str:
        """The URL of a service (``aom``, ``ces``, ``iam``). Raises ValueError if the embedded emulator is configured
        but absent.
        """
        endpoint = self.endpoint
        issuer = self.auth.iam or self.auth.agency
        if service == "iam" and issuer is not None:
            endpoint = issuer.endpoint or (EMBEDDED if self.region is None else None)
        return answers_at(endpoint, f"https://{service}.{self.region}.{domain_of(self.region or '')}", embedded)
