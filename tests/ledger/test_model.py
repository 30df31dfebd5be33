"""The ledger against a model of it that fits on a page: whatever is done in whatever order, both say the same."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from reconciler.core.address import Address
from reconciler.core.duration import DAY, SECOND
from reconciler.core.operation import Operation, Outcome, ServiceErrorDetail, Status, Verb
from reconciler.ledger.lease import BootTime
from reconciler.ledger.protocol import AS_SENT, Behaviour, Holder, LeaseHeldError, LeaseLostError, Ledger, RunState
from reconciler.ledger.sqlite import open_ledger, read_ledger
from tests.ledger.samples import GONE, LIFETIME, NOW, operation, run
from tests.memory_directory import MEMORY

TEXT = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=4)
KEYS = st.sampled_from("abcdefgh")
STATUSES = st.sampled_from(Status)
SHOWN = st.sampled_from([AS_SENT, "1" * 32, "2" * 32])
PLACES = ("aom here", "aom there")
BEHAVIOURS = st.builds(Behaviour, st.none() | st.booleans(), st.none() | st.booleans())
RECENT = 60 * SECOND


def _operation(key: str) -> Operation:
    """The operation of a key: of every kind there is, the same one each time."""
    kind = "abcdefgh".index(key) % 3
    if kind == 1:
        return operation(key, address=Address("ces_event", "release", key), occurrence="2" * 3)
    if kind == 2:
        return operation(key, verb=Verb.CLEAR, target=f"id-{key}", depends_on="a", only_if_duplicate=True, send_by=NOW)
    return operation(key, address=Address("aom_alarm", "cpu", f'"{key}é'), begins_at=NOW)


@dataclass
class Known:
    run: str
    at: int
    order: int
    attempts: int = 0
    begun_at: int | None = None
    status: Status | None = None
    ended_at: int | None = None
    confirmed_at: int | None = None
    shown: str | None = None
    answer: str | None = None
    id: str | None = None


class Journal(RuleBasedStateMachine):
    """Drives a ledger file and dictionaries side by side."""

    lapses = True
    """Whether the lease goes by the time of the model."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp(dir=MEMORY))
        self.now = NOW
        self.order = 0
        self.known: dict[str, Known] = {}
        self.members: dict[str, list[str]] = {}
        self.states: dict[str, RunState] = {}
        self.behaviours = dict.fromkeys(PLACES, Behaviour())
        self.fence = 0
        self.holding: Holder | None = None
        self.mine: Holder | None = None
        self.ledger = self.open()

    def open(self) -> Ledger:
        return open_ledger(self.directory / "shop.db", clock=self.boot_time)

    def read(self) -> Ledger:
        return read_ledger(self.directory / "shop.db", clock=self.boot_time)

    def boot_time(self) -> BootTime:
        return BootTime("boot", self.now - NOW)

    def teardown(self) -> None:
        self.ledger.close()
        shutil.rmtree(self.directory)

    @initialize()
    def start(self) -> None:
        self.acquire()
        self.begin()

    @rule(by=st.sampled_from([1, SECOND, RECENT, 20 * DAY]))
    def time_passes(self, by: int) -> None:
        self.now += by

    @rule()
    def acquire(self) -> None:
        if self.holding is not None and (self.lapses_at > self.now or not self.lapses):
            with pytest.raises(LeaseHeldError):
                self.ledger.acquire("ci", "elsewhere", GONE, self.now, LIFETIME)
            return
        self.fence += 1
        self.lapses_at = self.now + LIFETIME
        self.holding = self.mine = self.ledger.acquire("ci", "elsewhere", 0, self.now, LIFETIME)
        expected = Holder("ci", "elsewhere", 0, self.now, self.now + LIFETIME, self.fence)
        assert self.mine == expected if self.lapses else self.mine.fence == self.fence

    @rule()
    def unlock(self) -> None:
        assert self.ledger.unlock() == self.holding
        self.holding = None

    @rule()
    def begin(self) -> None:
        id = f"run-{len(self.states)}"
        if self._fenced(lambda mine: self.ledger.begin(mine, run(id))):
            self.states[id] = RunState.RUNNING
            self.members[id] = []

    @rule(state=st.sampled_from(RunState))
    def end(self, state: RunState) -> None:
        id = list(self.states)[-1]
        self.ledger.end(id, state, self.now)
        self.states[id] = state

    @rule(keys=st.lists(KEYS, min_size=1, unique=True))
    def record_intents(self, keys: list[str]) -> None:
        id = list(self.states)[-1]
        sent = [_operation(key) for key in keys]
        if not self._fenced(lambda mine: self.ledger.record_intents(mine, id, sent, self.now)):
            return
        for key in keys:
            self.order += 1
            before = self.known.get(key)
            self.known[key] = Known(id, self.now, self.order, 0 if before is None else before.attempts)
            if key not in self.members[id]:
                self.members[id].append(key)

    @rule(keys=st.lists(KEYS, min_size=1, unique=True))
    def begin_attempts(self, keys: list[str]) -> None:
        if not self._fenced(lambda mine: self.ledger.begin_attempts(mine, keys, self.now), self._runs()):
            return
        for key in keys:
            if key in self.known:
                k = self.known[key]
                self.known[key] = Known(k.run, k.at, k.order, k.attempts + 1, self.now, id=k.id)

    @rule(outcomes=st.lists(st.tuples(KEYS, STATUSES, st.none() | TEXT, st.none() | TEXT)))
    def settle(self, outcomes: list[tuple[str, Status, str | None, str | None]]) -> None:
        self.ledger.record_outcomes(
            [
                Outcome(key, status, None if error is None else ServiceErrorDetail(error, 400), id)
                for key, status, error, id in outcomes
            ],
            self.now,
        )
        for key, status, error, id in {outcome[0]: outcome for outcome in outcomes}.values():
            known = self.known.get(key)
            if known is not None and (status is Status.DONE or known.status is not Status.DONE):
                self.known[key] = replace(
                    known,
                    status=status,
                    ended_at=self.now,
                    answer=None if error is None else f"400: {error}",
                    id=known.id if id is None else id,
                )

    @rule(keys=st.lists(KEYS, unique=True), shown=st.dictionaries(KEYS, SHOWN))
    def confirm(self, keys: list[str], shown: dict[str, str]) -> None:
        self.ledger.confirm(keys, self.now, shown)
        for key in keys:
            if key in self.known and self.known[key].confirmed_at is None:
                self.known[key].confirmed_at, self.known[key].shown = self.now, shown.get(key)

    @rule(place=st.sampled_from(PLACES), behaviour=BEHAVIOURS)
    def learn(self, place: str, behaviour: Behaviour) -> None:
        self.ledger.learn(place, behaviour, self.now)
        self.behaviours[place] = behaviour

    @rule()
    def the_process_starts_anew(self) -> None:
        self.ledger.close()
        self.ledger = self.open()

    @rule()
    def ask_the_writer(self) -> None:
        self._agrees(self.ledger)

    @invariant()
    def a_reader_agrees(self) -> None:
        reader = self.read()
        self._agrees(reader)
        reader.close()

    def _runs(self) -> bool:
        return self.lapses_at > self.now or not self.lapses

    def _fenced(self, write: object, holds: bool = True) -> bool:
        """Whether a write was let through, as it must be exactly while the lease is ours."""
        assert callable(write)
        assert self.mine is not None
        if self.holding == self.mine and holds:
            write(self.mine)
            return True
        with pytest.raises(LeaseLostError):
            write(self.mine)
        return False

    def _agrees(self, ledger: Ledger) -> None:
        for id, members in self.members.items():
            assert [
                (
                    e.operation,
                    e.run,
                    e.intended_at,
                    e.attempts,
                    e.status,
                    e.ended_at,
                    e.confirmed_at,
                    e.answer,
                    e.id,
                    e.begun_at,
                )
                for e in ledger.entries(id)
            ] == [self._row(key) for key in members]
        oldest_first = sorted(self.known, key=lambda key: self.known[key].order)
        assert [entry.operation.key for entry in ledger.open_intents()] == [
            key for key in oldest_first if self.known[key].status in (None, Status.UNKNOWN)
        ]
        begun = {key: k.begun_at for key, k in self.known.items() if k.status in (None, Status.UNKNOWN)}
        ages = {key: self.now - at for key, at in begun.items() if at is not None}
        assert {key: attempt.age for key, attempt in ledger.in_flight(self.now).items()} == ages
        assert ledger.statuses("abcdefghz") == {key: k.status for key, k in self.known.items() if k.status is not None}
        assert ledger.shown("abcdefghz") == {key: k.shown for key, k in self.known.items() if k.shown is not None}
        assert [(known.id, known.state) for known in ledger.runs()] == list(self.states.items())[::-1]
        assert {target: ledger.behaviour(target) for target in PLACES} == self.behaviours
        self._view_agrees(ledger)

    def _view_agrees(self, ledger: Ledger) -> None:
        view = ledger.view(self.now, RECENT)
        done = {key: known for key, known in self.known.items() if known.status is Status.DONE}
        facts = {_operation(key) for key in done if _operation(key).occurrence is not None}
        assert view.recorded == {(fact.address, fact.occurrence) for fact in facts}
        recent = {key for key, k in done.items() if k.confirmed_at is None and (k.ended_at or 0) >= self.now - RECENT}
        assert {entry.operation.key for entry in view.recent} == recent
        assert [entry.ended_at for entry in view.recent] == sorted(entry.ended_at or 0 for entry in view.recent)
        assert view.cleared == {
            _operation(key).target: known.ended_at
            for key, known in done.items()
            if _operation(key).verb is Verb.CLEAR and (known.ended_at or 0) >= self.now - 30 * DAY
        }

    @staticmethod
    def _outcome(k: Known) -> tuple[object, ...]:
        return (k.status, k.ended_at, k.confirmed_at, k.answer, k.id)

    def _row(self, key: str) -> tuple[object, ...]:
        k = self.known[key]
        return (
            _operation(key),
            k.run,
            k.at,
            k.attempts,
            k.status,
            k.ended_at,
            k.confirmed_at,
            k.answer,
            k.id,
            k.begun_at,
        )


Journal.TestCase.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
TestJournal = Journal.TestCase
