"""Data sources of AOM: queries of alarms, events and their statistics (query page, tables 2 to 6), typed."""

from collections.abc import Mapping
from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from reconciler.core.data_source import NOTIFICATIONS, ItemField
from reconciler.core.desired import SEVERITIES
from reconciler.core.duration import MINUTE
from reconciler.providers.aom.settings import MAX_STEPS
from reconciler.providers.settings import PositiveDuration
from reconciler.providers.window import Window

Text = Annotated[str, Field(min_length=1)]
TextOrList = Text | Annotated[list[Text], Field(min_length=1)]


class Relation(BaseModel):
    """One condition on a metadata key (table 6); a key with several values matches any of them."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)

    key: Text = Field(description="A key of the metadata.")
    value: list[Text] = Field(min_length=1, description="The values to match.")
    relation: Literal["AND", "OR", "NOT"] = Field("AND", description="How it is combined with the other conditions.")


class Sort(BaseModel):
    """The order of the result (table 5)."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)

    order_by: list[Text] = Field(min_length=1, description="The fields to sort by.")
    order: Literal["asc", "desc"] = Field("desc", description="Ascending or descending.")


class AomQuery(Window):
    """The filters that alarms, events and statistics have in common."""

    event_name: TextOrList | None = Field(None, description="Their name, or a list of names.")
    event_severity: TextOrList | None = Field(
        None, description="Their severity, or a list of them: Critical, Major, Minor, Info."
    )
    resource_provider: TextOrList | None = Field(
        None, description="The cloud service they are about, or a list of them."
    )
    resource_type: TextOrList | None = Field(
        None, description="The type of resource they are about, or a list of them."
    )
    resource_id: TextOrList | None = Field(
        None, description="The id of the resource they are about, or a list of them."
    )
    metadata: dict[Text, TextOrList] = Field(
        {}, description="Other keys of the metadata, each with one value or several."
    )
    metadata_relation: list[Relation] = Field(
        [], description="Conditions on the metadata in the service's syntax, with OR and NOT."
    )
    search: str | None = Field(None, description="A text to find in the values of the metadata.")
    enterprise_project_id: Text | None = Field(
        None, description="The enterprise project to query; all_granted_eps means all of them."
    )
    step: PositiveDuration | None = Field(None, description="The statistical step; by default the finest allowed.")

    @property
    def event_type(self) -> str | None:
        """The event type, if the query is limited to one."""
        return None

    @property
    def state(self) -> str | None:
        """The query parameter ``type``; None for both."""
        return None

    def wanted(self) -> dict[str, list[str]]:
        """The required metadata: for every key, one of its values."""
        named = {
            "event_type": self.event_type,
            "event_name": self.event_name,
            "event_severity": self.event_severity,
            "resource_provider": self.resource_provider,
            "resource_type": self.resource_type,
            "resource_id": self.resource_id,
            **self.metadata,
        }
        return {
            key: [values] if isinstance(values, str) else list(values)
            for key, values in named.items()
            if values is not None
        }

    def body(self, now: int, lookback: int) -> dict[str, object]:
        """The request's JSON; ``now`` and ``lookback`` are milliseconds."""
        time_range, minutes = self._range(now, lookback)
        step = self.step or max(1, -(-minutes // MAX_STEPS)) * MINUTE
        relations = [{"key": key, "value": values, "relation": "AND"} for key, values in self.wanted().items()]
        relations += [relation.model_dump() for relation in self.metadata_relation]
        return {
            "time_range": time_range,
            "step": step,
            "search": self.search or "",
            "sort": {"order_by": ["starts_at"], "order": "desc"},
            "metadata_relation": relations,
        }

    def _range(self, now: int, lookback: int) -> tuple[str, int]:
        """``time_range`` and its minutes; a span that ends now is by the service's clock, not by ours."""
        if self.start is None and self.end is None:
            reach = self.lookback if self.lookback is not None else lookback
            minutes = max(1, -(-reach // MINUTE))
            return f"-1.-1.{minutes}", minutes
        start = self.since(now, lookback)
        if self.end is None:
            # One minute more than needed, for a service whose clock is ahead; it uses its own current time as the end.
            minutes = max(1, -(-(now - start) // MINUTE) + 1)
            return f"{start}.-1.{minutes}", minutes
        minutes = max(1, -(-(self.end - start) // MINUTE))
        return f"{start}.{self.end}.{minutes}", minutes


class AomAlarmsQuery(AomQuery):
    """Alarms in Huawei Cloud AOM."""

    model_config = ConfigDict(title="aom_alarms")

    type: Literal["active_alert", "history_alert", "any"] = Field(
        "active_alert", description="Those that are firing now, those that ended, or both."
    )
    sort: Sort | None = Field(None, description="Their order; by default the latest start first.")

    @property
    def event_type(self) -> str:
        return "alarm"

    @property
    def state(self) -> str | None:
        return None if self.type == "any" else self.type

    def body(self, now: int, lookback: int) -> dict[str, object]:
        return _sorted(super().body(now, lookback), self.sort)


class AomEventsQuery(AomQuery):
    """Events recorded in Huawei Cloud AOM."""

    model_config = ConfigDict(title="aom_events")

    sort: Sort | None = Field(None, description="Their order; the latest first by default.")

    @property
    def event_type(self) -> str:
        return "event"

    def body(self, now: int, lookback: int) -> dict[str, object]:
        return _sorted(super().body(now, lookback), self.sort)


class AomStatisticsQuery(AomQuery):
    """How many alarms and events of each severity there were in Huawei Cloud AOM."""

    model_config = ConfigDict(title="aom_statistics")

    type: Literal["active_alert", "history_alert", "any"] = Field(
        "any", description="Count those that are firing now, those that ended, or both."
    )
    count: Literal["alarm", "event", "any"] = Field("any", description="Count alarms, events, or both.")

    @property
    def event_type(self) -> str | None:
        return None if self.count == "any" else self.count

    @property
    def state(self) -> str | None:
        return None if self.type == "any" else self.type


def _sorted(body: dict[str, object], sort: Sort | None) -> dict[str, object]:
    return body if sort is None else {**body, "sort": sort.model_dump()}


_EVENT = {
    "id": ItemField("The service's id."),
    "event_sn": ItemField("The serial number by which notifications are kept."),
    "event_name": ItemField("Its name."),
    "event_severity": ItemField("Info, Minor, Major or Critical, in this order.", SEVERITIES),
    "event_type": ItemField("alarm or event."),
    "resource_provider": ItemField("The cloud service it is about."),
    "resource_type": ItemField("The type of resource it is about."),
    "resource_id": ItemField("The id of the resource it is about."),
    "metadata": ItemField("All of its metadata."),
    "annotations": ItemField("Its annotations, such as message."),
    "attach_rule": ItemField("A field the service reserves."),
    "enterprise_project_id": ItemField("The enterprise project it belongs to."),
    "starts_at": ItemField("When it began, epoch milliseconds."),
    "arrives_at": ItemField("When the service got it, epoch milliseconds."),
}
ALARM_FIELDS = {
    **_EVENT,
    "active": ItemField("Whether it has not ended."),
    "ends_at": ItemField("When it ended, epoch milliseconds; null while it has not."),
    "timeout": ItemField("After how many milliseconds the service clears it by itself."),
    NOTIFICATIONS: ItemField(
        "Who was notified: rule, channel, topic, code, members, sent_at, and delivered: whether the message service "
        "answered 2xx.",
        detail=True,
    ),
}
STATISTIC_FIELDS = {
    "event_severity": ItemField("Info, Minor, Major or Critical, in this order.", SEVERITIES),
    "total": ItemField("How many there were in the whole window."),
    "values": ItemField("How many there were in each step."),
    "timestamps": ItemField("The beginning of each step, epoch milliseconds."),
    "step": ItemField("How long a step is, in milliseconds."),
}


class AomSource(NamedTuple):
    """A data source of AOM: one of its queries, with the model of its filters and the fields of its items."""

    name: str
    summary: str
    model: type[AomQuery]
    fields: Mapping[str, ItemField]


ALARMS = AomSource("aom_alarms", "alarms in Huawei Cloud AOM, firing or ended", AomAlarmsQuery, ALARM_FIELDS)
EVENTS = AomSource("aom_events", "events recorded in Huawei Cloud AOM", AomEventsQuery, _EVENT)
STATISTICS = AomSource("aom_statistics", "numbers of alarms by severity", AomStatisticsQuery, STATISTIC_FIELDS)
