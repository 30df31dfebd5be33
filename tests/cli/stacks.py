"""Small stacks for tests, and fleets of them."""

from __future__ import annotations

from pathlib import Path

HEAD = """\
stack: {name}
providers:
  aom: {{endpoint: "{endpoint}", project_id: p1, auth: {{token: {token}}}}}
resources:
  aom_alarm:
"""
ALARM = """\
    {name}: {{resource_provider: ecs, resource_type: vm, resource_id: r1, event_severity: {severity}, timeout: 30m}}
"""
TOKEN = "s3cr3t-t0ken"  # what the tests look for in outputs  # noqa: S105 - made up


def write(
    directory: Path,
    *names: str,
    severity: str = "Major",
    stack: str = "tests",
    endpoint: str = "embedded",
    token: str = TOKEN,
    more: str = "",
) -> Path:
    """A stack of alarms of these names, in the file ``stack.yaml`` of a directory; which is returned."""
    text = HEAD.format(name=stack, endpoint=endpoint, token=token)
    text += "".join(ALARM.format(name=name, severity=severity) for name in names)
    directory.mkdir(exist_ok=True)
    (directory / "stack.yaml").write_text((text if names else text.replace("  aom_alarm:\n", "  {}\n")) + more)
    return directory


def write_fleet(root: Path, endpoint: str, *names: str, file: str = "") -> Path:
    """Stacks of these names with one alarm each in a directory, and what the fleet file says beside listing them."""
    (root / "stacks").mkdir(parents=True, exist_ok=True)
    for name in names:
        write(root / "stacks" / name, "a", stack=name, endpoint=endpoint)
    (root / "fleet.yaml").write_text(f"stacks: [stacks/*]\n{file}")
    return root
