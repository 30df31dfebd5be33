"""Lanes: raised alarms and recorded events, with the instances of a for_each in one lane, and a summary of each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from reconciler.drill.latency import LATENCY_STAGES
from reconciler.drill.record import Emission
from reconciler.views.phrases.drill import latency, state_of
from reconciler.views.phrases.plan import count

MIN_GROUP = 3
"""The number of instances from which on a for_each is one lane."""


@dataclass(frozen=True, slots=True)
class Lane:
    """One alarm or event, or all instances of a for_each that were raised."""

    address: str
    emissions: tuple[Emission, ...]

    @property
    def is_group(self) -> bool:
        return len(self.emissions) > 1

    @property
    def name(self) -> str:
        """The address without its type."""
        return self.address.partition(".")[2] or self.address


def lanes_of(emissions: Sequence[Emission]) -> list[Lane]:
    """The lanes, in the order in which the first of each was sent."""
    groups: dict[str, list[Emission]] = {}
    for sent in emissions:
        groups.setdefault(_resource(sent), []).append(sent)
    lanes: list[Lane] = []
    for resource, members in groups.items():
        if len(members) >= MIN_GROUP and any(sent.address != resource for sent in members):
            lanes.append(Lane(resource, tuple(members)))
        else:
            lanes += (Lane(sent.address, (sent,)) for sent in members)
    return lanes


def summary(lane: Lane) -> str:
    """A lane in one line."""
    return _group_summary(lane.emissions) if lane.is_group else _summary(lane.emissions[0])


def _resource(sent: Emission) -> str:
    head, bracket, _ = sent.address.partition('["')
    return head if bracket and sent.address.endswith('"]') else sent.address


def _summary(sent: Emission) -> str:
    if sent.unsent or (sent.push_error and sent.seen_at is None):
        return state_of(sent)
    if sent.is_event:
        return f"event, {state_of(sent)}"
    told = [f"shown {latency(sent.visible_after)}" if sent.seen_at is not None else "never shown"]
    told += [f"notified {latency(sent.notified_after)}"] if sent.notified_at is not None else []
    told += [f"delivered {latency(sent.delivered_after)}"] if sent.delivered_at is not None else []
    told += ["ACTIVE"] if sent.active else []
    return " · ".join(told)


def _group_summary(emissions: Sequence[Emission]) -> str:
    kind = "event" if emissions[0].is_event else "alarm"
    told = [count(len(emissions), kind)]
    lost = sum(sent.unsent for sent in emissions)
    told += [f"{lost} not sent"] if lost else []
    for stage in LATENCY_STAGES[:3]:
        known = known_values(map(stage.measure, emissions))
        if known:
            number = f"{len(known)} " if len(known) < len(emissions) else ""
            told.append(f"{number}{stage.name} {latency(round(median(known)))}")
    active = sum(sent.active for sent in emissions)
    told += [f"{active} ACTIVE"] if active else []
    return " · ".join(told)


def known_values(values: Iterable[int | None]) -> list[int]:
    """The values that are known."""
    return [value for value in values if value is not None]
