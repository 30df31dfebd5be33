"""Fixtures shared by all tests."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Literal

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


ROOT = Path(__file__).parent

SLOW = (
    "benchmarks",
    "chaostoolkit",
    "docs",
    "e2e",
    "examples",
    "hostile",
    "ledger/conformance",
    "properties",
    "servers",
    "tooling",
)
"""Directories of tests that take long: ``make test-fast`` skips them."""

STARTERS = (
    "multiprocessing",
    "reconciler.fleet.processes",
    "subprocess",
    "tests.cli.process",
    "tests.drill.browser",
    "tests.fleet",
    "tests.ledger.conformance",
    "tests.servers",
)
"""Imports of a module that starts processes, fleets, browsers or servers: ``make test-fast`` skips its tests, too."""

LONGEST = ("properties", "e2e")
"""Directories with the longest tests: they begin first, so that no worker is left alone with one at the end."""


def pytest_xdist_auto_num_workers() -> int:
    """Two workers for each core: half of the time, tests wait for servers."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return 2 * cores


def _are_fast(config: pytest.Config) -> bool:
    """Whether this is ``make test-fast``."""
    return bool(config.option.markexpr == "not slow")


@cache
def _is_slow(path: Path) -> bool:
    """Whether the tests of a file or directory take long, by its place or by what it imports."""
    if any(path.is_relative_to(ROOT / directory) for directory in SLOW):
        return True
    text = path.read_text(encoding="utf-8") if path.suffix == ".py" else ""
    imports = re.findall(r"^(?:from|import) ([\w.]+)", text, re.MULTILINE)
    return any(f"{name}.".startswith(f"{starter}.") for name in imports for starter in STARTERS)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> Literal[True] | None:
    """What takes long is not even imported if it is not to run."""
    return True if _are_fast(config) and _is_slow(collection_path) else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        tries_many_examples = getattr(getattr(item, "function", None), "is_hypothesis_test", False)
        if tries_many_examples or _is_slow(item.path):
            item.add_marker(pytest.mark.slow)
    order = {item: item.path.relative_to(ROOT).parts[0] for item in items}
    items.sort(key=lambda item: LONGEST.index(order[item]) if order[item] in LONGEST else len(LONGEST))


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
