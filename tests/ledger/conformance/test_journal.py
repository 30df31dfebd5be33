"""The journal: intents, outcomes, and what can be asked of them."""

from __future__ import annotations

from threading import Thread

import pytest

from reconciler.core.address import Address
from reconciler.core.diagnostic import DiagnosticError
from reconciler.core.duration import DAY
from reconciler.core.operation import Operation, Outcome, ServiceErrorDetail, Status, Verb
from reconciler.core.origin import Origin
from reconciler.ledger.protocol import LeaseLostError, Run, RunState
from tests.ledger.conformance.place import Place
from tests.ledger.samples import NOW, acquire_lease, clear, event, operation, operations, run


def test_an_operation_comes_back_as_it_was_journalled(place: Place) -> None:
    sent = Operation(
        "k1",
        Address("aom_alarm", "cpu", 'é"1'),
        "aom.eu",
        Verb.CLEAR,
        '{"message":"95 % 高"}',
        "d1",
        "42",
        "id-7",
        "k0",
        True,
        NOW + 9,
    )
    with place.begun() as (ledger, holder):
        ledger.record_intents(holder, "run-1", [sent, operation("k2")], NOW)
        first, second = ledger.entries("run-1")
    assert first.operation == sent
    assert second.operation == operation("k2")
    assert (first.run, first.intended_at, first.attempts, first.status) == ("run-1", NOW, 0, None)


def test_a_run_keeps_who_started_it(place: Place) -> None:
    who = Origin("ada", "runner-1", "https://ci.example.com/7", "c0ffee \ud800")
    with place.begun() as (ledger, holder):
        ledger.begin(holder, run("run-2")._replace(origin=who))
        found = {one.id: one.origin for one in ledger.runs()}
    assert found == {"run-1": None, "run-2": who._replace(commit="c0ffee \\ud800")}


def test_an_intent_without_an_outcome_is_open_for_the_next_process(place: Place) -> None:
    with place.begun() as (ledger, holder):
        ledger.record_intents(holder, "run-1", operations("a", "b", "c"), NOW)
        ledger.record_outcomes([Outcome("a", Status.DONE), Outcome("b", Status.UNKNOWN)], NOW)
    assert [entry.operation.key for entry in place.read().open_intents()] == ["b", "c"]


def test_a_settled_operation_keeps_the_answer_and_the_id_the_service_gave(place: Place) -> None:
    refusal = ServiceErrorDetail("no such\x1b[2J resource \ud800", 400, "AOM.0402", "trace-1")
    with place.begun() as (ledger, holder):
        ledger.record_intents(holder, "run-1", operations("a", "b"), NOW)
        ledger.record_outcomes([Outcome("a", Status.FAILED, refusal), Outcome("b", Status.DONE, id="svc-1")], NOW + 5)
        failed, done = ledger.entries("run-1")
    assert failed.status is Status.FAILED
    assert failed.answer == "400 AOM.0402: no such\x1b[2J resource \\ud800 (trace trace-1)"
    assert (done.status, done.id, done.ended_at) == (Status.DONE, "svc-1", NOW + 5)


def test_an_operation_sent_again_is_open_again_and_listed_in_both_runs(place: Place) -> None:
    with place.begun() as (ledger, holder):
        ledger.record_intents(holder, "run-1", operations("a", "b"), NOW)
        ledger.begin_attempts(holder, ["a"], NOW)
        ledger.record_outcomes([Outcome("a", Status.UNKNOWN, ServiceErrorDetail("timed out"))], NOW + 1)
        ledger.begin(holder, run("run-2"))
        ledger.record_intents(holder, "run-2", operations("a"), NOW + 2)
        ledger.begin_attempts(holder, ["a"], NOW + 2)
        (again,) = ledger.entries("run-2")
        assert [entry.operation.key for entry in ledger.entries("run-1")] == ["a", "b"]
    assert (again.attempts, again.status, again.answer, again.intended_at) == (2, None, None, NOW + 2)


