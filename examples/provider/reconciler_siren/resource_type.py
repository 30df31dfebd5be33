"""The resource type ``siren``: from fields to a desired value, and from there to what is sent. No input, no output."""

from __future__ import annotations

import json
from dataclasses import dataclass

from pydantic import BaseModel

from reconciler.core.desired import Declaration, Desired, Kind
from reconciler.core.digest import canonical, digest
from reconciler.core.observed import Marks, Observed
from reconciler_siren.fields import SirenFields


@dataclass(frozen=True, slots=True)
class SirenType:
    """A siren is known by its room and what it plays; how loud it is can be changed while it sounds."""

    name: str = "siren"
    kind: Kind = Kind.ALARM
    model: type[BaseModel] = SirenFields

    def desired(self, declared: Declaration) -> Desired:
        address, spec, provider, occurrence, lifecycle, position = declared
        assert isinstance(spec, SirenFields)  # noqa: S101 - narrows a type
        identity = {"room": spec.room, "sound": spec.sound}
        attributes = {"loudness": spec.loudness}
        return Desired(
            address,
            provider,
            self.kind,
            True,  # the planner sets it to False for `state: cleared`
            identity,
            attributes,
            digest([identity, attributes]),
            occurrence,
            lifecycle,
            position,
        )

    def push(self, desired: Desired, marks: Marks, starts_at: int) -> tuple[str, int | None]:
        # The marks travel as labels: by them we know our own sirens again, and nobody else's.
        labels = {
            "reconciler_stack": marks.stack,
            "reconciler_address": str(marks.address),
            "reconciler_digest": marks.digest,
            "reconciler_key": marks.key,
            "reconciler_run": marks.run,
        }
        item = {**desired.identity, **desired.attributes, "since": starts_at, "labels": labels}
        return canonical(item), None  # the house takes a siren of any age

    def clear(self, observed: Observed, ends_at: int) -> str:
        return json.dumps({"id": observed.id})


SIREN = SirenType()
