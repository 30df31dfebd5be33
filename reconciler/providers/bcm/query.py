"""Queries of the alarm list (alarm history page, "Alarm History List"): every parameter of the page, typed."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from reconciler.core.data_source import NOTIFICATIONS, ItemField
from reconciler.providers.window import Window

PAGE_SIZE = 100
"""The maximum that the page allows."""

LEVELS = ("ALARM_LEVEL_NOTICE", "ALARM_LEVEL_WARNING", "ALARM_LEVEL_MAJOR", "ALARM_LEVEL_CRITICAL")

Text = Annotated[str, Field(min_length=1)]


class Resource(BaseModel):
    """One instance, or one task of a site monitor (page, "ResourceKV")."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)

    instance_id: Text | None = Field(None, description="The id of an instance.")
    task_id: Text | None = Field(None, description="The id of a site monitor task.")

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.instance_id is None and self.task_id is None:
            raise ValueError("give instance_id or task_id")
        return self

    def wire(self) -> dict[str, str]:
        found = {"InstanceId": self.instance_id, "taskId": self.task_id}
        return {key: value for key, value in found.items() if value is not None}


class BcmAlarmsQuery(Window):
    """Alarms in the history of Baidu Cloud Monitor, including those that are firing now."""

    model_config = ConfigDict(title="bcm_alarms")

    alarm_type: Literal["ALARM_TYPE_CLOUD", "ALARM_TYPE_SITE", "ALARM_TYPE_CUSTOM", "ALARM_TYPE_APP"] = Field(
        description="Which monitor raised them: of cloud products, sites, custom metrics or applications."
    )
    scope: Text | None = Field(None, description="The cloud product, such as BCE_BCC.")
    resource_type: Text | None = Field(None, description="The type of the monitored object, such as Instance.")
    states: list[Literal["OK", "ALERT", "INSUFFICIENT_DATA", "CLOSED"]] | None = Field(
        None, min_length=1, description="Their states; all by default."
    )
    level: Literal["ALARM_LEVEL_NOTICE", "ALARM_LEVEL_WARNING", "ALARM_LEVEL_MAJOR", "ALARM_LEVEL_CRITICAL"] | None = (
        Field(None, description="Their level; all by default.")
    )
    region: Text | None = Field(None, description="Their region, such as bj.")
    alarm_alias_name: Text | None = Field(None, description="A part of the policy's display name.")
    resource: Resource | None = Field(None, description="The one instance or task they are about.")
    resources: list[Resource] | None = Field(None, min_length=1, description="The instances or tasks they are about.")
    sort: Literal["startTime"] | None = Field(None, description="The field to sort by.")
    ascending: bool | None = Field(None, description="Sort the oldest first; by default the newest first.")
    details: bool = Field(
        False, description="Also fetch each alarm's details, for `initial_state` and `metrics` in expressions."
    )

    def body(self, user_id: str, since: int, page: int) -> dict[str, object]:
        """The request's JSON for one page (from 1), without unset values; ``since`` is epoch ms."""
        given: dict[str, object] = {
            "userId": user_id,
            "alarmType": self.alarm_type,
            "startTime": since,
            "endTime": self.end,
            "scope": self.scope,
            "resourceType": self.resource_type,
            "states": self.states,
            "sort": self.sort,
            "ascending": self.ascending,
            "level": self.level,
            "region": self.region,
            "alarmAliasName": self.alarm_alias_name,
            "resource": self.resource and self.resource.wire(),
            "resources": self.resources and [resource.wire() for resource in self.resources],
            "pageNo": page,
            "pageSize": PAGE_SIZE,
        }
        return {key: value for key, value in given.items() if value is not None}


FIELDS = {
    "id": ItemField("The alarm's id."),
    "series_id": ItemField("The id of the series it belongs to."),
    "user_id": ItemField("The account it belongs to."),
    "state": ItemField("OK, ALERT, INSUFFICIENT_DATA or CLOSED; others are kept as they are."),
    "initial_state": ItemField("The state it began in.", detail=True),
    "active": ItemField("Whether it has not ended."),
    "close_reason": ItemField("Why it was closed; may be there on one that was not."),
    "starts_at": ItemField("When it began, epoch milliseconds."),
    "ends_at": ItemField("When it ended, epoch milliseconds; null while it has not."),
    "level": ItemField("ALARM_LEVEL_NOTICE, _WARNING, _MAJOR or _CRITICAL, in this order.", LEVELS),
    "policy": ItemField("The display name of its policy."),
    "policy_id": ItemField("The name by which the service knows the policy."),
    "content": ItemField("What the policy says, in English where the service has that."),
    "policy_extra": ItemField("Further attributes of the policy."),
    "scope": ItemField("The cloud product."),
    "resource_type": ItemField("The type of the monitored object."),
    "region": ItemField("The region."),
    "instance_id": ItemField("The instance, whichever way the service spells its key."),
    "identifiers": ItemField("All that identifies the resource."),
    "properties": ItemField("Attributes of the resource."),
    NOTIFICATIONS: ItemField(
        "Its actions: type, name, alias, channels, callbacks, members, sent_at, and delivered: whether it was executed."
    ),
    "metrics": ItemField(
        "What triggered it: metric, alias, value, unit, dimensions, operator (OPER_TYPE_...), threshold, statistics, "
        "window, seq.",
        detail=True,
    ),
}
