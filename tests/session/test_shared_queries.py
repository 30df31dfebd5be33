"""One query for several stacks: each is shown just what its own query would show it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from reconciler.app.plan import plan_stack
from reconciler.config.stack import Inputs
from reconciler.core.desired import Desired
from reconciler.core.observed import Marks, Observed
from reconciler.core.operation import Operation, Verb
from reconciler.emulator.settings import Settings
from reconciler.providers.alertmanager.silence import SILENCE
from reconciler.providers.protocol import Provider, ServiceError, SharesQueries
from reconciler.session.shared_queries import share_queries
from reconciler.session.workspace import Workspace, open_workspace
from tests.cli.stacks import write
from tests.emulator import calls as emulated
from tests.emulator.handle import Emulator
from tests.providers.alertmanager import objects as alertmanager
from tests.providers.alertmanager.test_silence import silence
from tests.providers.aom import objects as aom
from tests.providers.ces import objects as ces

Declared = Mapping[str, Sequence[Desired]]


def compare(provider: Provider, declared: Declared, left_out: Sequence[str] = ()) -> dict[str, list[Observed]]:
    """What the shared query finds, after it was compared with each stack's own."""
    assert isinstance(provider, SharesQueries)
    found = provider.observe_stacks(declared)
    own = {stack: list(provider.observe(stack, desired)) for stack, desired in declared.items()}
    assert {stack: list(objects) for stack, objects in found.items()} == {
        stack: objects for stack, objects in own.items() if stack not in left_out
    }
    return own


def send(provider: Provider, operations: Sequence[Operation]) -> None:
    for start in range(0, len(operations), 500):
        provider.send(operations[start : start + 500])


@pytest.mark.parametrize("emulator", [Settings(on_repeat="merge"), Settings(on_repeat="duplicate")], indirect=True)
def test_aom_shows_each_stack_its_own_alarms_and_events_over_many_pages(emulator: Emulator) -> None:
    provider = aom.opened(emulator.url)
    now = emulator.now()
    for number, (stack, count) in enumerate({"big": 1_100, "small": 3, "foreign": 40, "other": 950}.items()):
        alarms = [aom.desired("lag", str(key), resource_id=f"{stack}-{key}") for key in range(count)]
        send(provider, [aom.push(of, stack, f"{stack}-{n}", now - n % 7) for n, of in enumerate(alarms, number)])
    again = aom.desired("lag", "1", resource_id="big-1", annotations={"message": "changed"})
    send(provider, [aom.push(again, "big", "again", now)])
    event = aom.desired("released", type_=aom.EVENT, occurrence="1", event_severity="Info")
    send(provider, [aom.push(event, stack, f"e-{stack}", now) for stack in ("small", "other", "foreign")])
    provider.send([aom.clear(next(iter(provider.observe("small", []))), now)])
    old = aom.desired("old", starts_at=now - 40 * 24 * 3_600_000)
    declared = {"big": [again], "small": [event], "other": [again], "none": [], "old": [old]}
    found = compare(provider, declared, left_out=["old"])
    assert [len(found[stack]) for stack in ("big", "small", "other", "none")] in (
        [1_100, 3, 950, 0],
        [1_101, 3, 950, 0],
    )
    provider.close()


def alert(name: str, key: str | None, marks: str, **labels: str) -> Desired:
    declared = alertmanager.desired(name, key, labels={**labels, "key": str(key)}, timeout="30m")
    return declared._replace(attributes={**declared.attributes, "marks": marks}) if marks != "labels" else declared


def silence_of(stack: str, now: int) -> Operation:
    declared = silence("quiet")
    payload, _ = SILENCE.push(declared, Marks(stack, declared.address, declared.digest, f"s-{stack}", "run"), now)
    return Operation(f"s-{stack}", declared.address, "alertmanager", Verb.PUSH, payload, declared.digest)


@pytest.mark.parametrize("marks", ["labels", "annotations"])
@pytest.mark.parametrize("emulator", [Settings(alertmanager_peers=2)], indirect=True)
def test_alertmanager_shows_each_stack_its_own_alerts_and_silences(emulator: Emulator, marks: str) -> None:
    urls = [f"{emulator.url}/alertmanager", f"{emulator.url}/alertmanager-2"]
    provider = alertmanager.opened(urls, marks=marks)
    one = alertmanager.opened(urls[:1], marks=marks)
    now = emulator.now()
    for stack, count in {"a": 30, "b": 2, "foreign": 4}.items():
        alerts = [alert("Lag", str(key), marks, of=stack) for key in range(count)]
        provider.send([alertmanager.push(of, now, f"{stack}-{n}", stack) for n, of in enumerate(alerts)])
        provider.send([silence_of(stack, now)])
    one.send([alertmanager.push(alert("HereOnly", None, marks, of="b"), now, "only", "b")])
    found = compare(provider, {"a": [], "b": [], "none": []})
    assert [len(found[stack]) for stack in ("a", "b", "none")] == [31, 4, 0]
    provider.close()
    one.close()


