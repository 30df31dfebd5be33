"""A damaged file of ours stops every command that would rely on it, before anything is sent."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.ledger import wal
from reconciler.ledger.database import log_of
from tests.cli.run_cli import reconciler
from tests.cli.stacks import write
from tests.emulator.handle import Emulator

MORE = """\
  aom_event:
    release: {occurrence: v1, resource_provider: ecs, resource_type: vm, resource_id: r1, event_severity: Info}
"""


@pytest.fixture
def applied(emulator: Emulator, tmp_path: Path) -> Path:
    """A stack that was applied, whose next plan has something to send."""
    stack = tmp_path / "applied"
    write(stack, "a", "b", endpoint=emulator.url, more=MORE)
    done = reconciler("apply", stack, "--auto-approve", "--no-verify")
    assert done.code == 0, done.err
    with closing(sqlite3.connect(stack / ".reconciler" / "tests.db")) as raw:
        raw.execute("VACUUM")  # a page that holds nothing could not be missed
    return write(stack, "a", "b", "c", endpoint=emulator.url, more=MORE)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from(["row", "length", "page"]),
    place=st.floats(0, 1, exclude_max=True),
    change=st.integers(1, 255),
)
def test_nothing_is_sent_on_the_word_of_a_damaged_ledger(
    applied: Path, emulator: Emulator, tmp_path: Path, kind: str, place: float, change: int
) -> None:
    stack = tmp_path / "stack"
    shutil.rmtree(stack, ignore_errors=True)
    shutil.copytree(applied, stack)
    ledger = stack / ".reconciler" / "tests.db"
    ledger.write_bytes(damage(ledger.read_bytes(), kind, place, change))
    before = len(emulator.requests("push"))
    for command in (("plan",), ("apply", "--auto-approve")):
        done = reconciler(*command, stack)
        assert done.code == 1, (done.out, done.err)
        assert f"the ledger {ledger}" in done.err
        assert "Traceback" not in done.err
    assert reconciler("ledger", "doctor", ledger).code == 1
    assert len(emulator.requests("push")) == before


def damage(content: bytes, kind: str, place: float, change: int) -> bytes:
    """Alter a byte of an operation, cut the file short, or overwrite a page."""
    if kind == "length":
        return content[: 4096 + int(place * (len(content) - 4096) / 4096) * 4096 - change]
    if kind == "page":
        page = 1 + int(place * (len(content) // 4096 - 1))
        return content[: page * 4096] + bytes([change]) * 4096 + content[(page + 1) * 4096 :]
    start = content.index(b'"provider":') - 40
    altered = bytearray(content)
    altered[start + int(place * 80)] ^= change
    return bytes(altered)


@pytest.fixture
def killed(emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stack as a run leaves it that is killed: what it did last is in the write-ahead log of its ledger alone."""
    monkeypatch.setattr(wal, "_TRIES", 1)
    stack, copy = tmp_path / "running", tmp_path / "killed"
    write(stack, "a", endpoint=emulator.url)
    assert reconciler("apply", stack, "--auto-approve", "--no-verify").code == 0
    with closing(sqlite3.connect(stack / ".reconciler" / "tests.db")) as reading:
        reading.execute("SELECT count(*) FROM runs").fetchone()  # so that nobody else is the last who has it open
        for names in ("ab", "abd"):
            write(stack, *names, endpoint=emulator.url, more=MORE)
            assert reconciler("apply", stack, "--auto-approve", "--no-verify").code == 0
        shutil.copytree(stack, copy, ignore=shutil.ignore_patterns("*-shm"))
    assert log_of(copy / ".reconciler" / "tests.db").stat().st_size > 20_000
    return write(copy, "a", "b", "c", endpoint=emulator.url, more=MORE)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1, exclude_max=True), change=st.integers(1, 255))
def test_nothing_is_sent_on_the_word_of_a_damaged_log_and_the_rest_of_it_is_saved(
    killed: Path, emulator: Emulator, tmp_path: Path, place: float, change: int
) -> None:
    stack = tmp_path / "stack"
    shutil.rmtree(stack, ignore_errors=True)
    shutil.copytree(killed, stack)
    ledger = stack / ".reconciler" / "tests.db"
    log = log_of(ledger)
    content = bytearray(log.read_bytes())
    content[int(place * len(content))] ^= change
    log.write_bytes(content)
    before = len(emulator.requests("push"))
    for command in ("plan", "apply"):
        done = reconciler(command, stack, *(["--auto-approve"] if command == "apply" else []))
        assert done.code == 1, (done.out, done.err)
        assert f"the ledger {ledger} is damaged: its write-ahead log tests.db-wal is altered or damaged" in done.err
        assert "reconciler ledger salvage" in done.err
    examined = reconciler("ledger", "doctor", ledger)
    assert (examined.code, "write-ahead log" in examined.out) == (1, True)
    assert len(emulator.requests("push")) == before
    assert log.read_bytes() == content
    saved = stack / "saved.db"
    assert reconciler("ledger", "salvage", saved, ledger).code == 0
    with closing(sqlite3.connect(saved)) as rows:
        (kept,) = rows.execute("SELECT count(*) FROM journal").fetchone()
    assert kept >= 2  # what was in the file before, at least
    assert reconciler("ledger", "doctor", saved).code == 0


def test_a_saved_ledger_is_put_in_place_and_the_stack_goes_on_with_it(killed: Path, emulator: Emulator) -> None:
    ledger = killed / ".reconciler" / "tests.db"
    log = log_of(ledger)
    content = bytearray(log.read_bytes())
    content[len(content) // 2] ^= 1
    log.write_bytes(content)
    assert reconciler("ledger", "salvage", killed / "saved.db", ledger).code == 0
    for file in ledger.parent.glob("tests.db*"):
        file.unlink()
    (killed / "saved.db").rename(ledger)
    assert reconciler("apply", killed, "--auto-approve").code == 0
    assert "No changes" in reconciler("plan", killed).out
    events = [item for item in emulator.alarms() if item["metadata"]["event_type"] == "event"]
    assert len(events) == 1


PLAN_DAMAGE = st.tuples(
    st.sampled_from(["bit", "cut", "block"]), st.floats(0, 1, exclude_max=True), st.integers(1, 255)
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(damage=PLAN_DAMAGE)
def test_a_damaged_plan_file_is_named_and_nothing_of_it_is_sent(
    emulator: Emulator, tmp_path: Path, damage: tuple[str, float, int]
) -> None:
    stack, file = tmp_path / "stack", tmp_path / "plan.json"
    if not file.exists():
        write(stack, "a", "b", endpoint=emulator.url, more=MORE)
        assert reconciler("plan", stack, "--out", file).code == 0
    kind, place, change = damage
    content = bytearray(file.read_bytes())
    at = int(place * len(content))
    if kind == "bit":
        content[at] ^= change
    else:
        content[at : None if kind == "cut" else at + change] = b"" if kind == "cut" else bytes([change]) * change
    broken = tmp_path / "broken.json"
    broken.write_bytes(content)
    same = content.split() == file.read_bytes().split()  # white space between members means nothing
    for command in (["show", broken], ["apply", stack, broken]):
        if same and command[0] == "apply":
            continue
        done = reconciler(*command)
        assert done.code == (0 if same else 1), (done, content)
        assert same or str(broken) in done.err
        assert same or "hint: " in done.err
    assert emulator.requests("push") == []