def test_statuses_are_known_for_settled_operations_only(place: Place) -> None:
    keys = [f"k{number}" for number in range(2_500)]
    with place.begun() as (ledger, holder):
        ledger.record_intents(holder, "run-1", operations(*keys), NOW)
        ledger.record_outcomes([Outcome(key, Status.DONE) for key in keys[1:]], NOW)
        found = ledger.statuses([*keys, "never seen"])
    assert found == dict.fromkeys(keys[1:], Status.DONE)


def test_the_view_holds_facts_of_all_time_and_recent_writes_not_yet_confirmed(place: Place) -> None:
    with place.begun() as (ledger, holder):
        ledger.record_intents(
            holder, "run-1", [event("e1", "v1"), event("e2", "v2"), *operations("old", "seen", "new")], NOW
        )
        ledger.record_outcomes([Outcome("e1", Status.DONE), Outcome("old", Status.DONE)], NOW)
        ledger.record_outcomes([Outcome("seen", Status.DONE), Outcome("new", Status.DONE, id="svc")], NOW + 100)
        ledger.confirm(["seen"], NOW + 101)
        view = ledger.view(NOW + 110, 50)
    assert view.recorded == {(Address("ces_event", "release"), "v1")}
    assert [(entry.operation.key, entry.ended_at, entry.confirmed_at) for entry in view.recent] == [
        ("new", NOW + 100, None)
    ]
    assert view.recent[0].operation.payload == operation("new").payload


def test_the_view_tells_which_alarms_were_cleared_in_the_last_30_days(place: Place) -> None:
    with place.begun() as (ledger, holder):
        ledger.record_intents(holder, "run-1", [clear("c1", "id-1"), clear("c2", "id-2"), clear("c3", "id-3")], NOW)
        ledger.record_outcomes([Outcome("c1", Status.DONE)], NOW)
        ledger.record_outcomes([Outcome("c2", Status.DONE), Outcome("c3", Status.FAILED)], NOW + DAY)
        assert ledger.view(NOW + 30 * DAY + 1, 0).cleared == {"id-2": NOW + DAY}


def test_the_view_leaves_out_what_was_cleared_at_another_target(place: Place) -> None:
    with place.begun() as (ledger, holder):
        ledger.begin(holder, run("there")._replace(targets={"aom": "aom elsewhere"}))
        ledger.record_intents(holder, "there", [clear("c1", "id-1")], NOW)
        ledger.record_outcomes([Outcome("c1", Status.DONE)], NOW)
        assert ledger.view(NOW, 0, {"aom": "aom here"}).cleared == {}
        assert ledger.view(NOW, 0, {"aom": "aom elsewhere"}).cleared == {"id-1": NOW}


def test_a_write_dated_by_a_clock_that_was_set_back_since_is_not_recent(place: Place) -> None:
    with place.begun() as (ledger, holder):
        ledger.record_intents(holder, "run-1", operations("a"), NOW)
        ledger.record_outcomes([Outcome("a", Status.DONE)], NOW + DAY)
        assert ledger.view(NOW, 50).recent == ()
        assert len(ledger.view(NOW + DAY - 40, 50).recent) == 1


def test_an_outcome_told_late_does_not_undo_what_another_run_has_done(place: Place) -> None:
    with place.begun() as (ledger, holder):
        ledger.record_intents(holder, "run-1", operations("a"), NOW)
        ledger.begin_attempts(holder, ["a"], NOW)
        ledger.record_outcomes([Outcome("a", Status.DONE)], NOW)
        for late in (Status.FAILED, Status.UNKNOWN):
            ledger.record_outcomes([Outcome("a", late, ServiceErrorDetail("not sent: the run was stopped first"))], NOW)
            assert ledger.statuses(["a"]) == {"a": Status.DONE}
        ledger.begin_attempts(holder, ["a"], NOW)
        ledger.record_outcomes([Outcome("a", Status.FAILED)], NOW)
        assert ledger.statuses(["a"]) == {"a": Status.FAILED}


def test_a_run_is_found_by_a_unique_prefix_and_by_its_whole_id(place: Place) -> None:
    with place.begun("ab1") as (ledger, holder):
        ledger.begin(holder, run("ab"))
        ledger.record_intents(holder, "ab1", operations("x"), NOW)
        assert [entry.operation.key for entry in ledger.entries("ab1")] == ["x"]
        assert ledger.entries("ab") == []
        for missing in ("a", "zz"):
            with pytest.raises(KeyError):
                ledger.entries(missing)


