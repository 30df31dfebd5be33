"""A ledger in a bucket whose store breaks promises, loses answers or refuses, and one whose objects were altered."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from reconciler.core.diagnostic import DiagnosticError
from reconciler.core.operation import Outcome, Status
from reconciler.ledger.codec import Row
from reconciler.ledger.kinds import list_stacks, open_store
from reconciler.ledger.location import Location, open_at, read_at
from reconciler.ledger.objects import promises
from reconciler.ledger.objects.link import ObjectLink
from reconciler.ledger.probe import examine_shared
from reconciler.ledger.store import Claim, Fence, Snapshot, Stored
from tests.cli.process import reconciler
from tests.ledger.samples import NOW, acquire_lease, operations, run
from tests.ledger.test_damage import ask_everything
from tests.servers import s3
from tests.servers.s3_proxy import UnreliableStore

LIFETIME = 60_000


@pytest.fixture
def proxy(request: pytest.FixtureRequest) -> Iterator[UnreliableStore]:
    """Before SeaweedFS, or before moto, which does not check signatures: headers may be dropped."""
    with UnreliableStore(getattr(request, "param", s3.seaweedfs)().port) as started:
        yield started


unsigned = pytest.mark.parametrize("proxy", [s3.moto], ids=["moto"], indirect=True)


@pytest.fixture
def url(proxy: UnreliableStore) -> str:
    return s3.seaweedfs().prefix(proxy.port)


def row(text: str) -> Row:
    return Row("end", "run-1", NOW, f'["{text}"]').sealed()


def claim(id: str) -> Claim:
    return Claim(id, "ci", "runner-1", 1, None, None, None)


BROKEN = [
    ("If-None-Match", "an object is created only if there is none"),
    ("If-Match", "a version is replaced only if it is the latest"),
    (None, "answers and objects bear the time of one clock"),
]


@unsigned
@pytest.mark.parametrize(("ignored", "promise"), BROKEN, ids=["create", "replace", "clock"])
def test_a_store_that_breaks_a_promise_is_refused_at_its_first_use(
    proxy: UnreliableStore, url: str, ignored: str | None, promise: str
) -> None:
    proxy.ignored, proxy.is_skewed = ignored, ignored is None
    with pytest.raises(DiagnosticError) as refused:
        open_store(Location(url, "shop"))
    (diagnostic,) = refused.value.diagnostics
    assert f"cannot be kept there: the store does not give a guarantee: {promise}" in diagnostic.summary
    assert "ledger doctor" in (diagnostic.hint or "")
    assert list_stacks(url) == []


@unsigned
def test_the_doctor_names_the_promise_that_is_broken(proxy: UnreliableStore, url: str) -> None:
    proxy.ignored = "If-None-Match"
    done = reconciler("ledger", "doctor", url)
    assert done.returncode == 1
    assert "an object is created only if there is none" in done.stdout
    proxy.ignored = None
    done = reconciler("ledger", "doctor", url)
    assert (done.returncode, done.stderr) == (0, "")
    assert s3.SECRET_KEY not in done.stdout


@pytest.mark.parametrize("how", ["lost", "conflicts"])
def test_a_lost_answer_or_a_conflict_is_read_back_and_nothing_is_written_twice(
    proxy: UnreliableStore, url: str, how: str
) -> None:
    setattr(proxy, how, lambda number: number % 4 == 1)
    with closing(open_at(Location(url, "shop"))) as ledger:
        holder = acquire_lease(ledger)
        ledger.begin(holder, run())
        for key in "abc":
            ledger.record_intents(holder, "run-1", operations(key), NOW)
            ledger.begin_attempts(holder, [key], NOW)
            ledger.record_outcomes([Outcome(key, Status.DONE)], NOW)
        assert ledger.renew(holder, NOW, 60_000).fence == holder.fence
        ledger.release(holder)
        assert acquire_lease(ledger).fence == holder.fence + 1
    assert proxy.writes > 20
    with closing(open_store(Location(url, "shop"), reading=True)) as store:
        steps = [stored.row.step for stored in store.read(0).rows]
    assert steps == ["run", *["intend", "begin", "settle"] * 3]


@pytest.mark.parametrize(
    ("altered", "told"),
    [
        (("AWS_SECRET_ACCESS_KEY", "wrong-secret-key"), "the store refused the request"),
        (("AWS_ACCESS_KEY_ID", "somebody-else"), "the store refused the request"),
    ],
    ids=["secret", "user"],
)
def test_refused_credentials_are_reported_without_them(
    monkeypatch: pytest.MonkeyPatch, url: str, altered: tuple[str, str], told: str
) -> None:
    monkeypatch.setenv(*altered)
    with pytest.raises(DiagnosticError) as refused:
        open_store(Location(url, "shop"))
    assert told in refused.value.line
    assert not any(secret in refused.value.line for secret in (s3.SECRET_KEY, s3.ACCESS_KEY, altered[1]))


def test_credentials_may_be_those_of_a_profile(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, url: str) -> None:
    shared = tmp_path / "credentials"
    shared.write_text(f"[sre]\naws_access_key_id = {s3.ACCESS_KEY}\naws_secret_access_key = {s3.SECRET_KEY}\n")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(shared))
    monkeypatch.setenv("AWS_PROFILE", "sre")
    with closing(open_store(Location(url, "shop"))) as store:
        assert store.read(0).rows == []


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("s3://key:secret@bucket/x", "the ledger s3://key:***@bucket/x has credentials in its URL"),
        ("s3://bucket/x?acl=public", "has an unknown option acl (write s3://BUCKET/PREFIX; options are endpoint,"),
        ("s3:///x", "names no bucket"),
        ("s3://bucket/x?endpoint=obs.example.com", "has an endpoint that is no URL (write endpoint=https://HOST)"),
    ],
)
def test_what_is_wrong_in_a_url_is_told(url: str, told: str) -> None:
    with pytest.raises(DiagnosticError) as refused:
        open_store(Location(url, "shop"))
    assert told in refused.value.line


def test_a_bucket_that_is_missing_is_named() -> None:
    url = s3.moto().prefix().replace(s3.BUCKET, "no-such-bucket")
    with pytest.raises(DiagnosticError, match=r"the ledger s3://no-such-bucket/.* has no bucket"):
        open_store(Location(url, "shop"))


def test_a_newer_ledger_is_refused(url: str) -> None:
    with closing(ObjectLink(url)) as link:
        link.put("format.json", b'{"format": 2}')
    with pytest.raises(DiagnosticError, match="was written by a newer reconciler"):
        open_store(Location(url, "shop"))


def test_who_slept_through_a_prune_finds_no_name_free(url: str) -> None:
    with closing(open_store(Location(url, "shop"))) as sleeper, closing(open_store(Location(url, "shop"))) as other:
        lost = sleeper.take(claim("a"), LIFETIME)
        assert lost is not None
        assert sleeper.append([row("a")], 0, None)
        other.unlock()
        holder = other.take(claim("b"), LIFETIME)
        assert holder is not None
        assert other.append([row("b")], 1, None)
        assert other.compact([Stored(1, NOW, row("A"))], Snapshot(3, b"s"), Fence(holder.fence, running=True))
        assert not sleeper.append([row("z")], 1, Fence(lost.fence, running=False))
        assert not sleeper.append([row("z")], 1, None)
        assert [(stored.number, stored.row) for stored in sleeper.read(0).rows] == [(1, row("A"))]
        assert sleeper.snapshot() == Snapshot(3, b"s")
        assert sleeper.append([row("c")], 3, None)
        assert [stored.number for stored in other.read(3).rows] == [4]
        assert other.fetch([1, 2, 4]) == {1: row("A"), 4: row("c")}


@pytest.mark.parametrize("damage", ["missing", "cut", "another"])
def test_a_segment_that_is_missing_or_altered_is_damage(url: str, damage: str) -> None:
    with closing(open_at(Location(url, "shop"))) as ledger:
        holder = acquire_lease(ledger)
        ledger.begin(holder, run())
        for key in "ab":
            ledger.record_intents(holder, "run-1", operations(key), NOW)
    with closing(ObjectLink(url)) as link:
        names = [found.name for found in link.list_objects("shop/journal/")]
        found = link.get(names[-2])
        assert found is not None
        if damage == "missing":
            link.delete([names[-2]])
        else:
            link.put(names[-2], found.data[:-5] if damage == "cut" else b"{}")
    with closing(read_at(Location(url, "shop"))) as ledger, pytest.raises(DiagnosticError, match="is damaged"):
        ask_everything(ledger)
    with pytest.raises(DiagnosticError, match="is damaged"):
        examine_shared(url, "shop", NOW)


def test_a_lease_that_is_not_what_was_written_is_named(url: str) -> None:
    with closing(open_store(Location(url, "shop"))) as store, closing(ObjectLink(url)) as link:
        link.put("shop/lease.json", b'{"fence": 1}')
        with pytest.raises(DiagnosticError, match=r"the lease s3://.*/shop/lease.json is altered or damaged"):
            store.lease()
        link.delete(["shop/lease.json"])
        taken = store.take(claim("a"), LIFETIME)
        assert taken is not None


def test_a_fence_is_never_given_again_though_the_lease_was_removed(url: str) -> None:
    with closing(open_store(Location(url, "shop"))) as store, closing(ObjectLink(url)) as link:
        first = store.take(claim("a"), LIFETIME)
        link.delete(["shop/lease.json"])
        with closing(open_store(Location(url, "shop"))) as other:
            second = other.take(claim("b"), LIFETIME)
            assert first is not None
            assert second is not None
            assert second.fence == first.fence + 1
            assert not store.append([row("a")], 0, Fence(first.fence, running=True))
            other.unlock()
            third = other.take(claim("c"), LIFETIME)
            assert third is not None
            assert third.fence == second.fence + 1


@unsigned
def test_a_prefix_that_was_found_fit_is_not_tried_again(proxy: UnreliableStore, url: str) -> None:
    open_store(Location(url, "shop")).close()
    promises._ready.clear()
    proxy.ignored = "If-None-Match"
    open_store(Location(url, "shop")).close()


def test_whoever_takes_the_lease_from_whom_at_once_no_row_is_added_under_an_earlier_fence() -> None:
    url = s3.seaweedfs().prefix()

    def work(name: str) -> int:
        added = 0
        with closing(open_store(Location(url, "shop"))) as store:
            for number in range(5):
                holder = store.take(claim(f"{name}-{number}"), 0)  # it has lapsed at once: anybody may take it
                if holder is None:
                    continue
                for _ in range(3):
                    last = store.read(0).last
                    added += store.append([row(f"{holder.fence}")], last, Fence(holder.fence, running=False))
        return added

    with ThreadPoolExecutor(4) as pool:
        added = sum(pool.map(work, "abcd"))
    with closing(open_store(Location(url, "shop"), reading=True)) as store:
        fences = [int(json.loads(stored.row.body)[0]) for stored in store.read(0).rows]
    assert len(fences) == added > 8
    assert fences == sorted(fences)
