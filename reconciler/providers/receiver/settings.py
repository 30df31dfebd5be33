"""Settings of a receiver provider."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from reconciler.core.duration import HOUR
from reconciler.providers.settings import (
    CA_FILE,
    SHARE_RATE_LIMIT,
    Credential,
    Lookback,
    Strict,
    Wait,
    check_url,
    request_timeout,
)

LISTEN = "listen"
"""The endpoint value for the receiver started by ``--listen``."""


def _endpoint(value: str) -> str:
    if value == LISTEN:
        return value
    return check_url(value, f"an endpoint is {LISTEN}, or a URL such as https://receiver.example.com")


class ReceiverAuth(Strict):
    """The token that queries of the receiver carry."""

    token: Credential = Field(description="The token that the receiver was started with; not the one of its senders.")


class ReceiverSettings(Strict):
    """How to reach a receiver of notifications (`reconciler receive`)."""

    model_config = ConfigDict(
        title="receiver",
        json_schema_extra={
            "oneOf": [
                {"properties": {"endpoint": {"const": LISTEN}}, "not": {"required": ["auth"]}},
                {"properties": {"endpoint": {"not": {"const": LISTEN}}}, "required": ["auth"]},
            ]
        },
    )

    endpoint: Annotated[str, AfterValidator(_endpoint)] = Field(
        description="The receiver's URL, or `listen` for the one that `--listen` starts during a run."
    )
    auth: ReceiverAuth | None = Field(None, description="The credentials: {token}; not with `listen`.")
    lookback: Lookback = Field(
        HOUR,
        description="How far back a query looks without a `lookback` of its own, at most 365d; 1h by default.",
        json_schema_extra={"default": "1h"},
    )
    parallelism: int = Field(4, ge=1, le=64, description="How many requests run at once, at most.")
    rate_limit: float | None = Field(
        None, gt=0, description="The maximum number of requests a second; no limit by default."
    )
    share_rate_limit: bool = SHARE_RATE_LIMIT
    request_timeout: Wait = request_timeout(10)
    ca_file: str | None = CA_FILE

    @model_validator(mode="after")
    def _token(self) -> Self:
        if self.endpoint == LISTEN and self.auth is not None:
            raise ValueError("endpoint: listen needs no auth")
        if self.endpoint != LISTEN and self.auth is None:
            raise ValueError("give auth: {token: ...}, the token that the receiver was started with")
        return self
