"""Fixtures of tests that run whole commands."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

import pytest

from tests.e2e.beginning import Beginning, Mode
from tests.e2e.mortal import Mortals


@pytest.fixture(scope="session")
def mortals(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mortals]:
    """Runs commands in processes that can be told to die."""
    with Mortals(tmp_path_factory.mktemp("mortals")) as made:
        yield made


@pytest.fixture(scope="session")
def beginning(mortals: Mortals, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Mode], Beginning]:
    """The fleet between two releases, at a service that merges repeated pushes, or at one that does not."""
    return cache(lambda mode: Beginning(tmp_path_factory.mktemp(mode), mode, mortals))
