"""Phrases about drills: sentences and times that the views share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum

from reconciler.core.duration import SECOND, as_datetime, rough_duration
from reconciler.core.target import Target
from reconciler.drill.latency import LATENCY_STAGES, LatencyStage
from reconciler.drill.record import Death, DrillStatus, Emission, Record, StepRecord
from reconciler.views.phrases.plan import count, join_words


class OverallStatus(StrEnum):
    """The overall status of a run."""

    OK = "good"
    FAILED = "bad"
    STOPPED = "odd"
    """It ended early, but left no alarms."""
    RUNNING = "running"


def status_of(record: Record) -> OverallStatus:
    """Failed if an alarm is left or a step failed; stopped if a user ended it."""
    if record.ending is DrillStatus.RUNNING:
        return OverallStatus.RUNNING
    if (
        record.leftovers
        or record.failed_checks
        or record.ending in (DrillStatus.FAILED, DrillStatus.REFUSED, DrillStatus.OVERTIME, DrillStatus.DIED)
    ):
        return OverallStatus.FAILED
    if record.ending in (DrillStatus.INTERRUPTED, DrillStatus.ABORTED):
        return OverallStatus.STOPPED
    return OverallStatus.FAILED if record.undone else OverallStatus.OK


Command = Callable[[str], str]
"""Makes the command line of ``drill abort NAME``, for example, with this run's stack and variables."""


def bare_command(words: str) -> str:
    """The command line if the stack's path and variables are unknown."""
    return f"reconciler {words}"


def headline(record: Record) -> str:
    """A summary of a run in one line."""
    if record.ending is DrillStatus.REFUSED:
        return f"The drill {record.why}. Nothing was sent." if record.why else "The drill did not start."
    if record.ending is DrillStatus.ABORTED and not (record.steps or record.emissions or record.leftovers):
        return f"Nothing to abort: drill {record.drill} has no unfinished run and no active alarm."
    head = {
        DrillStatus.RUNNING: "The drill is running",
        DrillStatus.DIED: "The drill's process died before its end",
        DrillStatus.COMPLETE: "The drill is complete",
        DrillStatus.INTERRUPTED: "The drill was interrupted",
        DrillStatus.ABORTED: "The drill was aborted",
        DrillStatus.OVERTIME: "The drill was ended by its max_duration",
        DrillStatus.FAILED: "The drill failed",
    }[record.ending]
    return f"{head}: {', '.join(facts(record))}."


def facts(record: Record) -> list[str]:
    """``4 alarms raised, all cleared``, ``1 event recorded``, ``3 checks passed``, ..."""
    alarms = [sent for sent in record.alarms if not sent.unsent]
    events = [sent for sent in record.emissions if sent.is_event and not sent.unsent]
    told = []
    if alarms:
        active = sum(sent.active for sent in alarms)
        after = "" if not record.over else ", all cleared" if not active else f", {active} NOT CLEARED"
        unconfirmed = sum(not sent.active and sent.gone_at is None for sent in alarms) if record.over else 0
        after += f" ({unconfirmed} not confirmed)" if unconfirmed else ""
        told.append(f"{count(len(alarms), 'alarm')} raised{after}")
    else:
        told.append("no alarm raised")
    if record.leftovers and not any(sent.active for sent in alarms):
        told.append("it could not be verified that nothing is active")
    if events:
        told.append(f"{count(len(events), 'event')} recorded")
    passed = len(record.checks) - len(record.failed_checks)
    if passed:
        told.append(f"{count(passed, 'check')} passed")
    if record.failed_checks:
        names = list(dict.fromkeys(check.name for check in record.failed_checks))
        told.append(f"{count(len(record.failed_checks), 'check')} NOT passed ({join_words(names)})")
    undone = [step.name for step in record.steps if step.name in record.undone]
    if undone and record.over:
        told.append(f"{count(len(undone), 'step')} not done")
    return told


