"""Plan files that were edited, with the checksum put right: refused, or without any effect on what is sent."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.core.desired import Desired, Lifecycle
from reconciler.core.diagnostic import DiagnosticError
from reconciler.core.operation import Operation
from reconciler.core.target import Target
from reconciler.ledger.protocol import LedgerView
from reconciler.plan.operations import forgeries
from reconciler.plan.plan import Plan
from reconciler.plan.planfile import KEY_VARIABLE, PlanDocument, checksum, dump_plan, parse_plan, signing_key
from reconciler.plan.stale import is_carried_out, staleness
from reconciler.plan.state import merge
from tests.cli.run_cli import reconciler
from tests.cli.stacks import write
from tests.e2e.sent import sent
from tests.emulator.handle import Emulator
from tests.plan.fake_service import LATER, TYPES, Service, alarm, event, plan_of

TARGETS = {"aom": Target("aom", "embedded", "p1")}
PROVIDERS = {"aom": "settings"}
KEY = "a-key-of-more-than-sixteen-characters"

Path_ = tuple[str | int, ...]


def _world() -> tuple[Service, list[Desired], Plan]:
    """A service, what is declared, and a plan that creates, updates, replaces in both orders, clears and records."""
    service = Service()
    names = ("kept", "updated", "replaced", "turned", "gone")
    service.apply(plan_of([alarm(name, name) for name in names], service))
    desired = [
        alarm("kept", "kept"),
        alarm("updated", "updated", message="slower"),
        alarm("replaced", "replaced", severity="Critical"),
        alarm("turned", "turned", severity="Critical", lifecycle=Lifecycle(create_before_clear=True)),
        alarm("new", "new"),
        event(),
    ]
    plan = plan_of(desired, service, LATER, providers=PROVIDERS, places=TARGETS, config_digest="c")
    return service, desired, plan


def _leaves(value: object, path: Path_ = ()) -> Iterator[Path_]:
    if isinstance(value, dict | list) and value:
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            yield from _leaves(item, (*path, key))
    else:
        yield path


def _other(value: object) -> object:
    """A value of the same type, so that the file is still a plan file if it can be."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, str):
        return value + "x"
    return "x"


def _edited(document: object, path: Path_) -> str | None:
    """The text of the file with one leaf changed and its checksum put right; None if it is no plan file any more."""
    changed = copy.deepcopy(document)
    place = changed
    for key in path[:-1]:
        place = place[key]  # type: ignore[index]  # plain JSON
    place[path[-1]] = _other(place[path[-1]])  # type: ignore[index]  # plain JSON
    try:
        read = PlanDocument.model_validate(changed)
    except ValueError:
        return None
    return json.dumps({**changed, "checksum": checksum(read)})  # type: ignore[dict-item]  # plain JSON


def _accepted(text: str, service: Service, desired: list[Desired]) -> list[Operation] | None:
    """What would be sent for a plan file, or None if it is refused."""
    try:
        plan = parse_plan(text, "plan.json")
    except DiagnosticError:
        return None
    known = merge("demo", service.observe(), LedgerView())
    if any(forgeries(plan, TYPES)) or staleness(plan, desired, known, LATER, providers=PROVIDERS, targets=TARGETS):
        return None
    return list(plan.operations)


def test_an_edited_leaf_of_a_plan_file_is_refused_or_has_no_effect() -> None:
    service, desired, plan = _world()
    text = dump_plan(plan, "1")
    document = json.loads(text)
    assert _accepted(text, service, desired) == list(plan.operations)
    harmless = set()
    for path in _leaves(document):
        edited = _edited(document, path)
        sent_ = None if edited is None else _accepted(edited, service, desired)
        assert sent_ in (None, list(plan.operations)), path
        if sent_ is not None:
            harmless.add(path[0] if path[0] != "changes" else path[2])
    # What is only shown, and what says where an unchanged alarm was found.
    assert harmless <= {"tool_version", "unchanged", "warnings", "checksum", "before", "config_digest"}


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
    assert is_carried_out(plan, merge("demo", recorded, LedgerView()))


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
    with pytest.raises(DiagnosticError, match=r"reads plan format 2\.0, and the file says '1\.0'"):
        parse_plan(json.dumps(document), "plan.json")


def test_a_plan_shows_which_replace_pushes_first() -> None:
    signs = {str(change.address).partition(".")[2]: change.sign for change in _world()[2].pending}
    assert (signs['replaced["replaced"]'], signs['turned["turned"]']) == ("-/+", "+/-")
