"""Fields of pydantic models that hold a duration or an instant."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

from reconciler.core.duration import DURATION_PART, parse_duration, parse_instant

Duration = Annotated[
    int,
    BeforeValidator(parse_duration),
    WithJsonSchema({"type": "string", "pattern": f"^({DURATION_PART})+$", "examples": ["90s", "30m", "12h", "15d"]}),
]
"""A pydantic field written as a duration and kept in milliseconds."""

Instant = Annotated[
    int,
    BeforeValidator(parse_instant),
    WithJsonSchema({"anyOf": [{"type": "string", "format": "date-time"}, {"type": "integer"}]}),
]
"""A pydantic field written as an instant and kept in epoch milliseconds."""
