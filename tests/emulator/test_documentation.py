"""docs/emulator.md names what there is."""

from __future__ import annotations

import re
from pathlib import Path

from reconciler.emulator.alertmanager.config import parse_config
from reconciler.emulator.fault import NAMES, parse_fault
from reconciler.emulator.seed import parse_seed
from reconciler.emulator.server import create_app
from reconciler.emulator.settings import Settings, switches

TEXT = (Path(__file__).parents[2] / "docs" / "emulator.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    return TEXT.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def first_cells(table: str) -> list[str]:
    return re.findall(r"^\| `([^`]+)`[^|]*\|", table.replace(r"\|", "/"), re.MULTILINE)


def test_every_switch_is_in_the_table() -> None:
    assert sorted(first_cells(section("Switches"))) == sorted(switches())


def test_every_fault_of_the_table_is_one() -> None:
    examples = first_cells(section("Faults"))
    assert len(examples) >= 9
    for example in examples:
        parse_fault(example.replace("/", "|"))


def test_every_operation_is_named() -> None:
    assert all(f"`{name}`" in section("Faults") for name in NAMES)


def test_every_admin_endpoint_is_named() -> None:
    paths = {path for path in create_app(Settings()).openapi()["paths"] if path.startswith("/admin")}
    assert len(paths) >= 9
    for path in paths:
        assert path.replace("{number}", "{id}") in section("Admin endpoints")


def test_the_seed_is_one() -> None:
    from ruamel.yaml import YAML

    [seed] = re.findall(r"```yaml\n(.*?)```", section("Seeds"), re.DOTALL)
    read = parse_seed(YAML(typ="safe").load(seed), now=1_777_636_800_000)
    assert (len(read.alarms), len(read.rules), len(read.faults)) == (1, 1, 1)
    assert parse_config(read.alertmanager, "0.25.0").receivers.keys() == {"pager"}
