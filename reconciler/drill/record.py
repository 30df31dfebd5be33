"""The record of a run: a plain document that is updated during the run, and the source of every report.

Instants are epoch milliseconds. Texts of a service are stored unchanged: views escape them.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from reconciler.apply.lease import Owner
from reconciler.core.clock import Clock
from reconciler.core.duration import as_datetime
from reconciler.core.origin import Origin
from reconciler.core.target import Target
from reconciler.drill.drill import Drill
from reconciler.drill.rehearsal import ScaledClock
from reconciler.drill.spec import StepAction
from reconciler.drill.timeline import Step

FORMAT_VERSION = "1.0"


class DrillStatus(StrEnum):
    """How a run ended; ``running`` until then."""

    RUNNING = "running"
    REFUSED = "refused"
    """A check of ``before`` did not pass: nothing was sent."""
    COMPLETE = "complete"
    """A check of ``before`` failed: nothing was sent."""
    INTERRUPTED = "interrupted"
    """Ctrl-C, or a termination signal."""
    ABORTED = "aborted"
    """`drill abort`, or a pause that was answered with no."""
    DIED = "died"
    """Its process died: never written, but shown for such a record."""
    OVERTIME = "overtime"
    """``max_duration`` passed."""
    FAILED = "failed"
    """It could not continue: a service rejects the credentials, or the lease was lost."""


class StepState(StrEnum):
    """How far a step of a drill is."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"


class RecordPart(BaseModel):
    """A part of the document; an ``alias`` is the member's name in the document, which users parse."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, populate_by_name=True)


class StepRecord(RecordPart):
    """A step: when it was planned (ms from the beginning), when it was due after delays, when it ran."""

    name: str
    action: StepAction
    about: str
    planned: int
    due_at: int | None = None
    started_at: int | None = None
    ended_at: int | None = None
    state: StepState = StepState.WAITING
    outcome: str = ""

    @property
    def slip(self) -> int | None:
        """How much later (ms) than due it began."""
        if self.due_at is None or self.started_at is None:
            return None
        return max(0, self.started_at - self.due_at)


class Emission(RecordPart):
    """An alarm that was raised, or an event that was recorded.

    ``address`` is as written, ``marked_address`` as in its marks. ``keys`` are the idempotency keys of its pushes,
    ``clear_keys`` those of its clears. ``until`` is when the service itself ends it at the latest. ``ended_by`` says
    what ended it, ``gone_at`` when it was no longer visible. ``delivered_at`` is when its notification arrived at a
    receiver, ``delivered`` that receiver's name; ``resolved_at`` and ``resolved`` are those of the notification of its
    end. ``push_error`` is why a push is not done; ``unsent`` that the service certainly has nothing of it.
    """

    address: str
    marked_address: str = Field(alias="mark")
    name: str
    severity: str | None
    is_event: bool
    step: str
    keys: tuple[str, ...]
    sent_at: int
    until: int | None = None
    push_error: str | None = Field(None, alias="trouble")
    unsent: bool = False
    id: str | None = None
    seen_at: int | None = None
    notified_at: int | None = None
    notified: str | None = None
    delivered_at: int | None = None
    delivered: str | None = None
    ended_at: int | None = None
    gone_at: int | None = None
    ended_by: str | None = None
    clear_keys: tuple[str, ...] = ()
    resolved_at: int | None = None
    resolved: str | None = None

    @property
    def active(self) -> bool:
        """Whether it may still be active."""
        return not self.is_event and self.ended_at is None and not self.unsent

    @property
    def awaits_its_end(self) -> bool:
        """Whether it was visible and then cleared, but is not yet known to be gone."""
        return not self.is_event and None not in (self.seen_at, self.ended_at) and self.gone_at is None

    @property
    def visible_after(self) -> int | None:
        return _between(self.sent_at, self.seen_at)

    @property
    def notified_after(self) -> int | None:
        return _between(self.sent_at, self.notified_at)

    @property
    def delivered_after(self) -> int | None:
        return _between(self.sent_at, self.delivered_at)

    @property
    def gone_after(self) -> int | None:
        """From its end (ms) until it was no longer visible; None if something else ended it, at an unknown time."""
        return _between(self.ended_at, self.gone_at)

    @property
    def resolved_after(self) -> int | None:
        """From its end (ms) until its notification arrived at a receiver."""
        return _between(self.ended_at, self.resolved_at)


def _between(since: int | None, until: int | None) -> int | None:
    return None if since is None or until is None else max(0, until - since)


class Death(RecordPart):
    """A crash of the run's process; ``last_at`` is the last instant it recorded, ``found_at`` when another process took
    over.

    ``who`` and ``host`` are those of the other process.
    """

    last_at: int
    found_at: int
    who: str
    host: str


class CheckRecord(RecordPart):
    """The result of a check; ``phase`` is ``before``, ``after``, or the name of a step. ``items`` is the evidence."""

    phase: str
    name: str
    status: str = Field(alias="verdict")
    reason: str
    about: str
    description: str | None
    started_at: int
    ended_at: int
    items: tuple[dict[str, JsonValue], ...] = ()


class LogEntry(RecordPart):
    """A line of the run's own log."""

    at: int
    text: str


