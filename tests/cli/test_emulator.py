"""``reconciler emulator``."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.process import reconciler
from tests.emulator.calls import metadata, names, push, push_raw, query
from tests.emulator.handle import Emulator


@contextmanager
def serving(*arguments: str | Path) -> Iterator[tuple[Emulator, subprocess.Popen[str]]]:
    command = [sys.executable, "-m", "reconciler", "emulator", "--port", "0", *map(str, arguments)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)  # noqa: S603 - a command of ours
    try:
        assert process.stdout is not None
        token = str(arguments[arguments.index("--token") + 1]) if "--token" in arguments else None
        yield Emulator(process.stdout.readline().strip(), token=token), process
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)


def test_it_serves_until_interrupted_and_keeps_its_file(tmp_path: Path) -> None:
    database = tmp_path / "emulator.db"
    with serving("--db", database) as (emulator, process):
        push(emulator, "one")
    assert process.returncode == 0
    with serving("--db", database) as (emulator, _):
        assert names(query(emulator)) == ["one"]


def test_the_options_reach_the_emulator() -> None:
    options = ["--on-repeat", "duplicate", "--fault", "push:status=429,nth=3", "--switch", "error_text=error_message"]
    with serving(*options, "--token", "any") as (emulator, _):
        push(emulator, "one", "one")
        push(emulator, "one")
        refused = push_raw(emulator, {"events": [{"starts_at": 1, "metadata": metadata()}]})
        assert (refused.status_code, "error_message" in refused.json()) == (429, True)
        assert push_raw(emulator, {}, headers={"X-Auth-Token": "other"}).status_code == 401
        assert names(query(emulator)) == ["one"] * 3


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--fault", "push:explode"], "'explode' is not an effect"),
        (["--on-repeat", "triple"], "switch on_repeat takes merge or duplicate, not 'triple'"),
        (["--switch", "colour=red"], "there is no switch 'colour'"),
        (["--visible-after", "soon"], "switch visible_after takes a whole number, or a duration"),
        (["--seed", "nowhere.yaml"], "nowhere.yaml: No such file or directory"),
        (["--key", "secret-without-colon"], "--key takes a name and a secret"),
        (["--db", __file__], "not a database the emulator can use"),
    ],
)
def test_a_wrong_option_is_explained(arguments: list[str], sentence: str) -> None:
    done = reconciler("emulator", "--port", "0", *arguments)
    assert done.returncode == 1
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert "secret-without-colon" not in done.stderr


def test_an_address_in_use_is_explained() -> None:
    with serving() as (emulator, _):
        done = reconciler("emulator", "--port", emulator.url.rsplit(":", 1)[1])
        assert (done.returncode, "Address already in use" in done.stderr) == (1, True)
