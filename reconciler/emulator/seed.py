"""Seeds: a file that gives the initial objects and behaviour of the services."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from reconciler.emulator.aom.notifications import NotificationRule, parse_rule
from reconciler.emulator.bcm.store import SeededAlarm, read_alarms
from reconciler.emulator.fault import Fault, parse_fault

SHAPE = "{bcm: {alarms: [...]}, aom: {notifications: [...]}, alertmanager: {config: {...}}, faults: [...]}"


@dataclass(frozen=True, slots=True)
class Seed:
    """The parsed content of a seed file."""

    alarms: tuple[SeededAlarm, ...] = ()
    rules: tuple[NotificationRule, ...] = ()
    faults: tuple[Fault, ...] = ()
    alertmanager: Mapping[str, object] | None = None
    """The content of an ``alertmanager.yml``."""


def read_seed(path: Path | str, now: int) -> Seed:
    """Read a YAML or JSON seed file, relative times counted from ``now``. Raises ValueError with the file's name."""
    try:
        text = Path(path).read_text(encoding="utf-8")
        try:
            value: object = json.loads(text)  # YAML parsers reject the surrogate pairs that JSON writes
        except ValueError:
            value = YAML(typ="safe").load(text)
    except RecursionError:
        raise ValueError(f"{path}: it is nested too deeply") from None
    except OSError as error:
        raise ValueError(f"cannot read the seed {path}: {error.strerror}; check the path") from None
    except (YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: not YAML or JSON: {error}") from None
    try:
        return parse_seed(value, now)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def parse_seed(value: object, now: int) -> Seed:
    """Parse a seed of the shape ``SHAPE``, in which each part is optional."""
    whole = _object(value, "the seed", {"bcm", "aom", "alertmanager", "faults"})
    bcm = _object(whole.get("bcm"), "bcm", {"alarms"})
    aom = _object(whole.get("aom"), "aom", {"notifications"})
    alertmanager = _object(whole.get("alertmanager"), "alertmanager", {"config"}).get("config")
    if alertmanager is not None and not isinstance(alertmanager, dict):
        raise ValueError("alertmanager.config must be an object")
    rules, faults = aom.get("notifications") or [], whole.get("faults") or []
    if not isinstance(rules, list):
        raise ValueError("aom.notifications must be a list")
    if not isinstance(faults, list) or not all(isinstance(each, str) for each in faults):
        raise ValueError("faults must be a list of texts like push:status=503")
    return Seed(
        alarms=tuple(read_alarms(bcm.get("alarms") or [], now)),
        rules=tuple(parse_rule(each) for each in rules),
        faults=tuple(parse_fault(each) for each in faults),
        alertmanager=alertmanager,
    )


def _object(value: object, name: str, keys: set[str]) -> dict[str, object]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ValueError(f"{name} must be an object; the whole is {SHAPE}")
    unknown = {str(key) for key in value} - keys
    if unknown:
        raise ValueError(f"{name} has no {', '.join(sorted(unknown))}; the whole is {SHAPE}")
    return value
