"""The window of time of a query: what every data source has."""

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from reconciler.core.fields import Instant
from reconciler.providers.settings import Lookback


class Window(BaseModel):
    """What every data source has: a window in time, as a span that ends now or as two instants."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False, defer_build=True)

    lookback: Lookback | None = Field(
        None, description="How far back to query, at most 365d; by default the provider's `lookback`."
    )
    start: Instant | None = Field(None, description="The start of the time range, instead of `lookback`.")
    end: Instant | None = Field(None, description="The end of the time range; now by default.")

    @model_validator(mode="after")
    def _one_window(self) -> Self:
        if self.lookback is not None and self.start is not None:
            raise ValueError("give lookback or start, not both")
        if self.start is not None and self.start < 0:
            raise ValueError("start lies before 1970")
        if self.start is not None and self.end is not None and self.start >= self.end:
            raise ValueError("start must come before end")
        return self

    def since(self, now: int, lookback: int) -> int:
        """The start of the window (epoch ms); ``lookback`` (ms) is the provider's."""
        if self.start is not None:
            return self.start
        reach = self.lookback if self.lookback is not None else lookback
        return max(0, (self.end if self.end is not None else now) - reach)
