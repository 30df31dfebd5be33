"""The stores: each test of this directory that asks for a ``place`` runs in a new one of each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.ledger.conformance.place import Place
from tests.servers import pgbouncer, postgres, s3


def _sqlite(directory: Path) -> Path | str:
    return directory / ".reconciler"


def _postgres(_: Path) -> Path | str:
    return postgres.server().schema()


def _pgbouncer(_: Path) -> Path | str:
    return pgbouncer.pooled(postgres.server().schema())


def _moto(_: Path) -> Path | str:
    return s3.moto().prefix()


def _seaweedfs(_: Path) -> Path | str:
    return s3.seaweedfs().prefix()


STORES: dict[str, Callable[[Path], Path | str]] = {
    "sqlite": _sqlite,
    "postgres": _postgres,
    "pgbouncer": _pgbouncer,
    "moto": _moto,
    "seaweedfs": _seaweedfs,
}
"""What makes a new, empty place for ledgers, by the name of the store; it may use the directory."""

SHARED = {name: make for name, make in STORES.items() if name != "sqlite"}
"""Those that several machines may use."""

SHARDED = {name: SHARED[name] for name in ("postgres", "pgbouncer")}
"""Those in which several workers of one run may write side by side."""


@pytest.fixture(params=STORES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return Place(STORES[request.param](tmp_path))
