"""The fields of events of AOM; most stacks declare alarms only."""

from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field

from reconciler.providers.aom.resource_types import METADATA, Fields, Metadata, StartsAt, check_count, free_keys

_MARKS = 3


def _metadata(metadata: dict[str, str]) -> dict[str, str]:
    return check_count(metadata, _MARKS)


class EventFields(Fields):
    """An event in Huawei Cloud AOM: recorded once per occurrence, never changed."""

    model_config = ConfigDict(title="aom_event")

    metadata: Annotated[Metadata, AfterValidator(_metadata)] = Field(
        {}, description=METADATA, json_schema_extra={"maxProperties": free_keys(_MARKS)}
    )
    starts_at: StartsAt | None = Field(None, description="When it happened; by default when it is planned.")
