"""What the routes of all services share: settings, database, clock, access and faults."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from starlette.requests import Request

from reconciler.emulator.access import Access
from reconciler.emulator.clock import Clock
from reconciler.emulator.database import Database
from reconciler.emulator.settings import Settings


@dataclass(frozen=True, slots=True)
class Services:
    """What the routes of all services share."""

    settings: Settings
    database: Database
    clock: Clock
    access: Access


def hidden_for(request: Request) -> int:
    """For how many milliseconds a fault hides what this request writes."""
    return cast("int", getattr(request.state, "hide", 0))
