"""Searches: validates the body of a query by Tables 4 to 6 of the query page, and translates it to SQL."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass

from reconciler.emulator.aom.store import ENDED, ENDS_AT, OPEN
from reconciler.emulator.settings import Settings
from reconciler.emulator.wire import dump, is_integer, parse

MINUTE = 60_000
MAX_POINTS = 1_440
_RANGE = re.compile(r"(-1|\d{1,18})\.(-1|\d{1,18})\.(\d{1,9})")
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_.\-]+")
_SORTABLE = {"starts_at": "starts_at", "ends_at": ENDS_AT, "arrives_at": "arrives_at", "timeout": "timeout"}


@dataclass(frozen=True, slots=True)
class Query:
    """A checked query: ``where`` with its parameters, and ``order`` (expressions, all in one direction)."""

    start: int
    end: int
    step: int
    where: str
    parameters: dict[str, object]
    order: tuple[str, ...]
    descending: bool

    def page(self, after: list[object] | None, limit: int) -> tuple[str, dict[str, object]]:
        """The tail of a SELECT for at most ``limit`` rows after these values of ``order``."""
        direction = "DESC" if self.descending else "ASC"
        where, parameters = self.where, dict(self.parameters)
        if after is not None:
            for position, value in enumerate(after):
                parameters[f"after{position}"] = value
            left = ", ".join(self.order)
            right = ", ".join(f":after{position}" for position in range(len(after)))
            where += f" AND ({left}) {'<' if self.descending else '>'} ({right})"
        by = ", ".join(f"{expression} {direction}" for expression in self.order)
        return f"WHERE {where} ORDER BY {by} LIMIT {limit}", parameters


def read_search(
    body: bytes, kind: str | None, project: str, enterprise: str | None, now: int, settings: Settings
) -> Query:
    """Parse the search in a body. Raises ValueError that says what is invalid.

    ``kind`` is the query parameter ``type``; ``enterprise`` is the enterprise project to search, None for all.
    """
    try:
        value = parse(body)
    except ValueError:
        raise ValueError("the body is not JSON") from None
    if not isinstance(value, dict):
        raise ValueError("the body is not an object")
    step = value.get("step")
    if step is None:
        step = settings.default_step
    if not is_integer(step) or step < 1:
        raise ValueError("step is a whole number of milliseconds, 1 or more")
    start, end = read_range(value.get("time_range"), step, now)
    parameters: dict[str, object] = {"project": project, "now": now, "start": start, "end": end}
    time = "starts_at" if settings.time_range_on == "start" else "arrives_at"
    terms = ["project = :project", f"{time} BETWEEN :start AND :end"]
    if kind == "active_alert":
        terms.append(OPEN)
    elif kind == "history_alert":
        terms.append(ENDED)
    if enterprise is not None:
        terms.append("enterprise_project = :enterprise")
        parameters["enterprise"] = enterprise
    terms += _fuzzy(value.get("search"), settings, parameters)
    terms += _relations(value.get("metadata_relation"), parameters)
    order, descending = _sort(value.get("sort"), parameters)
    return Query(start, end, step, " AND ".join(terms), parameters, order, descending)


def read_range(value: object, step: int, now: int) -> tuple[int, int]:
    """Start and end of a ``time_range``, both inclusive, by the rules of Table 4."""
    match = _RANGE.fullmatch(value) if isinstance(value, str) else None
    if not match:
        raise ValueError("time_range is start.end.minutes, each start and end in milliseconds or -1")
    start, end, minutes = map(int, match.groups())
    if minutes < 1:
        raise ValueError("time_range: the minutes must be more than 0")
    if minutes * MINUTE / step > MAX_POINTS:
        raise ValueError(
            f"time_range: {minutes} minutes in steps of {step} ms are more than {MAX_POINTS} points; raise step"
        )
    if start == -1 and end == -1:
        return now - minutes * MINUTE, now
    if end == -1:
        end = min(start + minutes * MINUTE, now)
    elif start == -1:
        start = end - minutes * MINUTE
    elif minutes < (end - start) / MINUTE - 1:
        raise ValueError("time_range: the minutes are fewer than lie between start and end")
    elif start > end:
        raise ValueError("time_range: the start is after the end")
    return start, end


def read_marker(marker: str | None, search: Query) -> list[object] | None:
    """The sort values after which a page starts; None for the first page."""
    if marker in (None, "", "0"):
        return None
    try:
        value = parse(base64.urlsafe_b64decode(str(marker).encode("ascii") + b"=="))
    except ValueError:
        value = None
    if (
        not isinstance(value, list)
        or len(value) != len(search.order)
        or not all(isinstance(each, str) or is_integer(each) for each in value)
    ):
        raise ValueError("marker is not one this query gave")
    return value


def write_marker(values: list[object]) -> str:
    return base64.urlsafe_b64encode(dump(values)).decode("ascii").rstrip("=")


def _fuzzy(value: object, settings: Settings, parameters: dict[str, object]) -> list[str]:
    if value is None or value == "":
        return []
    if not isinstance(value, str):
        raise ValueError("search is text")
    parameters["search"] = value.casefold()
    return [f"instr({'words' if settings.search_in == 'all' else 'mandatory_words'}, :search)"]


def _relations(value: object, parameters: dict[str, object]) -> list[str]:
    """All AND criteria, at least one of any OR criteria, and no NOT criterion.

    A criterion is met if any of its values matches; without values it is ignored, without a relation it is an AND.
    """
    if value is None:
        return []
    if not isinstance(value, list):
        raise ValueError("metadata_relation is a list")
    met: dict[str, list[str]] = {"AND": [], "OR": [], "NOT": []}
    for position, criterion in enumerate(value):
        where = f"metadata_relation[{position}]"
        if not isinstance(criterion, dict):
            raise ValueError(f"{where} is not an object")
        key, values, relation = criterion.get("key"), criterion.get("value"), criterion.get("relation", "AND")
        if not isinstance(key, str) or not key:
            raise ValueError(f"{where}: key is missing")
        if not isinstance(relation, str) or relation not in met:
            raise ValueError(f"{where}: relation is one of AND, OR, NOT")
        if values is None:
            continue
        if not isinstance(values, list) or not all(isinstance(each, str) for each in values):
            raise ValueError(f"{where}: value is a list of texts")
        if not values:
            continue
        names = []
        for number, each in enumerate(values):
            parameters[f"r{position}_{number}"] = each
            names.append(f":r{position}_{number}")
        met[relation].append(f"{_value_of(key, f'k{position}', parameters)} IN ({', '.join(names)})")
    terms = met["AND"]
    if met["OR"]:
        terms.append(f"({' OR '.join(met['OR'])})")
    return terms + [f"NOT coalesce({each}, 0)" for each in met["NOT"]]


def _value_of(key: str, name: str, parameters: dict[str, object]) -> str:
    """SQL for the metadata value at a key."""
    if key == "event_type":
        return "type"
    if key == "event_severity":
        return "severity"
    if _PLAIN_KEY.fullmatch(key):
        parameters[name] = f'$."{key}"'
        return f"json_extract(metadata, :{name})"
    parameters[name] = key
    return f"(SELECT value FROM json_each(metadata) WHERE key = :{name})"  # noqa: S608 - a name of ours


def _sort(value: object, parameters: dict[str, object]) -> tuple[tuple[str, ...], bool]:
    """The sort order: by default newest start first; ties are in order of arrival."""
    if value is None:
        return ("starts_at", "seq"), True
    if not isinstance(value, dict):
        raise ValueError("sort is an object")
    fields, direction = value.get("order_by"), value.get("order")
    if direction not in (None, "asc", "desc"):
        raise ValueError("sort.order is asc or desc")
    if fields is None:
        fields = []
    if not isinstance(fields, list) or not all(isinstance(each, str) and each for each in fields):
        raise ValueError("sort.order_by is a list of field names")
    if len(fields) > 20:
        raise ValueError("sort.order_by has more than 20 fields")
    if not fields:
        return ("starts_at", "seq"), direction != "asc"
    expressions = []
    for position, each in enumerate(fields):
        if each in _SORTABLE:
            expressions.append(_SORTABLE[each])
        elif each in ("id", "event_sn"):
            expressions.append("seq")
        else:
            name = each.removeprefix("metadata.")
            expressions.append(f"coalesce({_value_of(name, f's{position}', parameters)}, '')")
    return (*expressions, "seq"), direction == "desc"
