"""Data sources of Alertmanager: the filters and items of alerts, silences and the state of each instance."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from reconciler.core.data_source import Item, ItemField
from reconciler.core.observed import STACK
from reconciler.providers.alertmanager.resource_types import ALERT_NAME, LabelValue
from reconciler.providers.alertmanager.silence_wire import comment_of, matchers_of, newest, state_of, told_by
from reconciler.providers.alertmanager.wire import annotations_of, labels_of, read_instant
from reconciler.providers.response import mapping, mappings, text

SilenceState = Literal["active", "pending", "expired"]
_QUERY = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)
Values = LabelValue | Annotated[list[LabelValue], Field(min_length=1)]


class AlertsQuery(BaseModel):
    """Alerts that have not ended, no matter who pushed them."""

    model_config = ConfigDict(**_QUERY, title="alertmanager_alerts")

    labels: dict[Annotated[str, Field(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$")], Values] = Field(
        {}, description="Labels they must have, each with one value or several."
    )
    matchers: list[Annotated[str, Field(min_length=1)]] = Field(
        [], description='Conditions on labels in the syntax of Alertmanager, such as `team!="shop"`; all must hold.'
    )
    silenced: bool = Field(True, description="Whether to include silenced alerts.")
    inhibited: bool = Field(True, description="Whether to include inhibited alerts.")


class GroupsQuery(AlertsQuery):
    """Groups of alerts, as the server notifies them."""

    model_config = ConfigDict(**_QUERY, title="alertmanager_groups")

    receiver: str | None = Field(
        None, min_length=1, description="Only groups for this receiver; a regular expression for the whole name."
    )


class SilencesQuery(BaseModel):
    """Silences, no matter who created them."""

    model_config = ConfigDict(**_QUERY, title="alertmanager_silences")

    state: SilenceState | Annotated[list[SilenceState], Field(min_length=1)] = Field(
        "active", description="Their state, or a list of them: active, pending, expired."
    )


class StatusQuery(BaseModel):
    """The state of every instance under `endpoints`."""

    model_config = ConfigDict(**_QUERY, title="alertmanager_status")


class AlertmanagerSource(NamedTuple):
    """A data source of Alertmanager."""

    name: str
    summary: str
    model: type[BaseModel]
    fields: Mapping[str, ItemField]


ALERTS = AlertmanagerSource(
    "alertmanager_alerts",
    "alerts in Alertmanager that have not ended",
    AlertsQuery,
    {
        "id": ItemField("Its fingerprint: a hash of its labels."),
        "alertname": ItemField("The label alertname."),
        "severity": ItemField("The label severity."),
        "labels": ItemField("All of its labels."),
        "annotations": ItemField("Its annotations, such as summary."),
        "generator_url": ItemField("A URL that leads to what raised it."),
        "starts_at": ItemField("When it began, epoch milliseconds."),
        "ends_at": ItemField("When it ends by itself, epoch milliseconds."),
        "updated_at": ItemField("When it was posted last, epoch milliseconds."),
        "state": ItemField("active, suppressed (silenced or inhibited) or unprocessed."),
        "silenced": ItemField("Whether a silence holds it back."),
        "inhibited": ItemField("Whether another alert holds it back."),
        "silenced_by": ItemField("The ids of the silences that hold it back."),
        "inhibited_by": ItemField("The fingerprints of the alerts that hold it back."),
        "receivers": ItemField("The names of the receivers it is routed to."),
        "instances": ItemField("The instances that show it."),
    },
)
GROUPS = AlertmanagerSource(
    "alertmanager_groups",
    "groups of alerts in Alertmanager, as it notifies them",
    GroupsQuery,
    {
        "id": ItemField("Its receiver and labels in one text."),
        "receiver": ItemField("The receiver it is notified to."),
        "labels": ItemField("The labels it is grouped by."),
        "size": ItemField("How many alerts it has."),
        "active": ItemField("How many of them are notified."),
        "silenced": ItemField("How many of them silences hold back."),
        "inhibited": ItemField("How many of them other alerts hold back."),
        "alerts": ItemField("Its alerts, each with the fields of `alertmanager_alerts`."),
        "instances": ItemField("The instances that show it."),
    },
)
SILENCES = AlertmanagerSource(
    "alertmanager_silences",
    "silences in Alertmanager",
    SilencesQuery,
    {
        "id": ItemField("Its id."),
        "state": ItemField("active, pending or expired."),
        "matchers": ItemField('What it silences, a list of texts such as `severity="warning"`.'),
        "starts_at": ItemField("When it begins, epoch milliseconds."),
        "ends_at": ItemField("When it ends, epoch milliseconds."),
        "duration": ItemField("How long it lasts from its beginning to its end, milliseconds."),
        "updated_at": ItemField("When it was changed last, epoch milliseconds."),
        "created_by": ItemField("Who made it."),
        "comment": ItemField("Why, without the marks behind it."),
        "stack": ItemField("The stack that declares it, if one does."),
    },
)
STATUS = AlertmanagerSource(
    "alertmanager_status",
    "the state of every Alertmanager under endpoints",
    StatusQuery,
    {
        "id": ItemField("The endpoint, as configured."),
        "version": ItemField("The version of the server."),
        "cluster": ItemField("ready, settling, or disabled where it runs alone."),
        "peers": ItemField("How many members of the cluster it sees, itself among them; 0 where it runs alone."),
        "started_at": ItemField("When it started, epoch milliseconds: alerts pushed before are lost."),
    },
)


Answered = Mapping[str, object]


def alert_items(answers: Mapping[str, Sequence[Answered]]) -> Iterator[Item]:
    """Each alert once, with the instances that show it."""
    places: dict[str, list[str]] = {}
    first: dict[str, Answered] = {}
    for instance, alerts in answers.items():
        for alert in alerts:
            key = text(alert.get("fingerprint"))
            first.setdefault(key, alert)
            places.setdefault(key, []).append(instance)
    for key, alert in first.items():
        labels, status = labels_of(alert), mapping(alert.get("status"))
        yield {
            "id": key,
            "alertname": labels.get(ALERT_NAME),
            "severity": labels.get("severity"),
            "labels": labels,
            "annotations": annotations_of(alert),
            "generator_url": alert.get("generatorURL") or None,
            "starts_at": read_instant(alert.get("startsAt")),
            "ends_at": read_instant(alert.get("endsAt")),
            "updated_at": read_instant(alert.get("updatedAt")),
            "state": status.get("state"),
            "silenced": bool(_texts(status.get("silencedBy"))),
            "inhibited": bool(_texts(status.get("inhibitedBy"))),
            "silenced_by": _texts(status.get("silencedBy")),
            "inhibited_by": _texts(status.get("inhibitedBy")),
            "receivers": [text(each.get("name")) for each in mappings(alert.get("receivers"))],
            "instances": places[key],
        }


def group_items(answers: Mapping[str, Sequence[Answered]]) -> Iterator[Item]:
    """Each group once, with the alerts that any instance shows in it."""
    found: dict[str, tuple[str, Mapping[str, str], dict[str, list[Answered]]]] = {}
    for instance, groups in answers.items():
        for group in groups:
            receiver = text(mapping(group.get("receiver")).get("name"))
            labels = labels_of(group)
            key = f"{receiver}: {{{', '.join(f'{name}={json.dumps(labels[name])}' for name in sorted(labels))}}}"
            alerts = found.setdefault(key, (receiver, labels, {}))[2]
            alerts.setdefault(instance, []).extend(mappings(group.get("alerts")))
    for key, (receiver, grouped_by, shown) in found.items():
        alerts_found = list(alert_items(shown))
        yield {
            "id": key,
            "receiver": receiver,
            "labels": grouped_by,
            "size": len(alerts_found),
            "active": sum(alert["state"] == "active" for alert in alerts_found),
            "silenced": sum(alert["silenced"] is True for alert in alerts_found),
            "inhibited": sum(alert["inhibited"] is True for alert in alerts_found),
            "alerts": alerts_found,
            "instances": list(shown),
        }


def silence_items(answers: Mapping[str, Sequence[Answered]]) -> Iterator[Item]:
    """Each silence once, since the instances share them."""
    for silence, _ in newest(answers):
        begins, ends = (read_instant(silence.get(name)) for name in ("startsAt", "endsAt"))
        yield {
            "id": text(silence.get("id")),
            "state": state_of(silence),
            "matchers": [str(each) for each in matchers_of(silence)],
            "starts_at": begins,
            "ends_at": ends,
            "duration": None if begins is None or ends is None else ends - begins,
            "updated_at": read_instant(silence.get("updatedAt")),
            "created_by": silence.get("createdBy"),
            "comment": comment_of(silence),
            "stack": told_by(silence).get(STACK),
        }


def status_item(instance: str, answer: Answered) -> Item:
    """The state of one instance."""
    cluster = mapping(answer.get("cluster"))
    return {
        "id": instance,
        "version": mapping(answer.get("versionInfo")).get("version"),
        "cluster": cluster.get("status"),
        "peers": len(mappings(cluster.get("peers"))),
        "started_at": read_instant(answer.get("uptime")),
    }


def version_of(status: Answered) -> tuple[int, ...]:
    """A server's version from its status, as numbers: ``(0, 25)``; empty if unknown."""
    found = re.match(r"v?(\d+)\.(\d+)", text(mapping(status.get("versionInfo")).get("version")))
    return tuple(map(int, found.groups())) if found else ()


def _texts(value: object) -> list[str]:
    return [text(each) for each in value] if isinstance(value, list) else []
