"""Data sources of Alertmanager: the filters and items of alerts, silences and the state of each instance."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from reconciler.core.data_source import Item, ItemField
from reconciler.core.observed import STACK
from reconciler.providers.alertmanager.resource_types import ALERT_NAME, LabelValue
from reconciler.providers.alertmanager.silence_wire import comment_of, matchers_of, newest, state_of, told_by
from reconciler.providers.alertmanager.wire import annotations_of, labels_of, read_instant
from reconciler.providers.response import text

SilenceState = Literal["active", "pending", "expired"]
_QUERY = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)
Values = LabelValue | Annotated[list[LabelValue], Field(min_length=1)]


class AlertsQuery(BaseModel):
    """Alerts that have not ended, whoever pushed them."""

    model_config = ConfigDict(**_QUERY, title="alertmanager_alerts")

    labels: dict[Annotated[str, Field(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$")], Values] = Field(
        {}, description="Labels they have, each with its value or several."
    )
    matchers: list[Annotated[str, Field(min_length=1)]] = Field(
        [], description='Conditions on labels as the server writes them, such as `team!="shop"`; all of them hold.'
    )
    silenced: bool = Field(True, description="Whether those that are silenced count.")
    inhibited: bool = Field(True, description="Whether those that are inhibited count.")


class SilencesQuery(BaseModel):
    """Silences, whoever made them."""

    model_config = ConfigDict(**_QUERY, title="alertmanager_silences")

    state: SilenceState | Annotated[list[SilenceState], Field(min_length=1)] = Field(
        "active", description="Their state, or several: active, pending, expired."
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
        "silenced_by": ItemField("The ids of the silences that hold it back."),
        "inhibited_by": ItemField("The fingerprints of the alerts that hold it back."),
        "receivers": ItemField("The names of the receivers it is routed to."),
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
        labels, status = labels_of(alert), _mapping(alert.get("status"))
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
            "silenced_by": _texts(status.get("silencedBy")),
            "inhibited_by": _texts(status.get("inhibitedBy")),
            "receivers": [text(each.get("name")) for each in _mappings(alert.get("receivers"))],
            "instances": places[key],
        }


def silence_items(answers: Mapping[str, Sequence[Answered]]) -> Iterator[Item]:
    """Each silence once: the instances share them."""
    for silence, _ in newest(answers):
        yield {
            "id": text(silence.get("id")),
            "state": state_of(silence),
            "matchers": [str(each) for each in matchers_of(silence)],
            "starts_at": read_instant(silence.get("startsAt")),
            "ends_at": read_instant(silence.get("endsAt")),
            "updated_at": read_instant(silence.get("updatedAt")),
            "created_by": silence.get("createdBy"),
            "comment": comment_of(silence),
            "stack": told_by(silence).get(STACK),
        }


def status_item(instance: str, answer: Answered) -> Item:
    """The state of one instance."""
    cluster = _mapping(answer.get("cluster"))
    return {
        "id": instance,
        "version": _mapping(answer.get("versionInfo")).get("version"),
        "cluster": cluster.get("status"),
        "peers": len(_mappings(cluster.get("peers"))),
        "started_at": read_instant(answer.get("uptime")),
    }


def version_of(status: Answered) -> tuple[int, ...]:
    """The version of a server by its status, as numbers: ``(0, 25)``; empty if it tells none."""
    found = re.match(r"v?(\d+)\.(\d+)", text(_mapping(status.get("versionInfo")).get("version")))
    return tuple(map(int, found.groups())) if found else ()


def _mapping(value: object) -> Answered:
    return value if isinstance(value, dict) else {}


def _mappings(value: object) -> list[Answered]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _texts(value: object) -> list[str]:
    return [text(each) for each in value] if isinstance(value, list) else []
