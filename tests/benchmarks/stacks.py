"""Stacks: the configurations the benchmarks work on, and the same amount of work for the alternatives."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

_ALARM = """\
    alarm_{number}:
      state: firing
      event_severity: Major
      resource_provider: ecs
      resource_type: vm
      resource_id: ecs-{number}
      metadata:
        team: checkout
        shard: s{shard}
      annotations:
        message: "p99 above 2 s on ecs-{number}"
      timeout: 30m
"""
_HEAD = """\
stack: bench
providers:
  aom: {endpoint: "ENDPOINT", project_id: demo, auth: {token: not-a-secret}}
resources:
  aom_alarm:
"""
_EACH = """\
    each:
      for_each: "${range(COUNT)}"
      event_severity: Major
      resource_provider: ecs
      resource_type: vm
      resource_id: "ecs-${each.value}"
      metadata: {team: checkout}
      annotations: {message: "p99 above 2 s on ecs-${each.value}"}
      timeout: 30m
"""
_RANGE = 100_000
_OCTODNS = """\
providers:
  config: {class: octodns.provider.yaml.YamlProvider, directory: ./config, enforce_order: false}
  held: {class: octodns.provider.yaml.YamlProvider, directory: ./held, enforce_order: false}
zones:
"""
_ZONE = "  {name}.: {{sources: [config], targets: [held]}}\n"
_RECORD = """\
host-{number:06}:
  ttl: {ttl}
  type: A
  value: 10.{high}.{middle}.{low}
"""


def written_out(alarms: int, endpoint: str = "embedded") -> bytes:
    """A stack of so many alarms of twelve lines each."""
    head = _HEAD.replace("ENDPOINT", endpoint)
    return (head + "".join(_ALARM.format(number=n, shard=n % 17) for n in range(alarms))).encode()


def for_each(alarms: int, endpoint: str = "embedded") -> bytes:
    """A stack of so many alarms made by one for_each, or by one for every 100,000: a range has no more items."""
    text = _HEAD.replace("ENDPOINT", endpoint)
    for number, first in enumerate(range(0, alarms, _RANGE)):
        each = _EACH.replace("COUNT", str(min(_RANGE, alarms - first)))
        if number:
            each = each.replace("each:", f"each_{number}:", 1).replace("ecs-", f"ecs-{number}-")
        text += each
    return text.encode()


def replaced(stack: bytes) -> bytes:
    """A stack whose alarms all have another identity at the service, at the same addresses."""
    return stack.replace(b"resource_type: vm", b"resource_type: host")


def write_octodns(directory: Path, records: int, *, held: int | None = None, ttl: int = 3600) -> Path:
    """A zone of so many A records, of which so many (by default all) are held, with this ``ttl``; the file that
    ``octodns-sync`` is given. Its order is not checked, which would cost it a third more.
    """
    for side, count, seconds in (("config", records, 3600), ("held", records if held is None else held, ttl)):
        (directory / side).mkdir(parents=True)
        (directory / side / "example.com.yaml").write_text(_zone(count, seconds))
    return _config(directory, ["example.com"])


def write_octodns_zones(directory: Path, zones: int, records: int) -> Path:
    """So many zones of so many A records each, all of them held; the file that ``octodns-sync`` is given."""
    names = [f"zone-{number:03}.example.com" for number in range(zones)]
    for side in ("config", "held"):
        (directory / side).mkdir(parents=True)
        for name in names:
            (directory / side / f"{name}.yaml").write_text(_zone(records, 3600))
    return _config(directory, names)


def _zone(records: int, ttl: int) -> str:
    return "---\n" + "".join(
        _RECORD.format(number=n, ttl=ttl, high=n >> 16, middle=n >> 8 & 255, low=n & 255) for n in range(records)
    )


def _config(directory: Path, zones: Sequence[str]) -> Path:
    file = directory / "octodns.yaml"
    file.write_text(_OCTODNS + "".join(_ZONE.format(name=name) for name in zones))
    return file
