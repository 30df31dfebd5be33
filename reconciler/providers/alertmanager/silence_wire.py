"""Silences as Alertmanager shows them (API v2, ``gettableSilence``), as observed values."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from reconciler.core.address import Address
from reconciler.core.duration import format_instant
from reconciler.core.observed import (
    ADDRESS,
    DIGEST,
    FORGET,
    KEY,
    ON_REMOVE,
    RUN,
    STACK,
    Marks,
    Observed,
    State,
    UnmanagedAlarm,
    unmanaged_marks,
)
from reconciler.providers.alertmanager.silence import (
    DURATION,
    ENDS_AT,
    MARKED,
    SILENCE,
    STARTS_AT,
    Matcher,
    matchers_text,
)
from reconciler.providers.alertmanager.wire import read_instant
from reconciler.providers.response import integer, text

log = logging.getLogger(__name__)

Shown = Mapping[str, object]
"""A silence in a response."""


class Newest(NamedTuple):
    """The latest version of a silence, and the instances that show it."""

    silence: Shown
    instances: tuple[str, ...]


def newest(answers: Mapping[str, Sequence[Shown]]) -> list[Newest]:
    """Each silence once: the instances share them, and each change reaches them one after another."""
    found: dict[str, Newest] = {}
    for instance, silences in answers.items():
        for silence in silences:
            key = text(silence.get("id"))
            known = found.get(key)
            if known is None or _updated(silence) > _updated(known.silence):
                found[key] = Newest(silence, (instance,))
            elif _updated(silence) == _updated(known.silence):
                found[key] = known._replace(instances=(*known.instances, instance))
    return list(found.values())


def state_of(silence: Shown) -> str:
    """``active``, ``pending`` or ``expired``."""
    status = silence.get("status")
    return text(status.get("state")) if isinstance(status, dict) else ""


def matchers_of(silence: Shown) -> list[Matcher]:
    """What it silences."""
    listed = silence.get("matchers")
    return [
        Matcher(
            text(each.get("name")),
            text(each.get("value")),
            each.get("isRegex") is True,
            each.get("isEqual") is not False,
        )
        for each in (listed if isinstance(listed, list) else ())
        if isinstance(each, dict)
    ]


def comment_of(silence: Shown) -> str:
    """The comment without the marks after it."""
    return _split_comment(silence)[0]


def told_by(silence: Shown) -> Mapping[str, str]:
    """The marks: in the annotations if the server supports them, after the comment if not."""
    annotations = silence.get("annotations")
    if isinstance(annotations, dict) and STACK in annotations:
        return {name: text(value) for name, value in annotations.items()}
    return _split_comment(silence)[1]


def observed_silence(silence: Shown, provider: str, stack: str) -> Observed | None:
    """The silence as an observed value; None if it is not this stack's, or is malformed (then logged)."""
    told = told_by(silence)
    if told.get(STACK) != stack:
        return None
    try:
        address = Address.parse(told.get(ADDRESS, ""))
    except ValueError:
        log.warning("silence %s carries the mark of stack %s but no address: left alone", silence.get("id"), stack)
        return None
    if address.type != SILENCE.name:
        log.warning("%s: silence %s is marked with the address of something else", address, silence.get("id"))
        return None
    digest, key, run = (told.get(name, "") for name in (DIGEST, KEY, RUN))
    marks = Marks(stack, address, digest, key, run, forget=told.get(ON_REMOVE) == FORGET)
    return _as_observed(silence, provider, marks, told)


def unmanaged_silence(silence: Shown, provider: str) -> UnmanagedAlarm:
    """A silence that no stack owns, as a user could declare it."""
    named = "_".join(found.value for found in matchers_of(silence) if found.is_equal and not found.is_regex)
    made = re.sub(r"[^A-Za-z0-9_-]+", "_", named).strip("_-")[:60]
    name = made if re.match(r"[A-Za-z_]", made) else f"silence_{made}".rstrip("_")
    found = _as_observed(silence, provider, unmanaged_marks(Address(SILENCE.name, name)), {})
    fields: dict[str, object] = {
        "matchers": [str(matcher) for matcher in matchers_of(silence)],
        "comment": found.attributes["comment"] or "imported",
        "created_by": found.attributes["created_by"] or "imported",
        **({"starts_at": format_instant(found.starts_at)} if state_of(silence) == "pending" else {}),
        "ends_at": format_instant(found.expires_at or 0),
    }
    return UnmanagedAlarm(fields, found)


def filter_values(silence: Shown) -> Mapping[str, str]:
    """What a silence is selected by: the labels it matches by equality, its creator, and its comment."""
    matchers = matchers_of(silence)
    equal = {found.name: found.value for found in matchers if found.is_equal and not found.is_regex}
    known = {"matchers": matchers_text(matchers), "created_by": text(silence.get("createdBy"))}
    return {**equal, **known, "comment": comment_of(silence)}


def _as_observed(silence: Shown, provider: str, marks: Marks, told: Mapping[str, str]) -> Observed:
    begins, ends = (read_instant(silence.get(name)) or 0 for name in ("startsAt", "endsAt"))
    planned = integer(told.get(ENDS_AT))
    state = State.ACTIVE
    if state_of(silence) == "expired":
        state = State.EXPIRED if planned is None or ends >= planned else State.CLEARED
    return Observed(
        provider,
        text(silence.get("id")),
        marks,
        state,
        {"matchers": matchers_text(matchers_of(silence))},
        {
            "comment": comment_of(silence),
            "created_by": text(silence.get("createdBy")),
            **_times(told, begins, ends, state_of(silence) == "pending"),
        },
        begins,
        ends,
        None if state is State.ACTIVE else ends,
    )


def _times(told: Mapping[str, str], begins: int, ends: int, is_pending: bool) -> dict[str, int]:
    """Its times as they would be declared; the marks hold the original ones."""
    duration, fixed, planned = (integer(told.get(name)) for name in (DURATION, STARTS_AT, ENDS_AT))
    times: dict[str, int] = {}
    if fixed is not None:
        # The server does not start a silence in the past: one that started later than declared is as declared.
        times["starts_at"] = begins if is_pending or begins < fixed else fixed
    if duration is None:
        times["ends_at"] = ends
    else:
        times["duration"] = duration if ends == planned else max(ends - begins, 0)
    return times


def _split_comment(silence: Shown) -> tuple[str, Mapping[str, str]]:
    comment = text(silence.get("comment") or "")
    before, found, marks = comment.rstrip().rpartition(MARKED)
    if not found or not marks.endswith("}]"):
        return comment, {}
    try:
        told = json.loads("{" + marks[:-1])
    except ValueError:
        return comment, {}
    return before.removesuffix("\n\n"), {name: text(value) for name, value in told.items()}


def _updated(silence: Shown) -> int:
    return read_instant(silence.get("updatedAt")) or 0
