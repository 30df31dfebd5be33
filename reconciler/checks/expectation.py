"""Expectations: what must hold of everything a query finds, as written by users."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from reconciler.checks.comparison import Comparison, Condition, comparison
from reconciler.core.data_source import NOTIFICATIONS, ItemField
from reconciler.core.diagnostic import did_you_mean
from reconciler.core.duration import MINUTE, parse_instant
from reconciler.core.fields import Duration


class StrictExpectation(BaseModel):
    """A part of a check: unknown keys are errors, and nothing is converted silently."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Count(StrictExpectation):
    """Conditions on the number of items, all of which must hold."""

    equal: int | None = Field(None, ge=0, description="Exactly this many.")
    at_least: int | None = Field(None, ge=0, description="This many or more.")
    at_most: int | None = Field(None, ge=0, description="This many or fewer.")

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.equal is None and self.at_least is None and self.at_most is None:
            raise ValueError("specify a number: equal, at_least or at_most")
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise ValueError("at_least is more than at_most")
        return self


class ExpectedNotification(StrictExpectation):
    """Conditions on the notification that must have been delivered for each item; one must meet them all."""

    type: str | None = Field(None, description="The type of action (Baidu), such as ACTION_TYPE_ALERT.")
    member: str | None = Field(None, description="A person or group it went to (Baidu).")
    channel: str | None = Field(None, description="The channel it was sent by: EMAIL, SMS, PHONE (Baidu), SMN (AOM).")
    rule: str | None = Field(None, description="The action rule that sent it (AOM).")
    topic: str | None = Field(None, description="The topic it was sent to (AOM).")


class Delivered(StrictExpectation):
    """Which notifications must have arrived at a receiver."""

    within: Annotated[Duration, Field(gt=0)] = Field(
        MINUTE,
        description="How long a notification may take to arrive, after the alarm was raised and after it ended; 60s by "
        "default.",
        json_schema_extra={"default": "60s"},
    )
    firing: bool = Field(True, description="Whether a notification that the alarm fires must arrive.")
    resolved: bool = Field(False, description="Whether a notification that it has ended must arrive.")
    receiver: Annotated[str, Field(min_length=1)] | None = Field(
        None, description="The receiver by its sender's name: Alertmanager's receiver, an SMN topic, a hook's name."
    )
    at_most: Annotated[int, Field(ge=1)] | None = Field(
        None, description="How often each notification may arrive, at most; unlimited by default."
    )
    provider: str | None = Field(
        None, description="The key of the provider to query, if several receivers are configured."
    )

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.firing and not self.resolved:
            raise ValueError("expect firing, resolved or both")
        return self


Conditions = Annotated[dict[str, Condition], Field(min_length=1)]
"""Fields of an item, by name or by path (``metadata.team``), with what each must be."""


class Expectation(StrictExpectation):
    """Conditions on what a query finds, all of which must hold."""

    count: Annotated[int, Field(ge=0)] | Count | None = Field(None, description="How many items there must be.")
    all: Conditions | None = Field(None, description="Every item matches this; true also if there are no items.")
    any: Conditions | None = Field(None, description="At least one item matches this.")
    none: Conditions | None = Field(None, description="No item matches this.")
    notification: ExpectedNotification | None = Field(
        None, description="There are items, and a notification was delivered for each of them."
    )

    delivered: Delivered | None = Field(
        None, description="There are items, and a notification of each of them arrived at a receiver."
    )

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.model_fields_set or all(getattr(self, name) is None for name in self.model_fields_set):
            raise ValueError("specify what is expected: count, all, any, none, notification or delivered")
        return self

    def conditions(self) -> Iterator[tuple[str, str, Comparison]]:
        """Every condition: under which word it stands, the path of the field, and what it must be."""
        for word in ("all", "any", "none"):
            written: Mapping[str, Condition] | None = getattr(self, word)
            for path, condition in (written or {}).items():
                yield word, path, comparison(condition)

    def details(self, fields: Mapping[str, ItemField]) -> frozenset[str]:
        """The required fields that cost a request per item."""
        needed = {path.split(".", 1)[0] for _, path, _ in self.conditions()}
        if self.notification is not None:
            needed.add(NOTIFICATIONS)
        return frozenset(name for name in needed if name in fields and fields[name].detail)

    def validate_against(
        self, source: str, fields: Mapping[str, ItemField]
    ) -> Iterator[tuple[tuple[str, ...], str, str | None]]:
        """Conditions that can never hold for this data source's items: where, in words, and a hint."""
        if self.notification is not None and NOTIFICATIONS not in fields:
            yield ("notification",), f"{source} does not report who was notified", None
        if self.delivered is not None and not {"annotations", "metadata", "labels", "fingerprint"} & fields.keys():
            yield ("delivered",), f"{source} has no field that identifies its items at a receiver", None
        for word, path, wanted in self.conditions():
            name = path.split(".", 1)[0]
            if name not in fields:
                hint = did_you_mean(name, fields) or f"its fields are {', '.join(sorted(fields))}"
                yield (word, path), f'an item of {source} has no field "{name}"', hint
                continue
            order = fields[name].order if path == name else ()
            for bound in wanted.bounds:
                if order and bound not in order:
                    hint = did_you_mean(bound, order) or f"from least to greatest: {', '.join(order)}"
                    yield (word, path), f'"{bound}" is no {name}', hint
                elif not order and not _is_instant(bound):
                    yield (word, path), f'{path} has no order in which "{bound}" could be at_least or at_most', None


def _is_instant(text: str) -> bool:
    try:
        parse_instant(text)
    except ValueError:
        return False
    return True
