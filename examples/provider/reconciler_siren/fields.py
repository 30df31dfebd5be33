"""What a user may write: the fields of a siren, and the settings of the provider. The JSON Schema comes from them."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, SecretStr


class SirenFields(BaseModel):
    """A siren that sounds until it is silenced."""

    model_config = ConfigDict(title="siren", extra="forbid", strict=True, frozen=True)

    room: str = Field(min_length=1, description="Where it sounds.")
    sound: str = Field("beep", min_length=1, description="What it plays.")
    loudness: int = Field(5, ge=1, le=11, description="How loud, from 1 to 11.")


class SirenAuth(BaseModel):
    """How to prove who is calling; what stands under `auth` is secret, and is shown nowhere."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    token: SecretStr = Field(description="The house's token.")


class SirenSettings(BaseModel):
    """How to reach the house."""

    model_config = ConfigDict(title="siren_settings", extra="forbid", strict=True, frozen=True)

    endpoint: str = Field(pattern=r"^https?://", description="Where the house answers.")
    auth: SirenAuth
