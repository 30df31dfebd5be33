"""The severities of alarms and events, as Huawei Cloud names them."""

from __future__ import annotations

from typing import Literal

Severity = Literal["Critical", "Major", "Minor", "Info"]

SEVERITIES: tuple[Severity, ...] = ("Info", "Minor", "Major", "Critical")
"""From least to greatest."""
