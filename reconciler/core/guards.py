"""Guards: how much a plan may do without being forced (rule 12)."""

from pydantic import BaseModel, ConfigDict, Field


class Guards(BaseModel):
    """Limits on a plan; one that goes past them is refused without ``--force``, with the numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    max_changes: int | None = Field(None, ge=0, description="The most changes one plan may make.")
    max_clears: int | None = Field(None, ge=0, description="The most alarms one plan may clear (replaces included).")
    severities: tuple[str, ...] | None = Field(None, description="The severities a plan may push.")
    projects: tuple[str, ...] | None = Field(None, description="The project ids a plan may touch.")
