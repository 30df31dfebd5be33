"""One rich plan, and results of it: every action, drift, replaced and awkward values."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.apply.result import ApplyStatus, Result
from reconciler.core.action import Action
from reconciler.core.address import Address
from reconciler.core.desired import Desired, Kind
from reconciler.core.diagnostic import Diagnostic, Position
from reconciler.core.observed import Marks, Observed, State
from reconciler.core.operation import Operation, Outcome, ServiceErrorDetail, Status, Verb
from reconciler.plan.plan import Change, Difference, Plan

NOW = 1_777_636_800_000  # 2026-05-01T12:00:00Z
RUNBOOK = "1. look at the dashboard\n2. page the owner\n3. roll back"


def identity(name: str, severity: str = "Major", **more: str) -> dict[str, str]:
    return {
        "event_name": name,
        "event_severity": severity,
        "event_type": "alarm",
        "resource_provider": "ecs",
        "resource_type": "vm",
        "resource_id": "ecs-1",
        **more,
    }


def desired(address: Address, known_by: Mapping[str, str], message: str, kind: Kind = Kind.ALARM) -> Desired:
    attributes: dict[str, object] = {"annotations": {"message": message}, "attach_rule": {}}
    if kind is Kind.ALARM:
        attributes["timeout"] = 1_800_000
    occurrence = "2026.05" if kind is Kind.EVENT else None
    return Desired(address, "aom", kind, True, known_by, attributes, "d" * 32, occurrence)


def observed(address: Address, known_by: Mapping[str, str], id: str = "5716001", age: int = 600_000) -> Observed:
    return Observed(
        "aom",
        id,
        Marks("checkout-gameday", address, "e" * 32, "k" * 32, "r" * 32),
        State.ACTIVE,
        known_by,
        {"annotations": {"message": "old"}, "timeout": 1_800_000},
        NOW - age,
        NOW - age + 1_800_000,
    )


def push(address: Address, number: int) -> Operation:
    return Operation(f"push-{number}", address, "aom", Verb.PUSH, "{}", "d" * 32, begins_at=NOW)


def clear(address: Address, number: int, target: str = "5716001") -> Operation:
    return Operation(f"clear-{number}", address, "aom", Verb.CLEAR, "{}", target=target)


LATENCY = Address("aom_alarm", "checkout_latency", "ecs-1")
CREATED = Change(
    LATENCY,
    Action.CREATE,
    "not firing yet",
    "aom",
    (push(LATENCY, 1),),
    desired(LATENCY, identity("checkout_latency_high", team="checkout"), "p99 above 2 s on ecs-1"),
)
CJK = Address("aom_alarm", "磁盘", "主机-1")
CJK_DRIFT = Change(
    CJK,
    Action.CREATE,
    "expired at 2026-05-01T11:50:00Z, 30m after it started",
    "aom",
    (push(CJK, 2),),
    desired(CJK, identity("磁盘已满", 团队="支付"), "磁盘使用率超过 90%，请立即处理 💾"),
    drift=True,
)
UPDATED_AT = Address("aom_alarm", "queue_depth")
UPDATED = Change(
    UPDATED_AT,
    Action.UPDATE,
    "annotations, timeout",
    "aom",
    (push(UPDATED_AT, 3), clear(UPDATED_AT, 3)._replace(depends_on="push-3", only_if_duplicate=True)),
    desired(UPDATED_AT, identity("queue_depth_high"), "queue is deep"),
    (observed(UPDATED_AT, identity("queue_depth_high")),),
    (
        Difference("annotations.message", "queue is filling", "queue is deep"),
        Difference("annotations.owner", None, "team-checkout"),
        Difference("annotations.runbook", RUNBOOK, RUNBOOK.replace("page the owner", "page the team")),
        Difference("annotations.wiki", "https://wiki.example/queues", None),
        Difference("timeout", 1_800_000, 5_400_000),
    ),
)
REPLACED_AT = Address("aom_alarm", "disk_full")
REPLACED = Change(
    REPLACED_AT,
    Action.REPLACE,
    "event_severity",
    "aom",
    (clear(REPLACED_AT, 4), push(REPLACED_AT, 4)._replace(depends_on="clear-4")),
    desired(REPLACED_AT, identity("disk_full", "Critical"), "disk is full"),
    (observed(REPLACED_AT, identity("disk_full")),),
    (
        Difference("event_severity", "Major", "Critical", forces_replace=True),
        Difference("annotations.message", "disk is filling up", "disk is full"),
    ),
)
RENEWED_AT = Address("aom_alarm", "certificate")
RENEWED = Change(
    RENEWED_AT,
    Action.RENEW,
    "expires in 4m, within renew_before of 5m",
    "aom",
    (push(RENEWED_AT, 5),),
    desired(RENEWED_AT, identity("certificate_expiring", "Minor"), "renew it"),
    (observed(RENEWED_AT, identity("certificate_expiring", "Minor"), age=1_560_000),),
)
RECORDED_AT = Address("aom_event", "release_started")
RECORDED = Change(
    RECORDED_AT,
    Action.RECORD,
    "occurrence 2026.05 is not on record",
    "aom",
    (push(RECORDED_AT, 6),),
    desired(RECORDED_AT, identity("release_started", "Info"), f"release notes:\n{RUNBOOK}", Kind.EVENT),
)
GONE_AT = Address("aom_alarm", "from_the_past", 'a "quoted" key')
GONE = Change(
    GONE_AT,
    Action.CLEAR,
    "no longer in the configuration",
    "aom",
    (clear(GONE_AT, 7), clear(GONE_AT, 8, "5716002")),
    None,
    (
        observed(GONE_AT, identity("[bold red]not markup[/] \x1b[2J\x07 `code` <b>", note="\u202eevil")),
        observed(GONE_AT, identity("from_the_past"), "5716002", 60_000),
    ),
)
LONG_AT = Address("aom_alarm", "long_text")
LONG = Change(
    LONG_AT,
    Action.CREATE,
    "cleared at 2026-05-01T11:58:00Z, not by this stack's ledger",
    "aom.eu",
    (push(LONG_AT, 9),),
    desired(LONG_AT, identity("long_text"), "the quick brown fox jumps over the lazy dog, " * 12)._replace(
        provider="aom.eu"
    ),
    drift=True,
)


def unchanged(number: int) -> Change:
    address = Address("aom_alarm", f"steady_{number}")
    return Change(
        address, Action.NO_OP, "as declared", "aom", (), desired(address, identity(f"steady_{number}"), "still")
    )


PROBLEM = Diagnostic(
    "aom_alarm.disk_full has lifecycle.prevent_clear, and this plan would replace it: event_severity",
    Position("stack.yaml", 12, 7),
    "take prevent_clear out of its lifecycle, or leave what it declares as it fires now",
    source="      disk_full:",
    address="aom_alarm.disk_full",
)


def plan(*changes: Change, problems: tuple[Diagnostic, ...] = ()) -> Plan:
    return Plan("f" * 32, "checkout-gameday", NOW, "c" * 32, changes, {}, problems=problems)


RICH = plan(CREATED, CJK_DRIFT, UPDATED, REPLACED, RENEWED, RECORDED, *map(unchanged, range(12)), LONG, GONE)
STEADY = plan(
    *map(unchanged, range(12)),
    RECORDED._replace(action=Action.NO_OP, reason="on record", operations=()),
)

REFUSED = ServiceErrorDetail(
    "metadata is invalid: \x1b[31mevent_name", 400, "AOM.0400", "9f2c", "PUT https://aom.example/v2/demo/push/events"
)


def result(
    ending: ApplyStatus = ApplyStatus.COMPLETE, cause: ServiceErrorDetail | None = None, done: bool = False
) -> Result:
    """A run of the rich plan, in which everything is done, or much went wrong."""
    outcomes = {
        operation.key: Outcome(operation.key, Status.DONE)
        for operation in RICH.operations
        if not operation.only_if_duplicate
    }
    if not done:
        outcomes["push-1"] = Outcome("push-1", Status.FAILED, REFUSED)
        outcomes["push-4"] = Outcome("push-4", Status.UNKNOWN, ServiceErrorDetail("timed out"))
        del outcomes["clear-8"], outcomes["push-9"]
    unconfirmed = frozenset() if done else frozenset({"push-2"})
    return Result(
        RICH,
        "1a2b3c4d5e6f7081",
        NOW,
        NOW + 2_500,
        ending,
        outcomes,
        unconfirmed,
        cause,
        possible_duplicates=frozenset() if done else frozenset({"clear-3"}),
    )
