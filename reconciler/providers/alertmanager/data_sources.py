"""Data sources of Alertmanager: alerts, silences and the state of each instance, typed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from reconciler.core.data_source import ItemField
from reconciler.providers.alertmanager.fields import LabelValue

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
        "comment": ItemField("Why."),
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
