"""The resource type: what is declared, and the items that raise and clear it."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from reconciler.core.desired import Declaration, Lifecycle
from reconciler.core.duration import HOUR, MINUTE
from reconciler.core.observed import Observed
from reconciler.drill.labels import label_type
from reconciler.drill.spec import LabelsSpec
from reconciler.providers.alertmanager import PROVIDER
from reconciler.providers.alertmanager.wire import observed
from tests.providers.alertmanager.objects import ALERT, NOW, STACK, clear, desired, marks, push

LABELS = {"severity": "critical", "instance": "web-1"}


def shown(of: object, **more: object) -> Observed:
    """What a server shows of a pushed item."""
    item = {**json.loads(push(of).payload), "fingerprint": "00f1", "updatedAt": "2026-05-01T12:00:00.000Z", **more}
    found = observed(item, "alertmanager", STACK, ALERT.name)
    assert found is not None
    return found


def test_the_name_of_the_resource_is_the_name_of_the_alert_unless_one_is_given() -> None:
    assert desired("Down").identity == {"alertname": "Down"}
    assert desired("Down", labels={"alertname": "DiskFull"}).identity == {"alertname": "DiskFull"}


def test_an_item_carries_stack_and_address_as_labels_and_the_other_marks_as_annotations() -> None:
    one = desired(key="eu", labels=LABELS, annotations={"summary": "it is down"}, timeout="1h")
    item = json.loads(push(one).payload)
    assert item["labels"] == {
        "alertname": "Down",
        **LABELS,
        "reconciler_stack": STACK,
        "reconciler_address": 'alertmanager_alert.Down["eu"]',
    }
    assert item["annotations"] == {
        "summary": "it is down",
        "reconciler_digest": one.digest,
        "reconciler_key": "key-1",
        "reconciler_run": "run-1",
        "reconciler_timeout": str(HOUR),
    }
    assert (item["startsAt"], item["endsAt"]) == ("2026-09-21T14:13:20.000Z", "2026-09-21T15:13:20.000Z")
    assert "generatorURL" not in item


def test_what_is_shown_has_the_shape_of_what_is_declared() -> None:
    one = desired(labels=LABELS, annotations={"a": ""}, generator_url="https://example.com/rule", timeout="1h")
    found = shown(one)
    assert (found.identity, found.attributes) == (one.identity, one.attributes)
    assert found.marks == marks(one)
    assert (found.starts_at, found.expires_at) == (NOW, NOW + HOUR)


def test_an_offset_of_a_time_changes_nothing() -> None:
    assert shown(desired(), startsAt="2026-09-21T16:13:20.000+02:00").starts_at == NOW


def test_a_clear_repeats_all_labels_and_annotations() -> None:
    found = shown(desired(labels=LABELS, annotations={"summary": "it is down"}))
    sent, item = json.loads(push(desired(labels=LABELS)).payload), json.loads(clear(found, NOW + MINUTE).payload)
    assert item["labels"] == sent["labels"]
    assert item["annotations"]["summary"] == "it is down"
    assert item["endsAt"] == "2026-09-21T14:14:20.000Z"
    assert "startsAt" not in item


def test_every_firing_has_an_id_of_its_own() -> None:
    one = desired()
    assert shown(one).id != shown(one, startsAt="2026-09-21T14:13:20.001Z").id


def test_starts_at_counts_and_must_not_lie_ahead() -> None:
    one = desired(starts_at="2026-09-21T14:00:00Z", timeout="1h")
    item = json.loads(push(one).payload)
    assert (item["startsAt"], item["endsAt"]) == ("2026-09-21T14:00:00.000Z", "2026-09-21T15:00:00.000Z")
    assert shown(one).attributes == one.attributes
    with pytest.raises(ValueError, match="which is in the future"):
        push(desired(starts_at="2026-09-21T14:13:21Z"))


def test_an_alert_must_be_sent_before_it_is_over() -> None:
    assert push(desired(timeout="1h")).send_by == NOW + HOUR - 1_000


@pytest.mark.parametrize(("timeout", "ends_first"), [("59m", True), ("1h", False), ("2h", False)])
def test_only_a_shorter_timeout_needs_a_clear_first(timeout: str, *, ends_first: bool) -> None:
    found = shown(desired(timeout="1h"))
    assert ALERT.must_end_first(desired(timeout=timeout), found, NOW) is ends_first


@pytest.mark.parametrize(
    "fields",
    [
        {"labels": {"": "x"}},
        {"labels": {"reconciler_stack": "x"}},
        {"labels": {"empty": ""}},
        {"labels": {"half": "\ud83d"}},
        {"labels": {"\ud83d": "x"}},
        {"annotations": {"half": "\udca9"}},
        {"generator_url": "rule"},
        {"generator_url": "https://example.com/a b"},
        {"timeout": "0s"},
        {"timeout": "366d"},
        {"severity": "critical"},
    ],
)
def test_what_the_server_would_refuse_or_change_is_refused_before_it_is_sent(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        desired(**fields)


def test_a_renewal_all_the_time_and_an_occurrence_are_refused() -> None:
    with pytest.raises(ValueError, match="must be shorter than timeout"):
        desired(timeout="5m", lifecycle=Lifecycle.model_validate({"renew_before": "5m"}))
    one = desired()
    with pytest.raises(ValueError, match="occurrence is for events"):
        ALERT.desired(Declaration(one.address, ALERT.model(), "alertmanager", occurrence="1", lifecycle=one.lifecycle))


@pytest.mark.parametrize(
    "labels",
    [
        {"reconciler_stack": "another"},
        {"reconciler_stack": STACK},
        {"reconciler_stack": STACK, "reconciler_address": "?"},
        {"reconciler_stack": STACK, "reconciler_address": "aom_alarm.a"},
        {},
    ],
)
def test_what_is_not_this_stacks_or_too_odd_is_left_alone(labels: dict[str, str]) -> None:
    item = {"labels": {"alertname": "x", **labels}, "startsAt": "2026-05-01T12:00:00Z"}
    assert observed(item, "alertmanager", STACK, ALERT.name) is None


def test_what_a_drill_raises_carries_its_name_as_a_label_and_as_an_annotation() -> None:
    model = label_type(ALERT, "outage", LabelsSpec()).model
    fields = model.model_validate({"labels": {"severity": "critical"}}).model_dump()
    assert fields["labels"] == {"severity": "critical", "drill": "outage"}
    assert fields["annotations"]["drill"] == "This is part of the drill outage."


def test_a_shorter_timeout_is_one_payload_of_a_clear_and_a_push() -> None:
    found = shown(desired(labels=LABELS, timeout="1h"))
    payload, _ = ALERT.push_anew(desired(labels=LABELS, timeout="5m"), marks(desired(), "new"), NOW + MINUTE, found)
    cleared, pushed = json.loads(payload)
    assert cleared["labels"] == pushed["labels"]
    assert cleared["endsAt"] == pushed["startsAt"] == "2026-09-21T14:14:20.000Z"
    assert pushed["annotations"]["reconciler_key"] == "new"


def test_with_marks_as_annotations_the_labels_are_those_declared() -> None:
    settings = PROVIDER.settings.model_validate({"endpoints": ["http://localhost:9093"], "marks": "annotations"})
    plain = desired(labels=LABELS)
    one = ALERT.under(plain, settings)
    item = json.loads(push(one).payload)
    assert item["labels"] == {"alertname": "Down", **LABELS}
    assert item["annotations"]["reconciler_stack"] == STACK
    found = shown(one)
    assert (found.identity, found.attributes, found.marks) == (one.identity, one.attributes, marks(one))
    assert json.loads(ALERT.clear(found, NOW))["labels"] == item["labels"]
    assert ALERT.must_end_first(one, shown(plain), NOW)
