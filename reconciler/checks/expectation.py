"""Expectations: what must hold of everything a query finds, as people write it."""

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
    """How many there must be; all that is given must hold."""

    equal: int | None = Field(None, ge=0, description="Exactly so many.")
    at_least: int | None = Field(None, ge=0, description="So many or more.")
    at_most: int | None = Field(None, ge=0, description="So many or fewer.")

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.equal is None and self.at_least is None and self.at_most is None:
            raise ValueError("say how many: equal, at_least or at_most")
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise ValueError("at_least is more than at_most")
        return self


class ExpectedNotification(StrictExpectation):
    """Which notification must have been delivered for each of them; all that is given must hold of one and the same."""

    type: str | None = Field(None, description="The type of action (Baidu), such as ACTION_TYPE_ALERT.")
    member: str | None = Field(None, description="A person or group it went to (Baidu).")
    channel: str | None = Field(None, description="How it was sent: EMAIL, SMS, PHONE (Baidu), SMN (AOM).")
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
    firing: bool = Field(True, description="That the alarm fires must be notified.")
    resolved: bool = Field(False, description="That it has ended must be notified.")
    receiver: Annotated[str, Field(min_length=1)] | None = Field(
        None, description="The receiver by its sender's name: Alertmanager's receiver, an SMN topic, a hook's name."
    )
    at_most: Annotated[int, Field(ge=1)] | None = Field(
        None, description="How often each notification may arrive; any number by default."
    )
    provider: str | None = Field(None, description="The provider to ask, if several receivers are configured.")

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.firing and not self.resolved:
            raise ValueError("expect firing, resolved or both")
        return self


Conditions = Annotated[dict[str, Condition], Field(min_length=1)]
"""Fields of an item, by name or by path (``metadata.team``), with what each must be."""


class Expectation(StrictExpectation):
    """What must hold of everything a query finds; all that is given must hold."""

    count: Annotated[int, Field(ge=0)] | Count | None = Field(None, description="How many there must be.")
    all: Conditions | None = Field(None, description="Every one is like this; also when there is none.")
    any: Conditions | None = Field(None, description="At least one is like this.")
    none: Conditions | None = Field(None, description="Not one is like this.")
    notification: ExpectedNotification | None = Field(
        None, description="There are some, and for each of them a notification was delivered."
    )

    delivered: Delivered | None = Field(
        None, description="There are some, and for each of them a notification arrived at a receiver."
    )

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.model_fields_set or all(getattr(self, name) is None for name in self.model_fields_set):
            raise ValueError("say what is expected: count, all, any, none, notification or delivered")
        return self

    def conditions(self) -> Iterator[tuple[str, str, Comparison]]:
        """Every condition: under which word it stands, the path of the field, and what it must be."""
        for word in ("all", "any", "none"):
            written: Mapping[str, Condition] | None = getattr(self, word)
            for path, condition in (written or {}).items():
                yield word, path, comparison(condition)

    def details(self, fields: Mapping[str, ItemField]) -> frozenset[str]:
        """The fields that cost a request per item and are needed here."""
        needed = {path.split(".", 1)[0] for _, path, _ in self.conditions()}
        if self.notification is not None:
            needed.add(NOTIFICATIONS)
        return frozenset(name for name in needed if name in fields and fields[name].detail)

    def validate_against(
        self, source: str, fields: Mapping[str, ItemField]
    ) -> Iterator[tuple[tuple[str, ...], str, str | None]]:
        """What can never hold of this data source's items: where, in words, and a hint."""
        if self.notification is not None and NOTIFICATIONS not in fields:
            yield ("notification",), f"{source} does not tell who was notified", None
        if self.delivered is not None and not {"annotations", "metadata", "labels", "fingerprint"} & fields.keys():
            yield ("delivered",), f"{source} does not show by what its items are known to a receiver", None
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
