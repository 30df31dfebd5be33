"""Settings of a CES provider."""

from pydantic import ConfigDict, Field

from reconciler.providers.settings import HuaweiSettings


class CesSettings(HuaweiSettings):
    """How to reach Huawei Cloud Eye (CES)."""

    model_config = ConfigDict(title="ces")

    batch_size: int = Field(100, ge=1, le=100, description="How many events one request reports, at most 100.")
