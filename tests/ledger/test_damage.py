"""Damage: a ledger with altered bytes is told as such or reads as it was written, and never ends in another error."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.cli.app import run as command
from reconciler.core.diagnostic import DiagnosticError
from reconciler.core.operation import Outcome, Status
from reconciler.ledger.protocol import Ledger
from reconciler.ledger.sqlite import open_ledger, read_ledger
from tests.ledger.samples import NOW, begun, clear, event, operations

ERRORS = {0, 1, 4}
FLIPS = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), min_size=1, max_size=4)


@pytest.fixture(scope="module")
def sound() -> Iterator[bytes]:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "shop.db"
        with begun(path) as (ledger, holder):
            sent = [event("e", "v1"), clear("c", "id-1"), *operations(*"abdefgh")]
            ledger.record_intents(holder, "run-1", sent, NOW)
            ledger.begin_attempts(holder, [one.key for one in sent[:6]], NOW)
            ledger.record_outcomes([Outcome(one.key, Status.DONE) for one in sent[:4]], NOW)
        yield path.read_bytes()


def ask_everything(ledger: Ledger) -> None:
    view = ledger.view(NOW, 60_000, {"aom": "aom somewhere"})
    assert all(occurrence == "v1" for _, occurrence in view.recorded)
    ledger.runs()
    ledger.holder(NOW)
    ledger.open_intents()
    ledger.in_flight(NOW)
    ledger.statuses("abc")
    with suppress(KeyError):
        ledger.entries("run-1")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(flips=FLIPS)
def test_a_ledger_with_altered_bytes_is_told_as_damaged_or_reads_well(
    sound: bytes, flips: list[tuple[float, int]]
) -> None:
    content = bytearray(sound)
    for place, change in flips:
        content[int(place * len(content))] ^= change
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / ".reconciler" / "shop.db"
        path.parent.mkdir()
        for opening in (read_ledger, open_ledger):
            path.write_bytes(content)
            with suppress(DiagnosticError), closing(opening(path)) as ledger:
                ask_everything(ledger)


def test_the_commands_that_read_a_damaged_ledger_say_so(sound: bytes, tmp_path: Path) -> None:
    path = tmp_path / ".reconciler" / "shop.db"
    path.parent.mkdir()
    path.write_bytes(sound.replace(b'"key"', b'"ke\xff"'))
    for arguments in (["list"], ["show", "run-1"]):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("sys.stdout", io.StringIO())
            patch.setattr("sys.stderr", io.StringIO())
            assert command(["ledger", *arguments, str(tmp_path)]) in ERRORS
