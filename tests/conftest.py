"""Fixtures shared by all tests."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pydantic.v1  # noqa: F401 - FastAPI imports it with its first server, which fails while a test holds the clock
import pytest
from hypothesis import settings

from reconciler.emulator.server import running
from reconciler.emulator.settings import Settings
from tests.emulator.handle import Emulator

# The same examples in every run, and no deadline: a busy machine is no failure. To look further afield:
# ``pytest --hypothesis-profile=explore``.
settings.register_profile("reconciler", derandomize=True, deadline=None)
settings.register_profile("explore", deadline=None)
settings.load_profile("reconciler")

# Commands that tests start are interrupted as from a terminal, also where the tests themselves run under ``nohup`` or
# behind ``&``, and would hand on that these signals are ignored.
for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, usual)


SLOW = ("benchmarks", "chaostoolkit", "docs", "e2e", "examples", "properties", "servers", "tooling")
"""Directories of tests that take long: ``make test-fast`` skips them."""


LONGEST = ("properties", "e2e")
"""Directories with the longest tests: they begin first, so that no worker is left alone with one at the end."""


def pytest_xdist_auto_num_workers() -> int:
    """Two workers for each core: half of the time, tests wait for servers."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return 2 * cores


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    root = Path(__file__).parent
    directories = {item: item.path.relative_to(root).parts[0] for item in items}
    for item, directory in directories.items():
        if directory in SLOW:
            item.add_marker(pytest.mark.slow)
    items.sort(key=lambda item: LONGEST.index(directories[item]) if directories[item] in LONGEST else len(LONGEST))


@pytest.fixture
def start_emulator() -> Iterator[Callable[[Settings], Emulator]]:
    """Starts an emulator with the settings given; it ends with the test."""
    with ExitStack() as stack:

        def start(settings: Settings) -> Emulator:
            return Emulator(stack.enter_context(running(settings)), token=settings.token)

        yield start


@pytest.fixture
def emulator(request: pytest.FixtureRequest, start_emulator: Callable[[Settings], Emulator]) -> Emulator:
    """A running emulator in memory.

    ``@pytest.mark.parametrize("emulator", [Settings(on_repeat="duplicate")], indirect=True)`` sets it up otherwise.
    """
    return start_emulator(getattr(request, "param", None) or Settings())
