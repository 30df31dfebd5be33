"""An apply whose push responses trickle byte by byte and never end."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.emulator.server import running
from reconciler.emulator.settings import Settings
from tests.cli.run_cli import reconciler
from tests.cli.stacks import write
from tests.emulator.handle import Emulator
from tests.hostile.trickle import HEAD, Trickle, trickling


def stack(directory: Path, service: Trickle, *names: str, timeout: str = "300ms") -> Path:
    written = write(directory, *names, endpoint=service.url)
    file = written / "stack.yaml"
    settings = f"batch_size: 1, parallelism: 1, request_timeout: {timeout}, visible_within: 300ms"
    file.write_text(file.read_text().replace("project_id:", f"{settings}, project_id:"))
    return written


@pytest.mark.parametrize(("stores", "pushes"), [(True, 1), (False, 2)])
def test_a_push_whose_response_trickles_is_settled_in_the_same_run(stores: bool, pushes: int, tmp_path: Path) -> None:
    with running(Settings()) as emulator, trickling(emulator, slow=1, stores=stores) as service:
        written = stack(tmp_path, service, "hot")
        done = reconciler("apply", written, "--auto-approve", "--format", "json")
        assert (done.code, service.pushes) == (0, pushes), done
        assert "1 alarm is as declared" in reconciler("plan", written).out


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    whole=st.integers(0, len(HEAD)),
    stores=st.booleans(),
    count=st.integers(1, 3),
    command=st.sampled_from(["apply", "destroy"]),
)
def test_wherever_a_response_begins_to_trickle_the_push_is_ambiguous_and_settled(
    module_emulator: str, tmp_path: Path, whole: int, stores: bool, count: int, command: str
) -> None:
    Emulator(module_emulator).reset()
    shutil.rmtree(tmp_path / "stack", ignore_errors=True)
    names = [f"a{number}" for number in range(count)]
    if command == "destroy":
        written = write(tmp_path / "stack", *names, endpoint=module_emulator)
        assert reconciler("apply", written, "--auto-approve", "--no-verify").code == 0
        shutil.rmtree(written / ".reconciler")
    with trickling(module_emulator, slow=1, stores=stores, whole=whole) as service:
        written = stack(tmp_path / "stack", service, *names)
        done = reconciler(command, written, "--auto-approve", "--no-verify", "--format", "json")
        assert done.code == 0, (done, whole, stores)
        assert len(Emulator(module_emulator).active_alarms()) == (count if command == "apply" else 0)
        assert service.pushes == count + (not stores)


@pytest.fixture(scope="module")
def module_emulator() -> Iterator[str]:
    with running(Settings()) as url:
        yield url


def test_ctrl_c_ends_an_apply_whose_push_trickles(tmp_path: Path) -> None:
    with running(Settings()) as emulator, trickling(emulator, slow=1, stores=False) as service:
        written = stack(tmp_path, service, "hot", "warm", timeout="3s")
        process = subprocess.Popen(  # noqa: S603 - a command of ours
            [sys.executable, "-m", "reconciler", "apply", str(written), "--auto-approve"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={key: value for key, value in os.environ.items() if not key.startswith(("RECONCILER_", "GITHUB_"))},
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
        assert service.begun.wait(60)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        assert process.returncode == 130, (out, err)
        assert "Interrupted" in err
        assert "1 not started" in out
        assert service.pushes == 1
        assert reconciler("apply", written, "--auto-approve").code == 0
        assert "2 alarms are as declared" in reconciler("plan", written).out


def test_the_deadline_bounds_an_apply_whose_pushes_all_trickle(tmp_path: Path) -> None:
    with running(Settings()) as emulator, trickling(emulator, slow=1000, stores=False) as service:
        written = stack(tmp_path, service, *(f"a{number}" for number in range(20)))
        done = reconciler("apply", written, "--auto-approve", "--deadline", "1s", "--format", "json")
        assert (done.code, json.loads(done.out)["ending"]) == (4, "deadline"), done
        assert service.pushes < 20
