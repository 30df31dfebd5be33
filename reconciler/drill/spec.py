"""The language of drills: the models of ``drills``, from which the JSON Schema is generated too."""

import re
from enum import StrEnum
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, JsonValue, model_validator

from reconciler.config.blocks.common import NAME, Block
from reconciler.core.duration import DAY, HOUR, format_duration
from reconciler.core.fields import Duration
from reconciler.core.observed import PREFIX

LONGEST = 7 * DAY
"""The maximum ``max_duration``."""
DEFAULT_DURATION = HOUR
MOST_STEPS = 300
ALL = "all"

_TIME = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]|24:00"


class StepAction(StrEnum):
    """What a step does; the values are the words of the language."""

    RAISE = "raise"
    CLEAR = "clear"
    RECORD = "record"
    CHECK = "check"
    PAUSE = "pause"
    NOTE = "note"


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(
            f"there is no time zone {value[:60]!r}: write it like Europe/Berlin or Asia/Shanghai"
        ) from None
    return value


def _unreserved(key: str) -> str:
    if key.startswith(PREFIX):
        raise ValueError(f"keys that begin with {PREFIX} are reserved for reconciler's marks")
    return key


def _span(value: int) -> int:
    if not 0 < value <= LONGEST:
        raise ValueError(f"must be longer than zero and at most {format_duration(LONGEST)}")
    return value


def _time(value: str) -> str:
    if re.fullmatch(_TIME, value) is None:
        raise ValueError(f"{value[:20]!r} is not a time of day: write it like 09:00, at most 24:00")
    return value


Time = Annotated[str, AfterValidator(_time), Field(json_schema_extra={"pattern": f"^({_TIME})$"})]
Key = Annotated[str, Field(min_length=1), AfterValidator(_unreserved)]
Name = Annotated[str, Field(pattern=NAME)]
Text = Annotated[str, Field(min_length=1, max_length=2048)]
Names = Text | Annotated[list[Text], Field(min_length=1)]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEK: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class WindowSpec(Block):
    """A time span on certain days of the week."""

    days: Annotated[list[Day], Field(min_length=1)] = Field(
        list(WEEK), description="The days of the week; all by default."
    )
    begins: Time = Field("00:00", alias="from", description="When it starts, such as 09:00.")
    ends: Time = Field("24:00", alias="to", description="When it ends; a time before `from` is on the next day.")
    time_zone: Annotated[str, AfterValidator(_zone)] = Field(
        "UTC", description="The time zone of both, such as Europe/Berlin."
    )

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if self.begins == self.ends or self.begins == "24:00":
            raise ValueError(f"there is no time between {self.begins} and {self.ends}")
        return self


class AllowedSpec(Block):
    """When and where a drill may run; otherwise it does not start."""

    windows: Annotated[list[WindowSpec], Field(min_length=1)] | None = Field(
        None, description="The weekly windows in which it may start; any time by default."
    )
    projects: list[str] | None = Field(None, description="The project ids it may push to.")
    severities: list[str] | None = Field(None, description="The severities it may push.")


class LabelsSpec(Block):
    """How everything that a drill pushes is labelled."""

    key: Key = Field("drill", description="The metadata key and the annotation that name the drill.")
    prefix: str = Field("[DRILL] ", max_length=64, description="The prefix of every message.")
    metadata: dict[Key, Text] = Field({}, description="More metadata for everything it pushes.")


class StepSpec(Block):
    """One thing a drill does, and when."""

    name: Name | None = Field(None, description="A name for `after` of other steps, and for the report.")
    at: Duration | None = Field(None, description="How long after the start of the drill.")
    after: Text | None = Field(None, description="The name of the step that must end first.")
    wait: Duration | None = Field(None, description="How long after the step named by `after`.")
    raises: Names | None = Field(None, alias="raise", description="Raise these alarms of the drill.")
    clear: Names | None = Field(None, description="Clear these alarms of the drill, or `all` of them.")
    record: Names | None = Field(None, description="Record these events of the drill.")
    check: Names | None = Field(None, description="Run these checks of the stack.")
    pause: Text | None = Field(None, description="Wait until a person confirms this; the timeline is paused too.")
    note: Text | None = Field(None, description="A remark for the timeline and the report.")

    @model_validator(mode="after")
    def _one_thing(self) -> Self:
        if (self.at is None) == (self.after is None):
            raise ValueError("say when: either at (from the beginning) or after (another step)")
        if self.wait is not None and self.after is None:
            raise ValueError("wait goes with after; with at, add it there")
        given = [action for action in StepAction if getattr(self, _FIELDS[action]) is not None]
        if len(given) != 1:
            raise ValueError(f"a step does one thing of {', '.join(StepAction)}, not {len(given) or 'none'}")
        return self

    @property
    def action(self) -> StepAction:
        return next(action for action in StepAction if getattr(self, _FIELDS[action]) is not None)

    @property
    def names(self) -> list[str]:
        """The addresses or checks it names; empty for a pause or a note."""
        value = getattr(self, _FIELDS[self.action])
        if self.action in (StepAction.PAUSE, StepAction.NOTE):
            return []
        return [value] if isinstance(value, str) else list(value)

    @property
    def text(self) -> str:
        """The question of a pause, or the text of a note."""
        return self.pause or self.note or ""


_FIELDS = {action: "raises" if action is StepAction.RAISE else action.value for action in StepAction}


class DrillSpec(Block):
    """A game day: alarms and events on a timeline, with checks before, during and after it."""

    description: str | None = Field(None, description="What it rehearses, for the report.")
    max_duration: Annotated[Duration, AfterValidator(_span)] = Field(
        DEFAULT_DURATION,
        description="How long it may take at most; then everything is cleared. 1h by default, at most 7d.",
        json_schema_extra={"default": "1h"},
    )
    allowed: AllowedSpec = Field(AllowedSpec.model_validate({}), description="When and where it may run.")
    labels: LabelsSpec = Field(
        LabelsSpec.model_validate({}), description="How everything it pushes is labelled as part of a drill."
    )
    before: Names = Field([], description="Checks that must pass before it starts.")
    after: Names = Field([], description="Checks that must pass once everything is cleared.")
    resources: dict[str, JsonValue] = Field(
        {},
        description="The alarms and events of the drill, by type and name, as under `resources` of a stack.",
        json_schema_extra={"x-same-as": "resources"},
    )
    steps: Annotated[list[StepSpec], Field(min_length=1, max_length=MOST_STEPS)] = Field(
        description="What it does, and when."
    )

    @property
    def checks_before(self) -> list[str]:
        return [self.before] if isinstance(self.before, str) else self.before

    @property
    def checks_after(self) -> list[str]:
        return [self.after] if isinstance(self.after, str) else self.after