class Record(RecordPart):
    """A whole run.

    ``targets`` maps the drill's providers to their targets when it began. ``paused_for`` is how long (ms) pauses and
    crashes have delayed its timeline. ``deaths`` are the crashes, after each of which it was resumed or aborted.
    ``leftovers`` names the alarms of the drill that are, or may be, active after its end, each with the reason.
    """

    format_version: str = FORMAT_VERSION
    run: str
    stack: str
    drill: str
    digest: str
    targets: dict[str, str] = {}
    description: str | None
    rehearsal: bool
    speed: float
    who: str
    host: str
    pid: int
    pipeline: str | None = None
    commit: str | None = None
    began_at: int
    max_duration: int
    started_at: int | None = None
    cleared_at: int | None = None
    ended_at: int | None = None
    paused_for: int = Field(0, alias="held")
    ending: DrillStatus = DrillStatus.RUNNING
    why: str = ""
    steps: tuple[StepRecord, ...] = ()
    emissions: tuple[Emission, ...] = Field((), alias="sent")
    checks: tuple[CheckRecord, ...] = ()
    leftovers: tuple[str, ...] = Field((), alias="left")
    deaths: tuple[Death, ...] = ()
    log: tuple[LogEntry, ...] = ()

    @property
    def origin(self) -> Origin:
        """Who started it, or last resumed it."""
        return Origin(self.who, self.host, self.pipeline, self.commit)

    @property
    def places(self) -> tuple[str, ...]:
        """The targets, for readers: ``aom, cn-north-4, project 0a1b``."""
        return tuple(dict.fromkeys(Target.parse(text).label for text in self.targets.values()))

    @property
    def over(self) -> bool:
        return self.ended_at is not None

    @property
    def last_at(self) -> int:
        """The last instant in the record."""
        known = [self.began_at, self.ended_at, self.cleared_at, *(remark.at for remark in self.log[-1:])]
        known += [instant for step in self.steps for instant in (step.started_at, step.ended_at)]
        for sent in self.emissions:
            known += [sent.sent_at, sent.seen_at, sent.notified_at, sent.delivered_at, sent.gone_at, sent.resolved_at]
        return max(instant for instant in known if instant is not None)

    @property
    def alarms(self) -> tuple[Emission, ...]:
        return tuple(sent for sent in self.emissions if not sent.is_event)

    def at(self, instant: int) -> int:
        """The offset (ms) of an instant from the beginning of the timeline."""
        return instant - (self.began_at if self.started_at is None else self.started_at)

    @property
    def failed_checks(self) -> tuple[CheckRecord, ...]:
        return tuple(check for check in self.checks if check.status != "passed")

    @property
    def undone(self) -> tuple[str, ...]:
        """Steps that did not run completely; checks are not counted."""
        return tuple(
            step.name
            for step in self.steps
            if step.state is not StepState.DONE
            and (step.action is not StepAction.CHECK or step.state is not StepState.FAILED)
        )


def new_record(drill: Drill, owner: Owner, targets: Mapping[str, Target], clock: Clock) -> Record:
    """The record of a run that begins now; ``targets`` are those of the stack's providers, by key.

    Its id uses the real clock even in a rehearsal, so that runs sort in the order in which they were started.
    """
    real, speed = (clock.real, clock.speed) if isinstance(clock, ScaledClock) else (clock, 1.0)
    return Record(
        run=_run_id(drill.name, real.now()),
        stack=drill.stack,
        drill=drill.name,
        digest=drill.digest,
        targets={key: str(targets[key]) for key in drill.providers},
        description=drill.spec.description,
        rehearsal=isinstance(clock, ScaledClock),
        speed=speed,
        who=owner.name,
        host=owner.host,
        pid=owner.pid,
        pipeline=owner.pipeline,
        commit=owner.commit,
        began_at=clock.now(),
        max_duration=drill.spec.max_duration,
        steps=tuple(
            StepRecord(name=step.name, action=step.action, about=_about(step), planned=step.offset)
            for step in drill.timeline.steps
        ),
    )


def orphan_record(stack: str, drill: str, owner: Owner, targets: Mapping[str, Target], now: int) -> Record:
    """The record of a run that this machine knows only by its marks."""
    return Record(
        run=_run_id(drill, now),
        stack=stack,
        drill=drill,
        digest="",
        targets={key: str(target) for key, target in targets.items()},
        description="A run that this machine has no record of: known by its marks alone.",
        rehearsal=False,
        speed=1.0,
        who=owner.name,
        host=owner.host,
        pid=owner.pid,
        pipeline=owner.pipeline,
        commit=owner.commit,
        began_at=now,
        max_duration=0,
    )


def _about(step: Step) -> str:
    if step.action is StepAction.CHECK:
        return ", ".join(step.checks)
    return step.text or ", ".join(map(str, step.targets))


def _run_id(drill: str, now: int) -> str:
    return f"{as_datetime(now):%Y%m%dT%H%M%S}-{drill}-{secrets.token_hex(2)}"
