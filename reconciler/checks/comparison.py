"""Comparisons: whether a value of an item is as expected. If it cannot be compared, the result is unknown."""

import re
from collections.abc import Iterable, Sequence
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from reconciler.core.duration import parse_instant

Scalar = str | int | float | bool | None


def _pattern(value: str) -> str:
    try:
        re.compile(value)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"this is not a regular expression: {error}") from None
    return value


class Comparison(BaseModel):
    """Conditions on a value, all of which must hold."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    equal: Scalar = Field(None, description="Equal to this value.")
    not_equal: Scalar = Field(None, description="Not equal to this value.")
    one_of: list[Scalar] | None = Field(None, min_length=1, description="One of these values.")
    none_of: list[Scalar] | None = Field(None, min_length=1, description="None of these values.")
    at_least: int | float | str | None = Field(
        None, description="This or more; levels and severities are ordered, times may be RFC 3339."
    )
    at_most: int | float | str | None = Field(None, description="This or less.")
    contains: Scalar = Field(None, description="A text that contains this, or a list with this item.")
    matches: Annotated[str, AfterValidator(_pattern)] | None = Field(
        None, description="A text that this regular expression matches anywhere."
    )
    present: bool | None = Field(None, description="Whether the field is present at all.")

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("specify a comparison: equal, one_of, at_least, matches, ...")
        return self

    @property
    def bounds(self) -> list[str]:
        """The bounds that are texts."""
        return [bound for bound in (self.at_least, self.at_most) if isinstance(bound, str)]


Condition = Scalar | list[Scalar] | Comparison
"""A condition as written: a value to equal, a list to be one of, or a comparison."""


def comparison(condition: Condition) -> Comparison:
    """A condition in its full form."""
    if isinstance(condition, Comparison):
        return condition
    if isinstance(condition, list):
        return Comparison(one_of=condition)
    return Comparison(equal=condition)


def compare(value: object, wanted: Comparison, order: Sequence[str] = ()) -> bool | None:
    """Whether a value meets a condition; None if unknown. ``order`` has the known values, least first."""
    given = wanted.model_fields_set
    if "present" in given and (value is not None) is not wanted.present:
        return False
    if value is None:
        # An absent value is known to be absent only if it was requested.
        return True if given == {"present"} or (given == {"equal"} and wanted.equal is None) else None
    return all_known(_holds(value, wanted, name, order) for name in sorted(given - {"present"}))


def all_known(found: Iterable[bool | None]) -> bool | None:
    """The conjunction of truth values, of which some may be unknown."""
    result: bool | None = True
    for truth in found:
        if truth is False:
            return False
        if truth is None:
            result = None
    return result


def _holds(value: object, wanted: Comparison, name: str, order: Sequence[str]) -> bool | None:
    match name:
        case "equal":
            return _same(value, wanted.equal)
        case "not_equal":
            return not _same(value, wanted.not_equal)
        case "one_of":
            return any(_same(value, each) for each in wanted.one_of or ())
        case "none_of":
            return not any(_same(value, each) for each in wanted.none_of or ())
        case "at_least":
            return _between(wanted.at_least, value, order)
        case "at_most":
            return _between(value, wanted.at_most, order)
        case "contains":
            return _contains(value, wanted.contains)
        case _:
            return re.search(wanted.matches or "", value) is not None if isinstance(value, str) else None


def _same(value: object, other: Scalar) -> bool:
    if isinstance(value, bool) or isinstance(other, bool):
        return value is other
    return value == other


def _between(least: object, most: object, order: Sequence[str]) -> bool | None:
    """Whether ``least`` is at most ``most``."""
    low, high = _rank(least, order), _rank(most, order)
    if low is None or high is None:
        return None
    return low <= high


def _rank(value: object, order: Sequence[str]) -> float | None:
    if order:
        return float(order.index(value)) if isinstance(value, str) and value in order else None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, str):
        try:
            return float(parse_instant(value))
        except ValueError:
            return None
    return None


def _contains(value: object, part: Scalar) -> bool | None:
    if isinstance(value, str):
        return part in value if isinstance(part, str) else None
    if isinstance(value, list | dict):
        return any(_same(each, part) for each in value)
    return None
