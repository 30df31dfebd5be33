"""A damaged ledger stops every command that would rely on it, before anything is sent."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

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
