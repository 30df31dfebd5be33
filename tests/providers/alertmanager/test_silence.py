"""The resource type of silences: what may be declared, how the marks travel, and what instances show of one."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest
from pydantic import ValidationError

from reconciler.core.address import Address
from reconciler.core.desired import DEFAULT_LIFECYCLE, Declaration, Desired, Lifecycle
from reconciler.core.duration import HOUR
from reconciler.core.observed import Marks, State
from reconciler.core.operation import Operation, Verb
from reconciler.emulator.settings import Settings
from reconciler.providers.alertmanager.silence import SILENCE, SilenceFields, parse_matcher, with_marked_comment
from reconciler.providers.alertmanager.silence_wire import comment_of, newest, observed_silence
from reconciler.providers.protocol import ErrorKind, ServiceError
from tests.providers.alertmanager.objects import NOW, STACK, desired, opened, push
from tests.providers.service import Asked, Reply, service

MATCHERS = ['instance="web-1"', "severity=~info|warning"]


def silence(name: str = "disk", lifecycle: Lifecycle = DEFAULT_LIFECYCLE, **fields: object) -> Desired:
    given = {"matchers": MATCHERS, "comment": "why", **fields}
    if "ends_at" not in given:
        given.setdefault("duration", "1h")
    return SILENCE.desired(
        Declaration(
            Address(SILENCE.name, name), SilenceFields.model_validate(given), "alertmanager", lifecycle=lifecycle
        )
    )


def post(of: Desired, begins_at: int = NOW, key: str = "key-1") -> Operation:
    payload, send_by = SILENCE.push(of, Marks(STACK, of.address, of.digest, key, "run-1"), begins_at)
    return Operation(key, of.address, "alertmanager", Verb.PUSH, payload, of.digest, send_by=send_by)


def shown(of: Desired, **more: object) -> dict[str, object]:
    """What an old server shows of a posted silence."""
    item = with_marked_comment(json.loads(post(of).payload))
    return {
        "id": "an-id",
        "status": {"state": "active"},
        "updatedAt": "2026-09-21T14:13:20.000Z",
        **{key: value for key, value in item.items() if key != "annotations"},
        **more,
    }


@pytest.mark.parametrize(
    ("text", "spelled"),
    [
        ("a=b", 'a="b"'),
        ('a = "b, c"', 'a="b, c"'),
        (r'a!~"x\"y\\z\n"', r'a!~"x\"y\\z\n"'),
        ("a=", 'a=""'),
        ("a=~b=c|d", 'a=~"b=c|d"'),
    ],
)
def test_a_matcher_has_one_spelling(text: str, spelled: str) -> None:
    assert str(parse_matcher(text)) == spelled
    assert str(parse_matcher(spelled)) == spelled


@pytest.mark.parametrize(
    "fields",
    [
        {"matchers": []},
        {"matchers": ["severity"]},
        {"matchers": ['a="b']},
        {"matchers": ['a=b"c']},
        {"matchers": ["1a=b"]},
        {"matchers": ['a=""']},
        {"comment": ""},
        {"comment": "a [reconciler {} b"},
        {"duration": "0s"},
        {"duration": None},
        {"ends_at": NOW, "duration": "1h"},
        {"starts_at": NOW, "ends_at": NOW, "duration": None},
    ],
)
def test_what_no_server_would_take_is_refused(fields: Mapping[str, object]) -> None:
    with pytest.raises(ValidationError):
        SilenceFields.model_validate({"matchers": MATCHERS, "comment": "why", "duration": "1h", **fields})


@pytest.mark.parametrize(
    ("renew_before", "fields"), [("1h", {}), ("1s", {"ends_at": NOW}), ("1s", {"starts_at": NOW, "duration": "2h"})]
)
def test_only_a_duration_can_be_renewed_and_not_all_the_time(renew_before: str, fields: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"lifecycle\.renew_before"):
        silence(lifecycle=Lifecycle.model_validate({"renew_before": renew_before}), **fields)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"comment": "two\n\nparagraphs \"quoted\"\n"},
        {"ends_at": NOW + HOUR},
        {"starts_at": NOW, "duration": "2h"},
        {"matchers": ['a="b, c=\\"d"', "e!=f"], "created_by": "ops"},
    ],
)  # fmt: skip
def test_what_is_shown_has_the_shape_of_what_is_declared(fields: dict[str, object]) -> None:
    one = silence(**fields)
    annotated = {**shown(one), **json.loads(post(one).payload)}
    for item in (shown(one), annotated):
        found = observed_silence(item, "alertmanager", STACK)
        assert found is not None
        assert (found.identity, found.attributes, found.state) == (one.identity, one.attributes, State.ACTIVE)
        assert found.marks.digest == one.digest
        assert comment_of(item) == one.attributes["comment"]


def test_a_silence_that_ended_before_its_time_was_expired_by_somebody() -> None:
    one = silence()
    for ends, state in (("2026-09-21T15:13:20.000Z", State.EXPIRED), ("2026-09-21T15:13:19.999Z", State.CLEARED)):
        found = observed_silence(shown(one, status={"state": "expired"}, endsAt=ends), "alertmanager", STACK)
        assert found is not None
        assert found.state is state


def test_of_what_instances_show_the_newest_counts() -> None:
    old, new = (
        {"id": "1", "updatedAt": "2026-05-01T12:00:00.000Z"},
        {"id": "1", "updatedAt": "2026-05-01T12:00:00.001Z"},
    )
    assert newest({"a": [old], "b": [new], "c": [new]}) == [(new, ("b", "c"))]


def test_a_silence_sent_again_is_not_posted_again(emulator) -> None:
    provider = opened([f"{emulator.url}/alertmanager"])
    first = provider.send([post(silence(), emulator.now())])
    assert provider.send([post(silence(), emulator.now())]) == first
    assert [each["method"] for each in emulator.requests() if each["path"].endswith("silences")].count("POST") == 1


def test_alerts_and_silences_of_one_batch_are_both_sent(emulator) -> None:
    provider = opened([f"{emulator.url}/alertmanager"])
    operations = [push(desired(), emulator.now(), "alert"), post(silence(), emulator.now(), "silence")]
    none, made = provider.send(operations)
    assert (none, made is None) == (None, False)
    assert {found.marks.key for found in provider.read_back(operations)} == {"alert", "silence"}
    assert {found.marks.key for found in provider.observe(STACK, [])} == {"alert", "silence"}


def test_of_several_silences_of_which_one_was_posted_the_rest_is_in_doubt(emulator) -> None:
    provider = opened([f"{emulator.url}/alertmanager"])
    emulator.fault("am-silence-put:status=503,nth=2")
    two = [post(silence(name), emulator.now(), name) for name in ("one", "two")]
    with pytest.raises(ServiceError) as raised:
        provider.send(two)
    assert raised.value.kind is ErrorKind.AMBIGUOUS
    assert [found.marks.key for found in provider.read_back(two)] == ["one"]


@pytest.mark.parametrize("emulator", [Settings(alertmanager_peers=2)], indirect=True)
def test_an_instance_that_is_down_is_passed_by_where_a_quorum_allows_it(emulator) -> None:
    provider = opened(["http://127.0.0.1:1", f"{emulator.url}/alertmanager-2"], quorum=1)
    operation = post(silence(), emulator.now())
    assert provider.send([operation]) != [None]
    [found] = provider.observe(STACK, [])
    gone = Operation("clear", found.marks.address, "alertmanager", Verb.CLEAR, SILENCE.clear(found, 0), target=found.id)
    provider.send([gone])
    assert list(provider.read_back([gone])) == []


def test_a_silence_that_one_instance_has_not_learnt_of_is_drift_there_and_not_yet_visible() -> None:
    one = silence()

    def lagging(_: Asked) -> Reply:
        return Reply(200, [])

    def knowing(asked: Asked) -> Reply:
        return Reply(200, [shown(one)] if asked.path.endswith("silences") else [])

    with service(knowing) as first, service(lagging) as second:
        provider = opened([first.url, second.url])
        [found] = provider.observe(STACK, [])
        assert found.missing_at == (second.url,)
        assert [each.marks.key for each in provider.read_back([post(one)])] == [""]
        assert provider.send([post(one)]) == ["an-id"]  # it has arrived: nothing is posted


def test_the_end_of_a_silence_that_nobody_knows_is_done(emulator) -> None:
    provider = opened([f"{emulator.url}/alertmanager"])
    payload = json.dumps({"id": "11111111-1111-4111-8111-111111111111"})
    gone = Operation("clear", Address(SILENCE.name, "x"), "alertmanager", Verb.CLEAR, payload, target="x")
    assert provider.send([gone]) == [None]
