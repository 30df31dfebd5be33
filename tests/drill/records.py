"""Records of runs for the tests of views."""

from __future__ import annotations

from reconciler.drill.record import CheckRecord, DrillStatus, Emission, LogEntry, Record, StepRecord, StepState
from reconciler.drill.spec import StepAction
from tests.drill.harness import NOW

NASTY = "<script>alert('x')</script><img src=https://evil.example/x onerror=alert(1)> ]]> `|*_ \x1b[31m \u202e \"'&"


def sent(name: str, severity: str = "Major", **changes: object) -> Emission:
    made = Emission(
        address=f"aom_alarm.{name}",
        marked_address=f"aom_alarm.outage--{name}",
        name=name,
        severity=severity,
        is_event=False,
        step="one",
        keys=(name,),
        sent_at=NOW + 10_000,
        until=NOW + 600_000,
        seen_at=NOW + 12_000,
        notified_at=NOW + 15_000,
        notified="pager urn:smn:x",
        ended_at=NOW + 300_000,
        gone_at=NOW + 302_000,
        ended_by="step back",
    )
    return made.model_copy(update=changes)


def record(**changes: object) -> Record:
    """A complete run with three alarms of different fates and an event."""
    made = Record(
        run="20270115T080000-outage-abcd",
        stack="shop",
        drill="outage",
        digest="d",
        description="The shop is closed",
        rehearsal=False,
        speed=1.0,
        who="ann",
        host="desk",
        pid=1,
        began_at=NOW - 1000,
        started_at=NOW,
        cleared_at=NOW + 400_000,
        ended_at=NOW + 401_000,
        max_duration=600_000,
        ending=DrillStatus.COMPLETE,
        steps=(
            StepRecord(
                name="one",
                action=StepAction.RAISE,
                about="aom_alarm.slow",
                planned=10_000,
                due_at=NOW + 10_000,
                started_at=NOW + 10_000,
                ended_at=NOW + 11_000,
                state=StepState.DONE,
                outcome="raised 3",
            ),
            StepRecord(
                name="asked",
                action=StepAction.PAUSE,
                about="Go on?",
                planned=60_000,
                due_at=NOW + 60_000,
                started_at=NOW + 65_000,
                ended_at=NOW + 120_000,
                state=StepState.DONE,
                outcome="confirmed by ann after 55s",
            ),
        ),
        emissions=(
            sent("slow"),
            sent("broken", "Critical", notified_at=None, notified=None, ended_by="the end of the drill"),
            sent("brief", "Minor", seen_at=None, notified_at=None, notified=None, gone_at=None),
            sent("failover", "Info", address="aom_event.failover", is_event=True, ended_at=None, ended_by=None),
        ),
        checks=(
            CheckRecord(
                phase="before",
                name="calm",
                status="passed",
                reason="found 0",
                about="aom_alarms.critical",
                description=None,
                started_at=NOW - 900,
                ended_at=NOW - 800,
            ),
        ),
        log=(LogEntry(at=NOW, text="the timeline begins"),),
    )
    return made.model_copy(update=changes)


def nasty() -> Record:
    """A run whose every text, from wherever it came, means harm."""
    made = record()
    return made.model_copy(
        update={
            "description": NASTY,
            "who": NASTY,
            "drill": NASTY,
            "leftovers": (NASTY,),
            "steps": tuple(
                step.model_copy(update={"name": NASTY, "about": NASTY, "outcome": NASTY}) for step in made.steps
            ),
            "emissions": (
                sent("slow", NASTY, address=NASTY, notified=NASTY, ended_by=NASTY),
                sent("bad", address=NASTY, trouble=NASTY, ended_at=None),
            ),
            "checks": tuple(
                check.model_copy(update={"name": NASTY, "reason": NASTY, "status": "failed", "items": ({"id": NASTY},)})
                for check in made.checks
            ),
            "log": (LogEntry(at=NOW, text=NASTY),),
        }
    )