def test_ces_lists_the_names_of_events_once_for_all_stacks(emulator: Emulator) -> None:
    provider = ces.opened(emulator.url)
    now = emulator.now()
    recorded = {"a": ["released", "failed"], "b": ["released"], "c": []}
    declared = {
        stack: [ces.desired(name, event_source=f"stack_{stack}.deploy") for name in some]
        for stack, some in recorded.items()
    }
    for stack, some in declared.items():
        for number, of in enumerate(some):
            provider.send([ces.record(of, stack, f"{stack}-{number}", now - 1000)])
    fixed = {"fixed": [ces.desired("released", time=now - 1000)]}
    found = compare(provider, {**declared, **fixed}, left_out=["fixed"])
    assert [len(found[stack]) for stack in declared] == [2, 1, 0]
    emulator.forget_requests()
    assert isinstance(provider, SharesQueries)
    provider.observe_stacks(declared)
    assert [request["operation"] for request in emulator.requests()] == ["ces-list", "ces-details", "ces-details"]
    provider.close()


@pytest.fixture
def opened(tmp_path: Path) -> Callable[..., list[Workspace]]:
    """Opens stacks of one alarm each, by name and with the token given; they are closed with the test."""
    with ExitStack() as resources:

        def open_stacks(url: str, *names: str, **options: str) -> list[Workspace]:
            paths = [write(tmp_path / name, "a", stack=name, endpoint=url, **options) for name in names]
            return [resources.enter_context(open_workspace(path, Inputs())) for path in paths]

        yield open_stacks


def test_stacks_with_the_same_settings_share_a_query(emulator: Emulator, opened) -> None:
    workspaces = opened(emulator.url, "a", "b", "c")
    share_queries(workspaces)
    assert [workspace.observe() for workspace in workspaces] == [[], [], []]
    assert len(emulator.requests()) == 1
    workspaces[0].observe()
    assert len(emulator.requests()) == 2


def test_stacks_with_other_credentials_query_by_themselves(emulator: Emulator, opened) -> None:
    workspaces = [*opened(emulator.url, "a", "b"), *opened(emulator.url, "c", token="another-token")]  # noqa: S106
    share_queries(workspaces)
    assert len(emulator.requests()) == 1
    for workspace in workspaces:
        workspace.observe()
    assert len(emulator.requests()) == 2


def test_a_query_that_is_rejected_is_left_to_each_stack(emulator: Emulator, opened) -> None:
    workspaces = opened(emulator.url, "a", "b")
    emulator.fault("query:status=400,first=1")
    share_queries(workspaces)
    assert [workspace.observe() for workspace in workspaces] == [[], []]
    assert len(emulator.requests()) == 3


def test_each_stack_is_told_of_a_query_that_failed(emulator: Emulator, opened) -> None:
    workspaces = opened(emulator.url, "a", "b")
    emulator.fault("query:status=401")
    share_queries(workspaces)
    for workspace in workspaces:
        with pytest.raises(ServiceError) as error:
            workspace.observe()
        assert error.value.position is not None
        assert str(workspace.stack.root) in error.value.position.file
    assert len(emulator.requests()) == 1


def test_of_two_stacks_of_one_name_each_is_shown_what_it_declares(emulator: Emulator, tmp_path: Path) -> None:
    with ExitStack() as resources:
        paths = [write(tmp_path / name, "a", stack="same", endpoint=emulator.url) for name in ("x", "y", "z")]
        workspaces = [resources.enter_context(open_workspace(path, Inputs())) for path in paths]
        share_queries(workspaces)
        assert emulator.requests() == []
        assert [workspace.observe() for workspace in workspaces] == [[], [], []]


@pytest.mark.parametrize("shared", [True, False])
def test_unmanaged_alarms_beside_those_of_a_stack_are_told_of(emulator: Emulator, opened, shared: bool) -> None:
    workspaces = opened(emulator.url, "a", "b")
    (alarm,) = workspaces[0].stack.desired
    foreign = {**alarm.identity, "event_type": "alarm"}
    emulated.push(emulator, foreign, {**foreign, "resource_id": "another"}, project="p1")
    if shared:
        share_queries(workspaces, unmanaged=True)
        emulator.forget_requests()
    plans = [plan_stack(workspace) for workspace in workspaces]
    assert [len(plan.warnings) for plan in plans] == [1, 1]
    asked = [request["query"] for request in emulator.requests("query")]
    assert len([query for query in asked if "active_alert" in query]) == (0 if shared else 4)
