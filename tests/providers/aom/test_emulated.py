"""The AOM provider against the emulator, in each way the API pages can be read."""

from __future__ import annotations

import pytest

from reconciler.core.duration import HOUR, MINUTE, SECOND
from reconciler.core.observed import State
from reconciler.emulator.settings import Settings
from reconciler.providers.protocol import ErrorKind, ServiceError
from tests.providers.aom.objects import ALARM, EVENT, STACK, clear, desired, marks, opened, push


def active(provider, stack: str = STACK) -> list[str]:
    return sorted(str(found.marks.address) for found in provider.observe(stack, []))


@pytest.fixture
def provider(emulator):
    made = opened(emulator.url)
    yield made
    made.close()


def test_what_is_pushed_is_observed_as_it_was_desired(emulator, provider) -> None:
    wanted = desired(
        "p99",
        'ecs "1"\n磁盘',
        metadata={"team": "checkout", "Größe": "x" * 2048},
        annotations={"message": "slow", "steps": [1, {"a": None}]},
        timeout="30m",
    )
    now = emulator.now()
    provider.send([push(wanted, starts_at=now)])
    [found] = provider.observe(STACK, [])
    assert found.identity == wanted.identity
    assert found.attributes == {**wanted.attributes, "attach_rule": {}}
    assert found.marks == marks(wanted)
    assert (found.provider, found.state, found.starts_at, found.ended_at) == ("aom", State.ACTIVE, now, None)
    assert found.expires_at == now + 30 * MINUTE


def test_a_clear_really_clears(emulator, provider) -> None:
    provider.send([push(desired("a"), starts_at=emulator.now()), push(desired("b"), starts_at=emulator.now())])
    found = {one.marks.address.name: one for one in provider.observe(STACK, [])}
    provider.send([clear(found["a"], emulator.now())])
    assert active(provider) == ["aom_alarm.b"]
    assert [alarm["metadata"]["event_name"] for alarm in emulator.active_alarms()] == ["b"]
    assert len(emulator.alarms()) == 2


@pytest.mark.parametrize(
    "emulator", [Settings(clear_by="id-and-metadata", clear_needs_id=True, error_text="error_message")], indirect=True
)
def test_a_clear_is_taken_by_a_service_that_wants_all_of_it(emulator, provider) -> None:
    provider.send([push(desired(metadata={"team": "x"}), starts_at=emulator.now())])
    [found] = provider.observe(STACK, [])
    provider.send([clear(found, emulator.now())])
    assert active(provider) == []


def test_every_page_is_read(emulator) -> None:
    provider = opened(emulator.url, page_size=7)
    now = emulator.now()
    provider.send([push(desired(f"a{n}"), starts_at=now) for n in range(50)])
    assert len(active(provider)) == 50
    assert len(emulator.requests("query")) == 8


def test_other_stacks_and_other_projects_are_not_seen(emulator, provider) -> None:
    other = opened(emulator.url, project_id="elsewhere")
    now = emulator.now()
    provider.send([push(desired("mine"), starts_at=now), push(desired("mine"), "theirs", starts_at=now)])
    other.send([push(desired("far"), starts_at=now)])
    assert active(provider) == active(provider, "theirs") == ["aom_alarm.mine"]
    assert active(other) == ["aom_alarm.far"]
    assert [one.marks.stack for one in provider.observe(STACK, [])] == [STACK]


def test_enterprise_projects_are_kept_apart(emulator, provider) -> None:
    other = opened(emulator.url, enterprise_project_id="ep-1")
    other.send([push(desired("there"), starts_at=emulator.now())])
    assert active(other) == ["aom_alarm.there"]
    assert active(provider) == []


@pytest.mark.parametrize("emulator", [Settings(on_repeat="duplicate"), Settings(on_repeat="merge")], indirect=True)
def test_a_repeated_push_shows_as_the_service_takes_it(emulator, provider, request: pytest.FixtureRequest) -> None:
    wanted = desired()
    for key in ("one", "two"):
        provider.send([push(wanted, key=key, starts_at=emulator.now())])
        emulator.advance(MINUTE)
    keys = sorted(found.marks.key for found in provider.read_back([push(wanted)]))
    assert keys in (["two"], ["one", "two"])
    assert len(keys) == len(emulator.active_alarms())


