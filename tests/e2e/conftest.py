"""Fixtures of tests that run whole commands."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

import pytest

from tests.e2e.crash_harness import CrashHarness
from tests.e2e.snapshot import Mode, Snapshot


@pytest.fixture(scope="session")
def harness(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CrashHarness]:
    """Runs commands in processes that can be told to die."""
    with CrashHarness(tmp_path_factory.mktemp("harness")) as made:
        yield made


@pytest.fixture(scope="session")
def snapshot(harness: CrashHarness, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Mode], Snapshot]:
    """The fleet between two releases, at a service that merges repeated pushes, or at one that does not."""
    return cache(lambda mode: Snapshot(tmp_path_factory.mktemp(mode), mode, harness))
