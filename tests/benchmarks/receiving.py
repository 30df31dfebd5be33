"""How many deliveries a receiver stores a second, each durable before it is answered."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.benchmarks.row import Row, alone
from tests.receive.load import Load, peak, send, stored_keys

NAME = "receiving"

_RATE = 1_000


def run(quick: bool) -> list[Row]:
    """All it takes, and a steady rate; ``quick`` for two seconds each, else for ten and thirty."""
    most, memory = _measure(2 if quick else 10, None)
    steady, steady_memory = _measure(2 if quick else 30, _RATE)
    return [
        _row("store deliveries over 32 connections", most, memory),
        _row(f"store deliveries at {_RATE:,} a second", steady, steady_memory),
    ]


def _row(work: str, load: Load, memory: str) -> Row:
    rate = len(load.answered) / load.seconds
    note = f"{len(load.answered):,} stored, {load.refused} refused, {memory} of memory at most"
    return alone(work, [rate], unit="/s", note=note)


def _measure(seconds: int, rate: float | None) -> tuple[Load, str]:
    """What a receiver in a process of its own answered, and the memory it took."""
    with tempfile.TemporaryDirectory() as directory:
        command = [sys.executable, "-m", "reconciler", "receive", "--listen", "127.0.0.1:0"]
        process = subprocess.Popen(  # noqa: S603 - a command of ours
            [*command, "--db", str(Path(directory) / "receiver.db")],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "RECONCILER_RECEIVER_TOKEN": "benchmark-token-0123"},
        )
        try:
            assert process.stdout is not None
            load = send(process.stdout.readline().strip(), "bench", connections=32, seconds=seconds, rate=rate)
            memory = peak(process.pid)
        finally:
            process.terminate()
            process.communicate(timeout=30)
        stored = stored_keys(Path(directory) / "receiver.db")
        if stored != set(load.answered):
            raise RuntimeError(f"{len(load.answered):,} were answered, and {len(stored):,} are stored")
        return load, "an unknown amount" if memory is None else f"{memory / 1024:.0f} MiB"
