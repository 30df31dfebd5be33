"""Settings of an AOM provider."""

from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field

from reconciler.providers.settings import HuaweiSettings

MAX_STEPS = 1440
"""How many steps the time range of a query may have (query page, table 4)."""


def _one_project(value: str) -> str:
    if value == "all_granted_eps":
        raise ValueError("all_granted_eps names every enterprise project: a stack writes to one")
    return value


class AomSettings(HuaweiSettings):
    """How to reach Huawei Cloud AOM."""

    model_config = ConfigDict(title="aom")

    enterprise_project_id: (
        Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$"), AfterValidator(_one_project)] | None
    ) = Field(None, description="The enterprise project the alarms belong to; the service's default project if absent.")
    page_size: int = Field(1000, ge=1, le=1000, description="How many objects a query reads per page.")
