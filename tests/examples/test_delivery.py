"""The example of a delivered page, run as its README says."""

from __future__ import annotations

import shutil
from pathlib import Path

from ruamel.yaml import YAML

from tests.cli.run_cli import reconciler
from tests.servers.alertmanager import alertmanager, amtool
from tests.servers.ports import free_port

EXAMPLE = Path(__file__).parents[2] / "examples" / "delivery"


def test_the_example_proves_a_page_offline(tmp_path: Path) -> None:
    stack = shutil.copy(EXAMPLE / "stack.yaml", tmp_path)
    checked = reconciler("check", stack, "--listen", "127.0.0.1:0")
    assert checked.code == 0, checked
    assert "notification of its end arrived at embedded after" in checked.out
    rehearsed = reconciler("drill", "run", "outage", stack, "--rehearse", "--speed", "40")
    assert rehearsed.code == 0, rehearsed
    assert "page_is_delivered passed" in rehearsed.out
    assert "all cleared, 1 check passed" in rehearsed.out
    assert "not confirmed" not in rehearsed.out


def test_the_example_of_alertmanager_proves_a_page_offline(tmp_path: Path) -> None:
    stack = shutil.copy(EXAMPLE / "alertmanager" / "stack.yaml", tmp_path)
    checked = reconciler("check", stack, "--listen", "127.0.0.1:0")
    assert checked.code == 0, checked
    assert "notification of its end arrived at embedded after" in checked.out
    rehearsed = reconciler("drill", "run", "outage", stack, "--rehearse", "--speed", "40")
    assert rehearsed.code == 0, rehearsed
    assert "page_is_delivered passed" in rehearsed.out


def test_the_example_of_alertmanager_proves_a_page_of_a_real_one(tmp_path: Path) -> None:
    stack = shutil.copy(EXAMPLE / "alertmanager" / "stack.yaml", tmp_path)
    port = free_port()
    config = YAML(typ="safe").load((EXAMPLE / "alertmanager" / "local.yml").read_text())
    [hook] = config["receivers"][0]["webhook_configs"]
    hook["url"] = hook["url"].replace(":8090", f":{port}")
    with alertmanager(tmp_path / "am", config) as server:
        options = ["--var", f"alertmanager={server.url}", "--listen", f"127.0.0.1:{port}"]
        checked = reconciler("check", stack, *options)
    assert checked.code == 0, checked
    assert "notification of its end arrived at oncall after" in checked.out


def test_the_configuration_of_alertmanager_routes_pages_and_canaries_to_the_receiver_too(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("sender-token-0123456789")
    text = (EXAMPLE / "alertmanager.yml").read_text().replace("/etc/alertmanager/sender-token", str(tmp_path / "token"))
    (tmp_path / "alertmanager.yml").write_text(text)
    file = f"--config.file={tmp_path / 'alertmanager.yml'}"
    for label in ("alertname=reconciler_canary", "severity=critical"):
        assert amtool("http://127.0.0.1:9", "config", "routes", "test", file, label).strip() == "oncall"
