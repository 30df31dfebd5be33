"""The resource type ``ces_event``: from fields to a desired value, and from there to the item that is reported."""

from __future__ import annotations

import re
from collections.abc import Mapping

from pydantic import BaseModel

from reconciler.core.address import Address
from reconciler.core.desired import Desired, Kind, Lifecycle
from reconciler.core.diagnostic import Position
from reconciler.core.digest import canonical, digest_text
from reconciler.core.duration import HOUR, MINUTE, SECOND, format_instant, rough_duration
from reconciler.core.marks import Marks
from reconciler.core.observed import Observed
from reconciler.providers.ces.fields import NAME, NAME_WORDS, CesEventFields
from reconciler.providers.ces.mark import short_mark, wire_content

OLDEST = HOUR - 10 * SECOND
NEWEST = 10 * MINUTE - 10 * SECOND
"""How far (ms) a time may lie behind and ahead of the moment it is reported."""

IN_DETAIL = ("event_type", "sub_event_type", "event_state", "event_level", "event_user", "resource_id", "resource_name")
"""What identifies an event beside its time, project, name and source (report page, notes)."""

_NAME = re.compile(NAME)


class CesEventType:
    """A custom event of Cloud Eye, one EventItem on the wire (report page, table 3)."""

    name = "ces_event"
    kind = Kind.EVENT
    model: type[CesEventFields] = CesEventFields

    def desired(
        self,
        address: Address,
        spec: BaseModel,
        *,
        provider: str,
        occurrence: str | None,
        lifecycle: Lifecycle,
        position: Position | None,
    ) -> Desired:
        if not isinstance(spec, CesEventFields):
            raise TypeError(f"{address}: expected CesEventFields, got {type(spec).__name__}")
        if lifecycle.renew_before is not None:
            raise ValueError("lifecycle.renew_before is for alarms: an event does not expire")
        _check_distinct(spec, occurrence)
        identity = {"event_name": _event_name(spec, address), "event_source": spec.event_source}
        for key in IN_DETAIL:
            value = getattr(spec, key)
            if value is not None:
                identity[key] = value
        attributes: dict[str, object] = {}
        if spec.content is not None:
            attributes["content"] = wire_content(spec.content)
        if spec.group_id is not None:
            attributes["group_id"] = spec.group_id
        if spec.dimensions:
            attributes["dimensions"] = [{"name": one.name, "value": one.value} for one in spec.dimensions]
        if spec.time is not None:
            attributes["time"] = spec.time
        content = digest_text(canonical((self.name, identity, attributes)))
        return Desired(
            address,
            provider,
            self.kind,
            True,
            identity,
            attributes,
            content,
            content if occurrence is None else occurrence,
            lifecycle,
            position,
        )

    def push(self, desired: Desired, marks: Marks, starts_at: int) -> tuple[str, int | None]:
        """The EventItem; ValueError where its time lies too far ahead of ``starts_at``. A time that lies too far back
        shows in the second value: it has passed.
        """
        fixed = desired.attributes.get("time")
        time = fixed if isinstance(fixed, int) else starts_at
        if time - starts_at > NEWEST:
            ahead = time - starts_at
            raise ValueError(
                f"its time, {format_instant(time)}, lies {rough_duration(ahead)} ahead: the service takes at most "
                f"{rough_duration(NEWEST)}; it can be planned in {rough_duration(ahead - NEWEST)}"
            )
        return canonical(item(desired.identity, desired.attributes, marks, time)), time + OLDEST

    def clear(self, observed: Observed, ends_at: int) -> str:
        raise ValueError(f"{observed.marks.address} is an event: what happened cannot be cleared (at {ends_at})")


def item(identity: Mapping[str, str], attributes: Mapping[str, object], marks: Marks, time: int) -> dict[str, object]:
    """The EventItem of an event at ``time`` (epoch ms), with the short mark where no event_user is written."""
    detail: dict[str, object] = {key: identity[key] for key in IN_DETAIL if key in identity}
    detail.setdefault("event_user", short_mark(marks.stack, marks.address, marks.occurrence or ""))
    detail.update((key, attributes[key]) for key in ("content", "group_id", "dimensions") if key in attributes)
    return {
        "event_name": identity["event_name"],
        "event_source": identity["event_source"],
        "time": time,
        "detail": detail,
    }


EVENT = CesEventType()


def _event_name(spec: CesEventFields, address: Address) -> str:
    if spec.event_name is not None:
        return spec.event_name
    if _NAME.fullmatch(address.name) is None:
        raise ValueError(
            f"{address.name!r} cannot be its event_name, which is {NAME_WORDS}: write event_name, or name it otherwise"
        )
    return address.name


def _check_distinct(spec: CesEventFields, occurrence: str | None) -> None:
    """Without the mark, two occurrences must differ in what they say: else the second would pass for the first, and
    never be recorded.
    """
    if spec.event_user is None or occurrence is None or spec.time is not None:
        return
    if not occurrence or occurrence not in (spec.content or ""):
        raise ValueError(
            f"with an event_user of your own, content must hold the occurrence ({occurrence!r}): nothing else tells "
            "this event from that of another occurrence"
        )
