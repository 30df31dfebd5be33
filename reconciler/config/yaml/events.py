"""Events: the event stream of ruamel.yaml's C parser."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from _ruamel_yaml import CParser  # type: ignore[import-not-found]  # a C module without type information


def events(data: bytes) -> Callable[[], Any]:
    """A function that gives the next event of a text (classes of ``ruamel.yaml.events``); raises YAMLError."""
    read: Callable[[], Any] = CParser(data).get_event
    return read
