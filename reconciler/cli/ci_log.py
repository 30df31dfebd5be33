"""CI logs: text that a runner would take for one of its commands is written so that it does not."""

from __future__ import annotations

import re
from collections.abc import Mapping

_RUNNERS = ("GITHUB_ACTIONS", "TF_BUILD", "TEAMCITY_VERSION")
# GitHub takes ``::name::`` after white space, and ``##[name]`` anywhere; Azure and TeamCity ``##word[`` anywhere.
_AT_START = re.compile(r"^(\s*)(?=::)", re.MULTILINE)
_ANYWHERE = re.compile(r"##(?=[A-Za-z]*\[)")


def is_ci_log(environ: Mapping[str, str]) -> bool:
    """Whether a runner reads what this process writes."""
    return any(environ.get(name) for name in _RUNNERS)


def without_commands(text: str) -> str:
    """The text with a backslash before what would be a command; nothing else changes."""
    return _ANYWHERE.sub(r"#\\#", _AT_START.sub(r"\1\\", text))


def without_commands_json(text: str) -> str:
    """The same for JSON text, whose meaning stays: no line of it begins with a colon."""
    return _ANYWHERE.sub(r"#\\u0023", text)
