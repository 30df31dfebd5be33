"""Blocks: the provider-independent parts of the language, as models, from which the JSON Schema is generated too."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from reconciler.core.desired import Lifecycle
from reconciler.core.ledger_url import SCHEMES

NAME = r"^[A-Za-z_][A-Za-z0-9_-]*$"
"""Names of resources, data sources, checks and drills."""
WORD = r"^[A-Za-z_][A-Za-z0-9_]*$"
"""Names of variables and locals. They are used in expressions, where a dash means minus."""
PROVIDER_KEY = r"^[A-Za-z_][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*$"
STACK_NAME = r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"
STACK_NAME_LENGTH = 63
LEDGER = rf"^((?:{'|'.join(SCHEMES)})://\S+|(?![A-Za-z][A-Za-z0-9+.-]+:)(?!~)\S([^\x00-\x1f]*\S)?)$"
"""The URL of a shared ledger, or a path without anything that a shell would expand."""


class Block(BaseModel):
    """A part of the language: unknown keys are errors, and nothing is converted silently."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True, defer_build=True)


class Common(Block):
    """What every resource can have, whatever its type."""

    for_each: JsonValue = Field(
        None,
        description="Creates one instance per item of a list (texts, numbers, or lists of them) or entry of a mapping; "
        "the fields use ${each.key} and ${each.value}.",
        json_schema_extra={
            "anyOf": [
                {"type": "array", "items": {"type": ["string", "number", "array"]}},
                {"type": "object"},
            ]
        },
    )
    provider: str | None = Field(None, description="The key of the provider to use, if there are several of its type.")
    state: Literal["firing", "cleared"] = Field(
        "firing", description="Whether the alarm should be active; for alarms only."
    )
    occurrence: str | int | float | None = Field(
        None,
        description="The event is recorded once for each value; by default once for each content. For events only.",
    )
    lifecycle: Annotated[Lifecycle, Field(strict=False)] | None = Field(
        None, description="Rules for what a plan may do with this resource."
    )
    enabled: bool = Field(True, description="Whether it is part of the stack.")
    depends_on: list[str] = Field(
        [],
        description="Addresses of resources that must be pushed first.",
    )


COMMON_KEYS = frozenset(Common.model_fields)
