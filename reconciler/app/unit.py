"""The unit of work of a fleet as a value, and its result: one command on one stack in one environment.

Both can be pickled and written as JSON. ``reconciler.app.run_unit`` runs a unit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache

from pydantic import JsonValue, TypeAdapter

from reconciler.apply.result import ApplyStatus
from reconciler.core.action import Action
from reconciler.core.diagnostic import Diagnostic, Position
from reconciler.core.exit_code import ExitCode
from reconciler.core.operation import Status

MAX_CHANGES = 20
"""The maximum number of changes in a result; its counts include the others."""


class UnitKind(StrEnum):
    """What is done with a stack."""

    PLAN = "plan"
    APPLY = "apply"
    CHECK = "check"
    DRIFT = "drift"
    STATUS = "status"
    SHARD = "shard"
    """A part of an apply, for a stack that is too large for one worker."""


BATCHED = frozenset((UnitKind.PLAN, UnitKind.DRIFT))
"""Commands that only query services, so that stacks can share queries."""


WRITING = frozenset((UnitKind.APPLY, UnitKind.CHECK))
"""Commands that may send something to services."""


class UnitState(StrEnum):
    """How a unit ended."""

    DONE = "done"
    """Complete: nothing was left undone, whatever it found."""
    FAILED = "failed"
    """An error, a failed check, or an incomplete apply."""
    LEASED = "leased"
    """Another run holds the stack's lease."""
    TIMED_OUT = "timed out"
    """Stopped, since it did not end by its deadline."""
    INTERRUPTED = "interrupted"
    """Stopped on request."""
    NOT_RUN = "not run"
    """Never started."""


@dataclass(frozen=True, slots=True)
class ShardTask:
    """A shard of a run: its index and the number of shards, its name, and the fence of the stack's lease it was cut
    under.

    ``targets`` are the targets of its providers, as text. ``needed`` maps addresses to those that must be done before,
    and ``done`` are operations that are done already.
    """

    name: str
    stack: str
    fence: int
    run: str
    plan_id: str
    number: int
    count: int
    targets: Mapping[str, str] = field(default_factory=dict)
    needed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    done: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Undone:
    """An operation of a shard that is not done: failed, unknown, or None if it was not started; and why."""

    key: str
    status: Status | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class ShardReport:
    """How a shard ended, and what of it is not done.

    ``possible_duplicates`` are pushes that may have opened a second alarm.
    """

    ending: ApplyStatus
    undone: tuple[Undone, ...] = ()
    possible_duplicates: tuple[str, ...] = ()
    cause: str | None = None


@dataclass(frozen=True, slots=True)
class Unit:
    """One command on one stack in one environment.

    ``path`` is the stack: a directory or a file. ``variables`` override those of ``var_files``; texts are converted to
    the type of the variable. ``ledger`` overrides the stack's and may contain ``${env.NAME}``, which is substituted
    where the unit runs, so that no credentials are transferred. ``plan_file`` is where a plan is saved, or the saved
    plan to apply; ``plan_id`` is then the id it must have. ``deadline`` and ``lock_timeout`` are milliseconds.
    ``since`` is when the fleet began (epoch ms): what runs of the same stack have sent since belongs to this unit, in
    case an engine runs it twice. ``rate_limits`` maps targets to the requests per second that the whole fleet may send.
    An apply with ``shard_size`` is cut into shards of about that many operations; ``shard`` is one of them. ``places``
    are the positions of the variables that the fleet file sets, ``file_places`` those of its var-files, by path.
    """

    kind: UnitKind
    path: str
    environment: str = ""
    variables: Mapping[str, JsonValue] = field(default_factory=dict)
    var_files: tuple[str, ...] = ()
    ledger: str | None = None
    plan_file: str | None = None
    plan_id: str | None = None
    deadline: int | None = None
    lock_timeout: int = 0
    force: bool = False
    since: int = 0
    rate_limits: Mapping[str, float] = field(default_factory=dict)
    shard_size: int | None = None
    shard: ShardTask | None = None
    places: Mapping[str, Position] = field(default_factory=dict)
    file_places: Mapping[str, Position] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The name of the unit in reports: its stack's path, and its environment if it has one."""
        name = f"{self.path}@{self.environment}" if self.environment else self.path
        return name if self.shard is None else f"{name}#{self.shard.number}/{self.shard.count}"

    @property
    def is_cut(self) -> bool:
        """Whether it is applied in shards."""
        return self.kind is UnitKind.APPLY and self.shard_size is not None


@dataclass(frozen=True, slots=True)
class UnitChange:
    """One change of a plan, in a few words."""

    action: Action
    address: str
    reason: str
    drift: bool = False


@dataclass(frozen=True, slots=True)
class Activity:
    """One thing done with a stack: when it ended (epoch ms), by whom, its result, and the id of its plan or run.

    ``counts`` are changes by action, or checks by status.
    """

    at: int
    by: str
    state: UnitState = UnitState.DONE
    counts: Mapping[str, int] = field(default_factory=dict)
    id: str | None = None


@dataclass(frozen=True, slots=True)
class UnitResult:
    """The result of a unit: small, without secrets, and serializable like the unit.

    ``counts`` are changes by action (for a run that was already carried out: operations by verb), or checks by status.
    ``changes`` are the first changes, ``remaining`` counts those of an apply that are not done, and ``others`` those
    that a drift run leaves out. ``activities`` is the result of a status, by kind, and ``holder`` is the holder of the
    stack's lease. ``worker`` ran the unit. Instants are epoch milliseconds; both are 0 for a unit that was not started.
    """

    unit: Unit
    state: UnitState
    exit_code: ExitCode
    stack: str | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    drift: int = 0
    others: int = 0
    changes: tuple[UnitChange, ...] = ()
    remaining: int = 0
    diagnostics: tuple[Diagnostic, ...] = ()
    run: str | None = None
    plan_id: str | None = None
    repeated: bool = False
    """Whether an earlier run of the same plan, or of the same fleet, had already done everything."""
    shard: ShardReport | None = None
    """How a shard ended, if the unit was one and ran to its end."""
    activities: Mapping[UnitKind, Activity] = field(default_factory=dict)
    holder: str | None = None
    worker: str = ""
    started_at: int = 0
    ended_at: int = 0

    @property
    def is_failure(self) -> bool:
        """Whether it counts towards the fleet's limit on failures."""
        return self.state in (UnitState.FAILED, UnitState.LEASED, UnitState.TIMED_OUT)


@cache
def _units() -> TypeAdapter[list[Unit]]:
    return TypeAdapter(list[Unit])


@cache
def _results() -> TypeAdapter[UnitResult]:
    return TypeAdapter(UnitResult)


def units_json(units: Sequence[Unit]) -> str:
    """Units as one line of JSON."""
    return _units().dump_json([*units]).decode()


def parse_units(text: str | bytes) -> list[Unit]:
    """The units of a line of JSON."""
    return _units().validate_json(text)


def result_json(result: UnitResult) -> str:
    """A result as one line of JSON."""
    return _results().dump_json(result).decode()


def parse_result(text: str | bytes) -> UnitResult:
    """The result of a line of JSON."""
    return _results().validate_json(text)
