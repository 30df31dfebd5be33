"""Damaged records of drills and databases of our servers: named, with a remedy, and nothing is done on their word."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.drill.store import RunStore
from reconciler.emulator.server import running
from reconciler.emulator.settings import Settings
from reconciler.receive.store import DeliveredAlert, Delivery, DeliveryQuery, DeliverySource, StoreError, open_store
from tests.cli.run_cli import reconciler
from tests.cli.stacks import write
from tests.drill.records import record
from tests.emulator.handle import Emulator

FLIPS = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), min_size=1, max_size=4)
MANY = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
MEND = "put back a copy of it, move it away, or name another with --db"
DRILLS = """\
drills:
  outage:
    resources:
      aom_alarm: {x: {event_severity: Info, resource_provider: ecs, resource_type: vm, resource_id: x}}
    steps: [{at: 0s, raise: aom_alarm.x}]
"""


def altered(content: bytes, flips: list[tuple[float, int]], begin: int = 0) -> bytes:
    changed = bytearray(content)
    for place, change in flips:
        changed[begin + int(place * (len(content) - begin))] ^= change
    return bytes(changed)


@MANY
@given(flips=FLIPS)
def test_a_damaged_record_of_a_drill_is_named_and_no_drill_starts_beside_it(
    emulator: Emulator, tmp_path: Path, flips: list[tuple[float, int]]
) -> None:
    stack = write(tmp_path / "stack", "a", endpoint=emulator.url, more=DRILLS)
    store = RunStore(stack / ".reconciler")
    store.save(record())
    file = Path(store.where(record().run))
    content = altered(file.read_bytes(), flips)
    if content.split() == file.read_bytes().split():
        return
    file.write_bytes(content)
    for command in (["status"], ["report", record().run], ["run", "outage"]):
        done = reconciler("drill", *command, stack, *(["--yes"] if command[0] == "run" else []))
        assert done.code == 1, (command, done)
        assert str(file) in done.err
        assert "put back a copy of it, or move it away" in done.err
    assert file.read_bytes() == content
    assert emulator.requests("push") == []


@pytest.fixture(scope="module")
def emulated() -> Iterator[bytes]:
    """The database of an emulator that holds alarms, events and an alert."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "emulator.db"
        with running(Settings(db=path)) as url:
            stack = write(Path(directory) / "stack", "a", "b", "c", endpoint=url)
            assert reconciler("apply", stack, "--auto-approve", "--no-verify").code == 0
            seed = [{"id": "b1", "startTime": "-1m", "state": "ALERT", "policy": {"aliasName": "busy"}}]
            assert requests.post(f"{url}/admin/bcm/alarms", json=seed, timeout=10).ok
        yield path.read_bytes()


@MANY
@given(flips=FLIPS)
def test_a_damaged_database_of_the_emulator_is_named(emulated: bytes, tmp_path: Path, flips: list) -> None:
    path = tmp_path / "emulator.db"
    for file in tmp_path.glob("emulator.db*"):
        file.unlink()
    path.write_bytes(altered(emulated, flips))
    try:
        with running(Settings(db=path)) as url:
            stack = write(tmp_path / "stack", "a", "b", endpoint=url)
            done = reconciler("plan", stack)
            assert done.code in (0, 1)
            assert "internal error" not in done.err
            assert "Emulator.0500" not in done.err or str(path) in done.err.replace("\n", "")
            assert requests.get(f"{url}/admin/requests", timeout=10).ok
    except ValueError as error:
        assert str(path) in str(error)
        assert MEND in str(error)


def test_a_damaged_row_of_the_emulator_is_named_when_it_starts(emulated: bytes, tmp_path: Path) -> None:
    path = tmp_path / "emulator.db"
    path.write_bytes(emulated.replace(b'"event_severity":', b'"event_severity"\xff'))
    done = reconciler("emulator", "--db", path, "--port", "0")
    assert done.code == 1
    assert f"{path}: the database is damaged (row 1 of aom_event:" in done.err
    assert MEND in done.err


@pytest.fixture(scope="module")
def received() -> Iterator[bytes]:
    """The database of a receiver that has stored deliveries."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "receiver.db"
        with closing(open_store(path)) as store:
            alerts = (DeliveredAlert("firing", "hot", "f", "shop", "aom_alarm.hot", "key", "run", "digest", 1, 2),)
            hook = DeliverySource.HOOK
            store.add([Delivery(hook, f"id-{n}", 1_000 + n, b"body", 4, alerts, "pager") for n in range(20)])
            store.beat(1, 2_000)
        yield path.read_bytes()


@MANY
@given(flips=FLIPS)
def test_a_damaged_database_of_the_receiver_is_named(received: bytes, tmp_path: Path, flips: list) -> None:
    path = tmp_path / "receiver.db"
    for file in tmp_path.glob("receiver.db*"):
        file.unlink()
    path.write_bytes(altered(received, flips))
    try:
        store = open_store(path)
    except ValueError as error:
        assert str(path) in str(error)
        assert MEND in str(error)
        return
    with closing(store):
        queries = (DeliveryQuery(), DeliveryQuery(keys=("key",)), DeliveryQuery(fingerprints=("f",), receiver="pager"))
        for query in queries:
            try:
                store.find(query)
                store.listening(0)
                store.body(1)
            except StoreError as error:
                assert str(path) in str(error)
        with suppress(StoreError):
            store.add([Delivery(DeliverySource.HOOK, "id-new", 9_000, b"body", 4)])
