"""Hand edits at a service that normalises what it stores: an edit is put right once, a normalisation never."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from reconciler.core.duration import MINUTE, SECOND
from reconciler.emulator.settings import Settings
from reconciler.ledger.protocol import Ledger
from reconciler.providers.protocol import Provider
from tests.apply.harness import Harness, start_harness
from tests.emulator.handle import Emulator
from tests.plan.fake_service import alarm

Start = Callable[[Settings], Emulator]
MESSAGE = "  Queue <orders> is FULL\nsince 12:00  "
DECLARED = [alarm("a", message=MESSAGE), alarm("b", message=MESSAGE)]
TEXTS = pytest.mark.parametrize("texts", ["keep", "trim", "lower-case", "escape", "first-line"])


class Killed(BaseException):
    """The process is gone."""


def _shown(it: Harness) -> dict[str, Any]:
    return {item["metadata"]["reconciler_address"]: item for item in it.emulator.active_alarms()}


@TEXTS
@pytest.mark.parametrize("mode", ["merge", "duplicate"])
def test_a_hand_edit_is_put_right_once_whatever_the_service_makes_of_texts(
    start_emulator: Start, tmp_path: Path, mode: str, texts: str
) -> None:
    it = start_harness(start_emulator, tmp_path, Settings(annotation_texts=texts, on_repeat=mode))
    it.apply(DECLARED)
    it.clock.time += MINUTE
    assert it.apply(DECLARED).plan.pending == ()
    before = _shown(it)["aom_alarm.a"]
    it.edit_by_hand(before, message="all is well")
    it.clock.time += SECOND
    (change,) = it.apply(DECLARED).plan.pending
    assert (str(change.address), change.drift) == ("aom_alarm.a", True)
    assert it.active() == ["aom_alarm.a", "aom_alarm.b"]
    assert _shown(it)["aom_alarm.a"]["annotations"]["message"] == before["annotations"]["message"]
    it.clock.time += MINUTE
    assert it.apply(DECLARED).plan.pending == ()


def test_an_edit_that_looks_like_a_normalisation_is_drift(start_emulator: Start, tmp_path: Path) -> None:
    it = start_harness(start_emulator, tmp_path)
    it.apply(DECLARED)
    it.edit_by_hand(_shown(it)["aom_alarm.a"], message=MESSAGE.strip().lower())
    it.clock.time += SECOND
    assert [change.drift for change in it.apply(DECLARED).plan.pending] == [True]
    assert _shown(it)["aom_alarm.a"]["annotations"]["message"] == MESSAGE


@pytest.mark.parametrize("texts", ["keep", "trim", "escape"])
def test_an_edit_between_a_run_that_died_and_the_next_is_put_right(
    start_emulator: Start, tmp_path: Path, texts: str
) -> None:
    it = start_harness(start_emulator, tmp_path, Settings(annotation_texts=texts))
    it.wrap_provider = _dying
    with pytest.raises(Killed):
        it.apply(DECLARED)
    it.wrap_provider = lambda provider: provider
    pushed = _shown(it)["aom_alarm.b"]
    it.edit_by_hand(pushed, message="all is well")
    it.clock.time += SECOND
    assert "aom_alarm.b" in [str(change.address) for change in it.apply(DECLARED).plan.pending]
    assert _shown(it)["aom_alarm.b"]["annotations"]["message"] == pushed["annotations"]["message"]
    it.clock.time += MINUTE
    assert it.apply(DECLARED).plan.pending == ()


@pytest.mark.parametrize(("texts", "first"), [("trim", 0), ("escape", 2)])
def test_without_what_was_shown_a_guess_costs_one_push_at_most(
    start_emulator: Start, tmp_path: Path, texts: str, first: int
) -> None:
    it = start_harness(start_emulator, tmp_path, Settings(annotation_texts=texts))
    verifying = it.options
    it.options = verifying._replace(verify=False)
    it.apply(DECLARED)
    it.clock.time += MINUTE
    it.options = verifying
    assert len(it.apply(DECLARED).plan.pending) == first
    it.clock.time += MINUTE
    assert it.apply(DECLARED).plan.pending == ()


def test_a_reader_knows_what_was_shown(start_emulator: Start, tmp_path: Path) -> None:
    it = start_harness(start_emulator, tmp_path, Settings(annotation_texts="escape"))
    keys = [operation.key for operation in it.apply(DECLARED).plan.operations]
    with closing(it.ledger()) as ledger:
        assert sorted(ledger.shown(keys)) == sorted(keys)
        assert "" not in ledger.shown(keys).values()


def _dying(provider: Provider) -> Provider:
    def die(_: object) -> object:
        raise Killed

    return _With(provider, read_back=die)  # type: ignore[return-value]  # passes the other calls on


class _With:
    def __init__(self, real: Provider | Ledger, **instead: object) -> None:
        self._real, self._instead = real, instead

    def __getattr__(self, name: str) -> object:
        return self._instead[name] if name in self._instead else getattr(self._real, name)
