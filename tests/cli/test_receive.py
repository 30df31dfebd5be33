"""``reconciler receive``: its options. What it serves is tested in tests/receive."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
import trustme

from tests.cli.run_cli import reconciler

TOKEN = "query-token-0123456789"  # noqa: S105 - made up
ENV = {"RECONCILER_RECEIVER_TOKEN": TOKEN}


@contextmanager
def serving(*arguments: str | Path, env: dict[str, str] | None = None) -> Iterator[str]:
    """A receiver as a process of its own; its address."""
    with subprocess.Popen(  # noqa: S603 - a command of ours
        [sys.executable, "-m", "reconciler", "receive", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **(ENV if env is None else env)},
    ) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    assert process.returncode == 0


def test_it_serves_until_interrupted_with_tokens_from_files(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN + "\n")
    (tmp_path / "sender").write_text("sender-token-0123456789")
    (tmp_path / "hooks").write_text("pager:hook-token-0123456789\nother:hook-token-9876543210\n")
    files = ["--token-file", tmp_path / "token", "--sender-token-file", tmp_path / "sender"]
    files += ["--hooks-file", tmp_path / "hooks", "--db", tmp_path / "new" / "receiver.db"]
    with serving("--listen", "127.0.0.1:0", "--hostname", "receiver.example.com", *files, env={}) as url:
        assert requests.post(f"{url}/alertmanager", json={}, timeout=30).status_code == 401
        assert requests.post(f"{url}/alertmanager", json={}, auth=("", "sender-token-0123456789"), timeout=30).ok
        headers = {"Host": "receiver.example.com", "Authorization": f"Bearer {TOKEN}"}
        assert requests.post(f"{url}/hook/hook-token-9876543210", json={}, headers=headers, timeout=30).ok
        found = requests.get(f"{url}/deliveries?receiver=other", headers=headers, timeout=30).json()
        assert len(found["deliveries"]) == 1


def test_it_serves_https(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(tmp_path / "cert.pem")
    tls = ["--tls-cert", tmp_path / "cert.pem", "--tls-key", tmp_path / "cert.pem"]
    with serving("--listen", "127.0.0.1:0", "--db", tmp_path / "receiver.db", *tls) as url:
        assert url.startswith("https://")
        assert requests.get(f"{url}/healthz", verify=str(tmp_path / "ca.pem"), timeout=30).ok


@pytest.mark.parametrize(
    ("arguments", "env", "sentence"),
    [
        ([], {}, "there is no token for queries"),
        ([], {"RECONCILER_RECEIVER_TOKEN": "short-s3cret"}, "the query token is shorter than 16 characters"),
        (["--token-env", "MINE"], ENV, "set MINE to 16 random characters"),
        (["--listen", "0.0.0.0:0"], ENV, "anyone who reaches 0.0.0.0 could send to /alertmanager"),
        (["--listen", "nowhere"], ENV, "expected HOST:PORT"),
        (["--listen", "::1:80"], ENV, "expected HOST:PORT"),
        (["--listen", "127.0.0.1:99999"], ENV, "expected HOST:PORT"),
        (["--retention", "long"], ENV, "'long' is not a duration"),
        (["--smn-topic", "alarms"], ENV, "not the URN of an SMN topic"),
        (["--tls-cert", "cert.pem"], ENV, "--tls-cert and --tls-key belong together"),
        (["--tls-cert", "no.pem", "--tls-key", "no.pem"], ENV, "No such file or directory"),
        (["--db", __file__], ENV, "not a database the receiver can use"),
        (["--token-file", "no-such-file"], ENV, "no-such-file: No such file or directory"),
        (["--token-file", os.devnull], ENV, "the file is empty"),
        ([], ENV | {"RECONCILER_HOOKS": "s3cret-without-a-name"}, "a hook is NAME:TOKEN"),
        ([], ENV | {"RECONCILER_HOOKS": "a:s3cret/0123456789012"}, "a hook is NAME:TOKEN"),
        ([], ENV | {"RECONCILER_HOOKS": "a:aaaaaaaaaaaaaaaa a:bbbbbbbbbbbbbbbb"}, "there are two hooks named a"),
        ([], ENV | {"RECONCILER_SENDER_TOKEN": TOKEN}, "two tokens are equal"),
    ],
)
def test_a_wrong_option_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], env: dict[str, str], sentence: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = reconciler("receive", "--listen", "127.0.0.1:0", *arguments, env=env)
    assert (done.code, done.out) == (1, "")
    assert sentence in done.err
    assert "s3cret" not in done.err
    assert "internal error" not in done.err


def test_an_address_in_use_is_explained(tmp_path: Path) -> None:
    with serving("--listen", "127.0.0.1:0", "--db", tmp_path / "one.db") as url:
        address = url.removeprefix("http://")
        done = reconciler("receive", "--listen", address, "--db", tmp_path / "two.db", env=ENV)
    assert (done.code, f"cannot serve on {address}: Address already in use" in done.err) == (1, True)
