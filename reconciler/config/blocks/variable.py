"""A variable, as it is declared; the JSON Schema is made from it too."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, JsonValue

from reconciler.config.blocks.common import Block


class VariableType(StrEnum):
    """What a variable holds; texts from outside are converted to it."""

    STRING = "string"
    NUMBER = "number"
    BOOL = "bool"
    LIST = "list"
    MAP = "map"


class Validation(Block):
    """A condition the value of a variable must meet."""

    condition: str = Field(description='An expression over the variable: "${var.count < 10}"; true is good.')
    message: str = Field(min_length=1, description="What to tell whoever gave a value that does not meet it.")


class Variable(Block):
    """A value that can be given from outside; without `default` and `env` it must be."""

    default: JsonValue = Field(None, description='Its value if none is given; may use "${env.NAME}".')
    description: str | None = Field(None, description="What it is for.")
    env: Annotated[str, Field(min_length=1)] | None = Field(
        None, description="The environment variable it is read from; that makes it sensitive."
    )
    sensitive: bool | None = Field(
        None, description="Its value is never shown, and can be used under providers only; always so with env."
    )
    type: Annotated[VariableType, Field(strict=False)] | None = Field(
        None, description="What it holds; by default what its default is, else a string."
    )
    validation: Validation | None = Field(None, description="What a value must meet.")
