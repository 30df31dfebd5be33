"""Fixtures of the receiver's tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from reconciler.receive.server import running_receiver
from reconciler.receive.settings import Settings
from tests.receive.receivers import HOOK_TOKEN, TOKEN, Receiver


@pytest.fixture
def start_receiver(tmp_path: Path) -> Iterator[Callable[..., Receiver]]:
    """Starts a receiver with the settings given; it ends with the test."""
    with ExitStack() as stack:

        def start(**settings: Any) -> Receiver:
            defaults = {"db": tmp_path / "receiver.db", "token": TOKEN, "hooks": {"pager": HOOK_TOKEN}}
            return Receiver(stack.enter_context(running_receiver(Settings(**(defaults | settings)))))

        yield start


@pytest.fixture
def receiver(start_receiver: Callable[..., Receiver]) -> Receiver:
    return start_receiver()
