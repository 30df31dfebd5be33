"""Plan files that were edited, with the checksum put right: refused, or without any effect on what is sent."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reconciler.core.action import Action
from reconciler.core.address import Address
from reconciler.core.desired import Desired, Lifecycle
from reconciler.core.diagnostic import Diagnostic, DiagnosticError, Severity
from reconciler.core.imports import Lookup
from reconciler.core.moves import Move, Moves
from reconciler.core.operation import Operation
from reconciler.core.target import Target
from reconciler.ledger.protocol import LedgerView
from reconciler.plan.operations import forgeries
from reconciler.plan.plan import Plan
from reconciler.plan.planfile import PlanDocument
from reconciler.plan.saved import KEY_VARIABLE, checksum, dump_plan, parse_plan, signing_key
from reconciler.plan.stale import is_carried_out, staleness
from reconciler.plan.state import merge
from tests.cli.run_cli import reconciler
from tests.cli.stacks import write
from tests.e2e.sent import sent
from tests.emulator.handle import Emulator
from tests.plan.fake_service import LATER, TYPES, Service, alarm, event, plan_of
from tests.plan.tampering import branches, leaves, other_values, restructured, similar_values, value_at, with_value

TARGETS = {"aom": Target("aom", "embedded", "p1")}
PROVIDERS = {"aom": "settings"}
KEY = "a-key-of-more-than-sixteen-characters"
MOVED = alarm("old", "old")._replace(address=Address("aom_alarm", "moved", "old"))
MOVES = Moves((Move(Address("aom_alarm", "old"), Address("aom_alarm", "moved")),))


def _world() -> tuple[Service, list[Desired], Plan]:
    """A service, what is declared, and a plan that creates, updates, replaces in both orders, renews, mends drift,
    imports, clears and records.
    """
    service = Service()
    names = ("kept", "updated", "replaced", "turned", "renewed", "edited", "doubled", "gone", "old", "left")
    service.apply(plan_of([alarm(name, name) for name in names], service))
    for id_, item in list(service.items.items()):
        metadata, annotations = dict(item["metadata"]), dict(item["annotations"])  # type: ignore[call-overload]
        if metadata["event_name"] == "doubled":
            service.items["second"] = {**item, "starts_at": LATER - 1}
        elif metadata["event_name"] == "edited":
            service.items[id_] = {**item, "annotations": {**annotations, "message": "all is well"}}
    new, taken = alarm("new", "new"), alarm("taken", "taken", message="slower")
    service.fire(alarm("taken", "taken"))
    desired = [
        alarm("kept", "kept"),
        alarm("updated", "updated", message="slower"),
        alarm("replaced", "replaced", severity="Critical"),
        alarm("turned", "turned", severity="Critical", lifecycle=Lifecycle(create_before_clear=True)),
        alarm("renewed", "renewed", lifecycle=Lifecycle(renew_before="29m")),
        alarm("edited", "edited"),
        alarm("doubled", "doubled"),
        new,
        taken,
        MOVED,
        event()._replace(depends_on=(new.address,)),
    ]
    given = {"providers": PROVIDERS, "places": TARGETS, "config_digest": "c", "moves": MOVES}
    given["removed"] = [Address("aom_alarm", "left")]
    given["imports"] = {taken.address: Lookup(tuple(service.unmanaged()))}
    plan = plan_of(desired, service, LATER, **given)
    warning = Diagnostic("something to know", hint="do this", severity=Severity.WARNING)
    return service, desired, plan._replace(warnings=(warning,))


def _accepted(text: str, service: Service, desired: list[Desired]) -> list[Operation] | None:
    """What would be sent for a plan file, or None if it is refused."""
    try:
        plan = parse_plan(text, "plan.json")
    except DiagnosticError:
        return None
    known = merge("demo", service.observe(), LedgerView())
    now = {"providers": PROVIDERS, "targets": TARGETS, "moves": MOVES}
    if any(forgeries(plan, TYPES)) or staleness(plan, desired, known, LATER, **now):
        return None
    return list(plan.operations)


def test_the_plan_that_is_tampered_with_has_changes_of_every_kind() -> None:
    plan = _world()[2]
    assert {change.action for change in plan.changes} == set(Action)
    assert {len(change.before) for change in plan.pending} == {0, 1, 2}
    assert any(change.drift for change in plan.pending)
    assert any(operation.only_if_duplicate for operation in plan.operations)


@pytest.mark.slow
def test_a_tampered_plan_file_is_refused_or_has_no_effect() -> None:
    service, desired, plan = _world()
    document = json.loads(dump_plan(plan, "1", KEY))
    assert _accepted(json.dumps(document), service, desired) == list(plan.operations)
    similar = similar_values(document)
    harmless = set()

    def check(path: tuple[str | int, ...], edited: str | None, how: str = "") -> None:
        accepted = None if edited is None else _accepted(edited, service, desired)
        assert accepted in (None, list(plan.operations)), path
        if accepted is not None and edited is not None and json.loads(edited) != document:
            names = [name for name in path if isinstance(name, str)] or ["signature"]
            harmless.add(f"{names[-1] if names[0] == 'changes' else names[0]} {how}".strip())

    for path in leaves(document):
        for value in other_values(value_at(document, path), similar[path[-1]]):
            check(path, with_value(document, path, value))
    for path in branches(document):
        for how, edited in restructured(document, path):
            check(path, edited, how)
    told = {name.split()[0] for name in harmless}
    # What is only shown: of the file, of what needs nothing, when an alarm would expire, which of two comes first.
    assert told <= {"tool_version", "unchanged", "warnings", "signature", "checksum", "expires_at", "before"}
    assert {name for name in harmless if name.startswith("before")} == {"before moved"}


def test_a_signed_plan_that_was_tampered_with_is_refused_whatever_was_changed() -> None:
    document = json.loads(dump_plan(_world()[2], "1", KEY))
    for path in leaves(document):
        value = value_at(document, path)
        edited = with_value(document, path, not value if isinstance(value, bool) else f"{value}9")
        if edited is not None and (path[0] == "signature" or json.loads(edited)["checksum"] != document["checksum"]):
            with pytest.raises(DiagnosticError, match="it was signed with another key"):
                parse_plan(edited, "plan.json", KEY)


def test_an_edited_payload_is_not_sent(emulator: Emulator, tmp_path: Path) -> None:
    stack, saved = write(tmp_path / "stack", "one", endpoint=emulator.url), tmp_path / "plan.json"
    assert reconciler("plan", stack, "--out", saved).code == 0
    document = json.loads(saved.read_text())
    operation = document["changes"][0]["operations"][0]
    operation["payload"] = operation["payload"].replace("Major", "Info")
    document["checksum"] = checksum(PlanDocument.model_validate(document))
    saved.write_text(json.dumps(document))
    done = reconciler("apply", stack, saved)
    assert done.code == 1
    assert "what it would send for aom_alarm.one is not what it shows" in done.err
    assert sent(emulator) == []


def test_a_plan_of_another_machine_is_already_applied(emulator: Emulator, tmp_path: Path) -> None:
    saved = tmp_path / "plan.json"
    here, there = (write(tmp_path / name, "one", endpoint=emulator.url) for name in ("here", "there"))
    reconciler("plan", here, "--out", saved)
    assert reconciler("apply", here, saved).code == 0
    emulator.forget_requests()
    again = reconciler("apply", there, saved)
    assert (again.code, again.out[:15], sent(emulator)) == (0, "Already applied", [])


def test_a_plan_is_carried_out_once_its_effect_shows_everywhere() -> None:
    service, _, plan = _world()
    assert not is_carried_out(plan, merge("demo", service.observe(), LedgerView()))
    service.apply(plan)
    recorded = service.observe(active=False) + service.observe()
    noted = frozenset((item.address, item.occurrence or "") for item in plan.operations if item.is_recorded)
    assert is_carried_out(plan, merge("demo", recorded, LedgerView(recorded=noted)))


def test_a_plan_that_is_not_signed_with_the_key_is_refused() -> None:
    plan = _world()[2]
    assert parse_plan(dump_plan(plan, "1", KEY), "plan.json", KEY).id == plan.id
    assert parse_plan(dump_plan(plan, "1", KEY), "plan.json").id == plan.id
    for text, why in ((dump_plan(plan, "1"), "it is not signed"), (dump_plan(plan, "1", KEY * 2), "another key")):
        with pytest.raises(DiagnosticError, match=why):
            parse_plan(text, "plan.json", KEY)


@pytest.mark.parametrize("environment", [{}, {KEY_VARIABLE: "short"}])
def test_a_key_that_protects_nothing_is_refused(environment: dict[str, str]) -> None:
    with pytest.raises(DiagnosticError, match=KEY_VARIABLE):
        signing_key(environment)


def test_a_plan_file_of_the_previous_format_is_refused_by_name() -> None:
    document = {**json.loads(dump_plan(_world()[2], "1")), "format_version": "1.0"}
    with pytest.raises(DiagnosticError, match=r"reads plan format 2\.2, and the file says '1\.0'"):
        parse_plan(json.dumps(document), "plan.json")


def test_a_plan_shows_which_replace_pushes_first() -> None:
    signs = {str(change.address).partition(".")[2]: change.sign for change in _world()[2].pending}
    assert (signs['replaced["replaced"]'], signs['turned["turned"]']) == ("-/+", "+/-")