def clear_again(record: Record, command: Command = bare_command) -> str | None:
    """The command that clears the alarms a run may have left; None if there are none, or for a rehearsal."""
    uncleared = bool(record.leftovers) or record.ending is DrillStatus.DIED
    return command(f"drill abort {record.drill}") if uncleared and not record.rehearsal else None


def places(record: Record) -> str:
    """The targets of a run: ``aom, cn-north-4, project 0a1b``; empty if the record does not have them."""
    where = "; ".join(record.places)
    return f"an emulator in place of {where}" if record.rehearsal and where else where


def listed_targets(targets: Mapping[str, Target]) -> str:
    """The targets of a drill: ``aom cn-north-4, project 0a1b; bcm bj``."""
    return "; ".join(dict.fromkeys(target.label for target in targets.values()))


def offset(milliseconds: int | None) -> str:
    """``+02:05``, ``+1:00:00``, ``-00:03``; a dash for none."""
    if milliseconds is None:
        return "–"
    seconds = abs(milliseconds) // SECOND
    hours, rest = divmod(seconds, 3600)
    clock = f"{rest // 60:02}:{rest % 60:02}"
    return f"{'-' if milliseconds < 0 and seconds else '+'}{f'{hours}:' if hours else ''}{clock}"


def latency(milliseconds: int | None) -> str:
    """``0.8 s``, ``12 s``, ``2m5s``; a dash for none."""
    if milliseconds is None:
        return "–"
    if milliseconds < 10 * SECOND:
        return f"{milliseconds / SECOND:.1f} s"
    return rough_duration(milliseconds) if milliseconds >= 60 * SECOND else f"{round(milliseconds / SECOND)} s"


def movement(milliseconds: int | None) -> str:
    """The last run compared with the one before: ``, 0.5 s slower than before``; empty without two runs."""
    if milliseconds is None:
        return ""
    if abs(milliseconds) < SECOND // 10:
        return ", as before"
    return f", {latency(abs(milliseconds))} {'slower' if milliseconds > 0 else 'faster'} than before"


def bucket(index: int, bounds: Sequence[int]) -> str:
    """The name of a histogram's bucket: ``up to 2.0 s``, ``above 5m``."""
    return f"up to {latency(bounds[index])}" if index < len(bounds) else f"above {latency(bounds[-1])}"


def moment(instant: int | None) -> str:
    """An instant in whole seconds, for readers: ``2026-05-01 12:00:00 UTC``."""
    if instant is None:
        return "–"
    return as_datetime(instant).strftime("%Y-%m-%d %H:%M:%S UTC")


def stages_shown(record: Record) -> list[LatencyStage]:
    """The stages to show of a run: deliveries only if any receiver got one."""
    proved = any(sent.delivered_at is not None or sent.resolved_at is not None for sent in record.emissions)
    return [stage for stage in LATENCY_STAGES if proved or stage.key not in ("delivered_after", "resolved_after")]


def death_told(record: Record, death: Death) -> str:
    """The sentence that the process of a run died, and who took it over."""
    died, found = offset(record.at(death.last_at)), offset(record.at(death.found_at))
    return f"The process of the run died after {died}; {death.who} on {death.host} took it over at {found}."


def state_of(sent: Emission) -> str:
    """The state of an alarm or event."""
    if sent.unsent:
        return "not sent"
    if sent.is_event:
        return "on record" if sent.seen_at is not None else "recorded"
    if sent.ended_at is not None:
        return "cleared" if sent.gone_at is not None else "cleared, not confirmed"
    if sent.delivered_at is not None:
        return "delivered"
    if sent.notified_at is not None:
        return "notified"
    return "active" if sent.seen_at is not None else "raised"


def slip(step: StepRecord) -> str:
    """How late a step began; empty below a second."""
    late = step.slip
    return f"{latency(late)} late" if late is not None and late >= SECOND else ""
