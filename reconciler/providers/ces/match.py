"""Matching: which of the service's events is which event of a stack, by its mark or by its content."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from reconciler.core.duration import SECOND
from reconciler.core.observed import Marks, Observed, State
from reconciler.providers.ces.resource_type import IN_DETAIL, comparable_content, is_mark
from reconciler.providers.response import integer, text


class Wanted(NamedTuple):
    """An event to find: what would be sent, and its owner. ``time`` (epoch ms) is set only if it must match."""

    item: Mapping[str, object]
    marks: Marks
    time: int | None


class EventMatcher:
    """Finds the wanted events among those that a service shows."""

    def __init__(self, wanted: Iterable[Wanted]) -> None:
        self._by_mark: dict[str, Wanted] = {}
        self._by_words: dict[Said, list[Wanted]] = {}
        for one in wanted:
            user = _detail(one.item).get("event_user")
            if isinstance(user, str) and is_mark(user):
                self._by_mark[user] = one
            else:
                self._by_words.setdefault(_said(one.item), []).append(one)

    def match(self, event: Mapping[str, object], provider: str) -> list[Observed]:
        """The events that match: none, one, or several with the same content."""
        user = _detail(event).get("event_user")
        if isinstance(user, str) and is_mark(user):
            marked = self._by_mark.get(user)
            return [_observed(event, marked, provider)] if marked else []
        if not self._by_words:
            return []
        time = integer(event.get("time"))
        return [
            _observed(event, one, provider)
            for one in self._by_words.get(_said(event), ())
            if one.time is None or (time is not None and abs(time - one.time) <= SECOND)
        ]


def _said(event: Mapping[str, object]) -> Said:
    """Everything that identifies an event except its time; a missing value counts as empty."""
    detail = _detail(event)
    return (
        text(event.get("event_name") or ""),
        text(event.get("event_source") or ""),
        *(text(detail.get(key) or "") for key in _SAID),
        comparable_content(text(detail.get("content") or "")),
    )


def _observed(event: Mapping[str, object], wanted: Wanted, provider: str) -> Observed:
    detail = _detail(event)
    identity = {key: text(event[key]) for key in ("event_name", "event_source") if event.get(key)}
    identity.update((key, text(detail[key])) for key in IN_DETAIL if detail.get(key))
    if is_mark(identity.get("event_user", "")):
        del identity["event_user"]
    attributes = {key: detail[key] for key in ("content", "group_id", "dimensions") if detail.get(key)}
    return Observed(
        provider,
        text(event.get("event_id") or ""),
        wanted.marks,
        State.RECORDED,
        identity,
        attributes,
        integer(event.get("time")) or 0,
    )


def _detail(event: Mapping[str, object]) -> Mapping[str, object]:
    detail = event.get("detail")
    return detail if isinstance(detail, dict) else {}


_SAID = tuple(key for key in IN_DETAIL if key not in ("event_type", "sub_event_type"))


Said = tuple[str, ...]
