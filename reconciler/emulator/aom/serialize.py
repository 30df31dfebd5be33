"""How a stored event shows: its ids, its end, and its JSON."""

from __future__ import annotations

from reconciler.emulator.wire import text

FIRST_ID = 6_775_161_208_461_480_000
FIRST_SN = 1_283_514_476_372_426_755

OPEN = "type = 'alarm' AND cleared_at IS NULL AND expires_at > :now"
"""SQL: an active alarm. Events are facts, never active (an assumption: the pages do not say)."""
ENDED = "type = 'alarm' AND (cleared_at IS NOT NULL OR expires_at <= :now)"
ENDS_AT = (
    "CASE WHEN cleared_at IS NOT NULL THEN cleared_at"
    " WHEN type = 'alarm' AND expires_at <= :now THEN expires_at ELSE 0 END"
)
"""SQL: what ``ends_at`` shows, 0 while nothing has ended it. This time alone distinguishes one end from another."""
COLUMNS = f"seq, starts_at, {ENDS_AT}, timeout, metadata, annotations, attach_rule, arrives_at, enterprise_project"

Row = tuple[int, int, int, int, str, str, str, int, str]
"""The values of ``COLUMNS``."""


def id_of(seq: int) -> str:
    return str(FIRST_ID + seq)


def sn_of(seq: int) -> str:
    return str(FIRST_SN + seq)


def seq_of(identifier: str | None) -> int:
    """The number behind an ``id``; -1, which no row has, for a text that is not an id of ours."""
    return _seq(identifier, FIRST_ID)


def seq_of_sn(serial: str) -> int:
    """The number behind an ``event_sn``, -1 if it is not one of ours."""
    return _seq(serial, FIRST_SN)


def _seq(value: str | None, first: int) -> int:
    if value is None or not value.isascii() or not value.isdecimal() or len(value) > 19:
        return -1
    return int(value) - first if int(value) > first else -1


def as_json(row: Row) -> str:
    """One event as the query page's Table 8 shows it, built from the JSON texts that are stored."""
    seq, starts_at, ends_at, timeout, metadata, annotations, attach_rule, arrives_at, enterprise_project = row
    return (
        f'{{"starts_at":{starts_at},"ends_at":{ends_at},"timeout":{timeout},"metadata":{metadata},'
        f'"annotations":{annotations},"attach_rule":{attach_rule},"id":"{id_of(seq)}","event_sn":"{sn_of(seq)}",'
        f'"arrives_at":{arrives_at},"enterprise_project_id":{text(enterprise_project)},"policy":{{}}}}'
    )
