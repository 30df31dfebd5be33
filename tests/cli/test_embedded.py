"""The embedded emulator and the ledger live in one directory, and don't get into each other's way."""

from __future__ import annotations

from pathlib import Path

from tests.cli.run_cli import reconciler


def test_the_embedded_emulators_data_is_not_taken_for_a_ledger(tmp_path: Path) -> None:
    stack = tmp_path / "stack.yaml"
    stack.write_text(
        "stack: emulator\n"
        "providers: {aom: {endpoint: embedded, project_id: p, auth: {token: some-token}}}\n"
        "resources: {aom_alarm: {a: {event_severity: Info, resource_provider: x, resource_type: y, resource_id: z}}}\n"
    )
    assert reconciler("apply", str(tmp_path), "--auto-approve").code == 0
    listed = reconciler("ledger", "list", str(tmp_path))
    assert listed.code == 0, listed.err
    assert "apply" in listed.out
