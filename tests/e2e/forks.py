"""Runs many commands at once: forks of one process that has everything imported, as many machines would."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple


class Done(NamedTuple):
    code: int
    out: str
    err: str


def run_together(directory: Path, commands: Sequence[Sequence[str | Path]]) -> list[Done]:
    """Run ``reconciler ARGUMENTS`` for each of the commands, all at the same time."""
    told = [[str(part) for part in command] for command in commands]
    done = subprocess.run(  # noqa: S603 - a command of ours
        [sys.executable, "-m", "tests.e2e.forks", directory],
        cwd=Path(__file__).parents[2],
        input=json.dumps(told),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    codes = json.loads(done.stdout)
    return [
        Done(code, (directory / f"{number}.out").read_text(), (directory / f"{number}.err").read_text())
        for number, code in enumerate(codes)
    ]


def _fork(directory: Path) -> None:
    from reconciler.cli.app import run
    from tests.e2e.crash_harness import import_commands

    import_commands()
    children = []
    for number, command in enumerate(json.load(sys.stdin)):
        child = os.fork()
        if child == 0:
            for descriptor, name in ((1, "out"), (2, "err")):
                os.dup2(os.open(directory / f"{number}.{name}", os.O_WRONLY | os.O_CREAT, 0o600), descriptor)
            code = 99
            try:
                code = run(command)
                sys.stdout.flush()
                sys.stderr.flush()
            finally:
                os._exit(code)
        children.append(child)
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    print(json.dumps(codes))


if __name__ == "__main__":
    _fork(Path(sys.argv[1]))
