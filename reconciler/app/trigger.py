"""Triggers: what a run notifies of, and in which format; options of the commands that do."""

from enum import StrEnum


class Trigger(StrEnum):
    """The kinds of events."""

    DRIFT = "drift"
    """A service has changed, not the configuration."""
    APPLY_FAILED = "apply-failed"
    """An apply or destroy is incomplete."""
    CHECK_FAILED = "check-failed"
    """A check failed, or its query did."""
    RECOVERED = "recovered"
    """A check that failed passes again; sent only by commands that report changes alone."""
    DRILL_FAILED = "drill-failed"
    """A drill failed: a step, a check, or an alarm that may be left."""
    ERROR = "error"
    """The command ended with an error before it could report anything else."""
    DONE = "done"
    """Success."""


FAILURES = tuple(trigger for trigger in Trigger if trigger is not Trigger.DONE)
"""The events that are sent by default."""


class WebhookFormat(StrEnum):
    """The format of the request body."""

    JSON = "json"
    SLACK = "slack"
    CLOUDEVENTS = "cloudevents"
