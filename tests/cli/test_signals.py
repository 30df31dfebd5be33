"""Signals that arrive while the main thread holds the lock of the event that they set."""

from __future__ import annotations

import os
import signal
from threading import Event

import pytest

from reconciler.cli.signals import stop_on_signal
from reconciler.fleet.worker import Interrupts


def locked(event: Event) -> object:
    """The lock that a thread holds at the beginning and at the end of waiting for the event."""
    return event._cond  # type: ignore[attr-defined]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_a_run_that_holds_the_lock_of_its_event(number: signal.Signals) -> None:
    stop, told = Event(), list[str]()
    with stop_on_signal(stop, lambda: told.append("interrupted")):
        with locked(stop):  # type: ignore[attr-defined]
            os.kill(os.getpid(), number)
        assert stop.wait(10)
    assert told == ["interrupted"]


def test_a_signal_stops_a_unit_whose_worker_holds_the_lock_of_its_event() -> None:
    stop, interrupts = Event(), Interrupts()
    with interrupts.listening(stop):
        with locked(stop):  # type: ignore[attr-defined]
            interrupts.handle(signal.SIGTERM, None)
        assert stop.wait(10)


def test_a_run_that_ends_when_a_signal_arrives_is_told_of_it() -> None:
    stop, told = Event(), list[str]()
    with stop_on_signal(stop, lambda: told.append("interrupted")):
        os.kill(os.getpid(), signal.SIGINT)
    assert stop.is_set()
    assert told == ["interrupted"]