@pytest.mark.parametrize("emulator", [Settings(timeout_from="arrival"), Settings()], indirect=True)
def test_history_tells_expired_from_cleared(emulator, provider) -> None:
    now = emulator.now()
    provider.send([push(desired(name, timeout="10m"), starts_at=now - MINUTE) for name in ("expires", "cleared")])
    emulator.advance(3 * MINUTE)
    [found] = [one for one in provider.observe(STACK, []) if one.marks.address.name == "cleared"]
    provider.send([clear(found, now + 3 * MINUTE)])
    emulator.advance(HOUR)
    assert active(provider) == []
    addresses = [desired(name).address for name in ("expires", "cleared")]
    states = {one.marks.address.name: one.state for one in provider.history(STACK, addresses)}
    assert states == {"expires": State.EXPIRED, "cleared": State.CLEARED}
    assert [one.marks.address.name for one in provider.history(STACK, addresses)] == ["expires", "cleared"]


def test_an_event_is_on_record_with_its_occurrence(emulator, provider) -> None:
    event = desired("released", type_=EVENT, occurrence="v1.2")
    provider.send([push(event, starts_at=emulator.now())])
    assert list(provider.observe(STACK, [desired()])) == []
    [found] = provider.observe(STACK, [event])
    assert found.state is State.RECORDED
    assert found.marks == marks(event)
    assert [one.marks.occurrence for one in provider.read_back([push(event)])] == ["v1.2"]


def test_an_alarm_that_began_long_ago_is_found(emulator, provider) -> None:
    short = opened(emulator.url, lookback="5m")
    old = desired("old", starts_at=emulator.now() - 40 * HOUR, timeout="15d")
    coming = desired("coming", starts_at=emulator.now() + 2 * HOUR)
    short.send([push(old), push(coming)])
    assert {one.marks.address.name for one in short.observe(STACK, [old, coming])} == {"old", "coming"}
    assert {one.marks.address.name for one in short.read_back([push(old), push(coming)])} == {"old", "coming"}


@pytest.mark.parametrize("emulator", [Settings(visible_after=30 * SECOND)], indirect=True)
def test_a_write_the_service_does_not_show_yet_is_not_seen(emulator, provider) -> None:
    operation = push(desired(), starts_at=emulator.now())
    provider.send([operation])
    assert list(provider.read_back([operation])) == []
    emulator.advance(31 * SECOND)
    assert [found.marks.key for found in provider.read_back([operation])] == ["key-1"]


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("push:status=400", ErrorKind.REJECTED),
        ("push:status=403", ErrorKind.DENIED),
        ("push:status=408", ErrorKind.AMBIGUOUS),
        ("push:status=429", ErrorKind.BUSY),
        ("push:status=500", ErrorKind.AMBIGUOUS),
        ("push:status=503", ErrorKind.BUSY),
    ],
)
def test_each_refusal_has_its_meaning(emulator, provider, fault: str, kind: ErrorKind) -> None:
    emulator.fault(fault)
    with pytest.raises(ServiceError) as caught:
        provider.send([push(desired(), starts_at=emulator.now())])
    assert caught.value.kind is kind
    assert caught.value.detail.status == int(fault.rsplit("=", 1)[1])
    assert caught.value.detail.message


def test_a_bad_event_is_refused_with_the_words_of_the_service(emulator, provider) -> None:
    good = push(desired(), starts_at=emulator.now())
    bad = good._replace(payload=good.payload.replace('"Major"', '"Huge"'))
    with pytest.raises(ServiceError) as caught:
        provider.send([good, bad])
    assert caught.value.kind is ErrorKind.REJECTED
    assert caught.value.detail.code
    assert active(provider) == []


def test_a_thousand_pushes_are_taken_in_one_request(emulator, provider) -> None:
    now = emulator.now()
    provider.send([push(desired(f"a{n}"), starts_at=now) for n in range(1000)])
    assert len(emulator.requests("push")) == 1
    assert len(active(provider)) == 1000


def test_the_most_metadata_the_model_allows_is_taken_by_the_service(emulator, provider) -> None:
    now = emulator.now()
    full = desired("full", metadata={f"k{n}": "v" * 2048 for n in range(22)})
    event = desired("full", type_=EVENT, metadata={f"k{n}": "v" for n in range(21)})
    provider.send([push(full, starts_at=now), push(event, starts_at=now)])
    assert len(emulator.alarms()) == 2
    assert ALARM.name == full.address.type