def test_runs_are_listed_newest_first_with_how_they_ended(place: Place) -> None:
    with place.begun() as (ledger, holder):
        ledger.end("run-1", RunState.PARTIAL, NOW + 7)
        ledger.begin(holder, run("run-2"))
        assert ledger.runs() == [
            run("run-2"),
            Run("run-1", "plan-of-run-1", "apply", NOW, NOW + 7, RunState.PARTIAL),
        ]


def test_nothing_is_journalled_once_the_lease_is_lost(place: Place) -> None:
    with place.begun() as (ledger, holder):
        ledger.unlock()
        with pytest.raises(LeaseLostError, match="broken or released"):
            ledger.record_intents(holder, "run-1", operations("a"), NOW)
        acquire_lease(ledger, "somebody")
        with pytest.raises(LeaseLostError, match="somebody on runner-1"):
            ledger.begin(holder, run("run-2"))
        assert ledger.open_intents() == []
        assert [known.id for known in ledger.runs()] == ["run-1"]


def test_an_intent_of_a_run_that_was_not_begun_is_refused(place: Place) -> None:
    with place.begun() as (ledger, holder), pytest.raises(ValueError, match="run-9 was not started"):
        ledger.record_intents(holder, "run-9", operations("a"), NOW)


@pytest.mark.parametrize("payload", ['{"a":"\x1e"}', '{"a":"\ud800"}'])
def test_an_operation_no_file_can_hold_is_refused_before_anything_is_written(place: Place, payload: str) -> None:
    with place.begun() as (ledger, holder):
        with pytest.raises(DiagnosticError, match="cannot hold an operation"):
            ledger.record_intents(holder, "run-1", [*operations("a"), operation("b", payload=payload)], NOW)
        assert ledger.open_intents() == []


def test_a_batch_is_kept_whole_or_not_at_all(place: Place) -> None:
    with place.begun() as (ledger, holder):
        with ledger.batch():
            ledger.record_intents(holder, "run-1", operations("a"), NOW)
            with ledger.batch():
                ledger.record_outcomes([Outcome("a", Status.DONE)], NOW)
        with pytest.raises(RuntimeError), ledger.batch():
            ledger.record_intents(holder, "run-1", operations("b"), NOW)
            raise RuntimeError
        assert ledger.statuses(["a", "b"]) == {"a": Status.DONE}
        assert ledger.open_intents() == []


def test_a_refused_write_inside_a_batch_leaves_the_rest_of_the_batch(place: Place) -> None:
    with place.begun() as (ledger, holder):
        with ledger.batch():
            ledger.record_intents(holder, "run-1", operations("a"), NOW)
            with pytest.raises(ValueError, match="not started"):
                ledger.record_intents(holder, "run-9", operations("b"), NOW)
        assert [entry.operation.key for entry in ledger.open_intents()] == ["a"]


def test_workers_may_journal_at_the_same_time(place: Place) -> None:
    with place.begun() as (ledger, holder):

        def work(worker: int) -> None:
            for number in range(20):
                key = f"{worker}-{number}"
                ledger.record_intents(holder, "run-1", operations(key), NOW)
                ledger.record_outcomes([Outcome(key, Status.DONE)], NOW)

        workers = [Thread(target=work, args=(worker,)) for worker in range(4)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        entries = ledger.entries("run-1")
    assert len(entries) == 80
    assert {entry.status for entry in entries} == {Status.DONE}


def test_a_reader_beside_a_writer_sees_what_was_journalled_so_far(place: Place) -> None:
    with place.begun() as (ledger, holder):
        ledger.record_intents(holder, "run-1", operations("a", "b"), NOW)
        ledger.record_outcomes([Outcome("a", Status.DONE)], NOW)
        reader = place.read()
        assert reader.statuses(["a", "b"]) == {"a": Status.DONE}
        assert [entry.operation.key for entry in reader.open_intents()] == ["b"]
        reader.close()
        assert ledger.statuses(["a"]) == {"a": Status.DONE}
