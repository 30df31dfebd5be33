"""Settings of a BCM provider."""

from pydantic import ConfigDict, Field

from reconciler.core.duration import DAY
from reconciler.providers.settings import Credential, Lookback, Region, Secret, ServiceSettings, Strict, answers_at


class BcmAuth(Strict):
    """An access key of Baidu AI Cloud; requests are signed with it (bce-auth-v1)."""

    ak: Credential = Field(description="The id of an access key; needs the extra baidu.")
    sk: Secret = Field(description="The secret of that access key.")

    @property
    def secrets(self) -> tuple[str, str]:
        """The texts that must not be shown."""
        return self.ak.get_secret_value(), self.sk.get_secret_value()


class BcmSettings(ServiceSettings):
    """How to reach Baidu Cloud Monitor."""

    model_config = ConfigDict(title="bcm")

    region: Region | None = Field(
        None, description="The region whose endpoint is used (bj, gz, su, ...); give this or endpoint."
    )
    user_id: str = Field(min_length=1, max_length=128, description="The account whose alarms are queried.")
    auth: BcmAuth = Field(description="The credentials: {ak, sk}.")
    lookback: Lookback = Field(
        40 * DAY,
        description="How far back a query looks without a `lookback` of its own, at most 365d; 40d by default, "
        "like the service.",
        json_schema_extra={"default": "40d"},
    )

    @property
    def project(self) -> str:
        return self.user_id

    def base_url(self, embedded: str | None) -> str:
        """The service's URL. Raises ValueError if the embedded emulator is configured but absent."""
        return answers_at(self.endpoint, f"https://bcm.{self.region}.baidubce.com", embedded)
