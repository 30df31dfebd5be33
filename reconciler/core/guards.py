"""Guards: limits on what a plan may do without ``--force`` (rule 12)."""

import re
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic_core import PydanticKnownError

_PERCENT = r"(100|[0-9]{1,2}(?:\.[0-9]{1,3})?)%"


def _limit(value: object) -> object:
    """A limit as stored: a whole number, or text such as ``10%``."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,18}", value):
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        if value < 0:
            raise PydanticKnownError("greater_than_equal", {"ge": 0})
        return int(value)
    if isinstance(value, str) and re.fullmatch(_PERCENT, value):
        return value
    raise ValueError("expected a whole number, or a percentage of the stack's alarms such as 10%")


Limit = Annotated[
    int | str,
    BeforeValidator(_limit),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": f"^{_PERCENT}$"}]}),
]
"""A number of alarms or changes, or a percentage of the stack's alarms."""


class TypeGuards(BaseModel):
    """Limits on what a plan does with one resource type; a percentage is one of the stack's alarms of that type."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    max_changes: Limit | None = Field(None, description="The maximum number of changes in one plan.")
    max_clears: Limit | None = Field(
        None, description="The maximum number of alarms that one plan may clear (replaces included)."
    )


class Guards(BaseModel):
    """Limits on a plan; one that exceeds them is refused unless ``--force`` is given.

    A percentage is one of the stack's alarms: those declared firing, and the undeclared ones that the plan found
    firing; it is rounded down.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    max_changes: Limit | None = Field(
        None, description="The maximum number of changes in one plan: a number, or a percentage such as 25%."
    )
    max_clears: Limit | None = Field(
        None,
        description="The maximum number of alarms that one plan may clear (replaces included): a number, or a "
        "percentage such as 10%. "
        "Without it, a stack of ten alarms or more may not lose more than half of them, except by destroy.",
    )
    severities: tuple[str, ...] | None = Field(None, description="The severities a plan may push.")
    projects: tuple[str, ...] | None = Field(None, description="The project ids a plan may touch.")
    endpoints: tuple[str, ...] | None = Field(
        None,
        description="Where a plan may push and clear: URLs, regions, or `embedded`. If a provider has several "
        "endpoints, all must be listed.",
    )
    types: dict[str, TypeGuards] = Field({}, description="More limits, by resource type.")
