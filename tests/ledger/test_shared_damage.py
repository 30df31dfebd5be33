"""Damage: a shared ledger with altered rows is reported as damaged or reads as it was written."""

from __future__ import annotations

from contextlib import closing, suppress
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql

from reconciler.core.diagnostic import DiagnosticError
from reconciler.core.operation import Outcome, Status
from reconciler.ledger.location import Location, open_at, read_at
from tests.ledger.samples import NOW, acquire_lease, clear, event, operations, run
from tests.ledger.test_damage import ask_everything
from tests.servers import postgres

ALTERED = st.one_of(
    st.tuples(st.sampled_from(["step", "run", "body", "payloads", "digest"]), st.text("ab{}[]\"',:019 é", max_size=8)),
    st.tuples(st.just("at"), st.integers(-(2**62), 2**62)),
    st.tuples(st.just("number"), st.integers(100, 10_000)),
    st.just(("gone", 0)),
)


@pytest.fixture(scope="module")
def sound() -> str:
    """The URL of a ledger with a run, its intents, begun attempts and outcomes, and no snapshot."""
    url = postgres.server().schema()
    with closing(open_at(Location(url, "shop"))) as ledger:
        holder = acquire_lease(ledger)
        ledger.begin(holder, run("run-1"))
        sent = [event("e", "v1"), clear("c", "id-1"), *operations(*"abdefgh")]
        ledger.record_intents(holder, "run-1", sent, NOW)
        ledger.begin_attempts(holder, [one.key for one in sent[:6]], NOW)
        ledger.record_outcomes([Outcome(one.key, Status.DONE) for one in sent[:4]], NOW)
    return url


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 3), altered=ALTERED)
def test_an_altered_or_missing_row_is_reported_as_damage(
    sound: str, place: int, altered: tuple[str, str | int]
) -> None:
    split = urlsplit(sound)
    journal = sql.Identifier(parse_qs(split.query)["schema"][0], "ledger_journal")
    with psycopg.connect(split._replace(query="").geturl(), autocommit=True) as server:
        kept = server.execute(sql.SQL("SELECT * FROM {} ORDER BY number").format(journal)).fetchall()
        number, (column, value) = kept[place % len(kept)][1], altered
        where = sql.SQL(" WHERE number = {}").format(number)
        if column == "gone":
            server.execute(sql.SQL("DELETE FROM {}").format(journal) + where)
        else:
            server.execute(sql.SQL("UPDATE {} SET {} = {}").format(journal, sql.Identifier(column), value) + where)
        try:
            same = server.execute(sql.SQL("SELECT * FROM {} ORDER BY number").format(journal)).fetchall() == kept
            for opening in (read_at, open_at):
                told = False
                try:
                    with closing(opening(Location(sound, "shop"))) as ledger:
                        ask_everything(ledger)
                except DiagnosticError as error:
                    told = True
                    assert "damaged" in str(error) and "postgresql://" in str(error)
                assert told is not same
        finally:
            with suppress(psycopg.Error):
                server.execute(sql.SQL("DELETE FROM {}").format(journal))
            for row in kept:
                marks = sql.SQL(", ").join(map(sql.Literal, row))
                server.execute(sql.SQL("INSERT INTO {} VALUES ({})").format(journal, marks))
