"""Settings of a BCM provider."""

from __future__ import annotations

from typing import Self

from pydantic import ConfigDict, Field, model_validator

from reconciler.core.duration import DAY, SECOND
from reconciler.providers.settings import EMBEDDED, Credential, Endpoint, Lookback, Region, Secret, Strict, Wait


class BcmAuth(Strict):
    """An access key of Baidu AI Cloud; requests are signed with it (bce-auth-v1)."""

    ak: Credential = Field(description="The id of an access key; needs the extra baidu.")
    sk: Secret = Field(description="The secret of that access key.")

    @property
    def secrets(self) -> tuple[str, ...]:
        """The texts that must not be shown, whoever quotes them."""
        return self.ak.get_secret_value(), self.sk.get_secret_value()


class BcmSettings(Strict):
    """How to reach Baidu Cloud Monitor."""

    model_config = ConfigDict(
        title="bcm", json_schema_extra={"oneOf": [{"required": ["endpoint"]}, {"required": ["region"]}]}
    )

    endpoint: Endpoint | None = Field(
        None, description="The service's URL, or `embedded` for the emulator; give this or region."
    )
    region: Region | None = Field(
        None, description="The region whose endpoint is used (bj, gz, su, ...); give this or endpoint."
    )
    user_id: str = Field(min_length=1, max_length=128, description="The account whose alarms are looked at.")
    auth: BcmAuth = Field(description="How to prove who is calling: {ak, sk}.")
    parallelism: int = Field(4, ge=1, le=64, description="The most requests under way at once.")
    rate_limit: float | None = Field(None, gt=0, description="The most requests a second; no limit by default.")
    request_timeout: Wait = Field(
        30 * SECOND,
        description="How long one request may take, at most 1h; 30s by default.",
        json_schema_extra={"default": "30s"},
    )
    lookback: Lookback = Field(
        40 * DAY,
        description="How far back a query looks that does not say so itself, at most 365d; 40d by default, as the "
        "service does.",
        json_schema_extra={"default": "40d"},
    )
    ca_file: str | None = Field(
        None, min_length=1, description="A file of certificates to trust instead of the built-in ones."
    )

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.endpoint is None) == (self.region is None):
            raise ValueError("give exactly one of: endpoint; region")
        return self

    def base_url(self, embedded: str | None) -> str:
        """Where the service answers; ValueError where the emulator is wanted and absent."""
        if self.region is not None:
            return f"https://bcm.{self.region}.baidubce.com"
        assert self.endpoint is not None
        if self.endpoint != EMBEDDED:
            return self.endpoint
        if embedded is None:
            raise ValueError("endpoint: embedded was asked for, and no emulator is running in this process")
        return embedded.rstrip("/")
