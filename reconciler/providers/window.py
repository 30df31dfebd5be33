"""The window of a query: how far back it looks, or from when to when."""

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from reconciler.core.duration import Instant
from reconciler.providers.settings import Lookback


class Window(BaseModel):
    """What every data source has: a window in time, as a span that ends now or as two instants."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False, defer_build=True)

    lookback: Lookback | None = Field(
        None, description="How far back to look, at most 365d; by default as far as the provider's `lookback` says."
    )
    start: Instant | None = Field(None, description="Look from this instant on, instead of `lookback`.")
    end: Instant | None = Field(None, description="Look up to this instant; by default up to now.")

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
        """The instant (epoch ms) the window begins at; ``lookback`` (ms) is the provider's."""
        if self.start is not None:
            return self.start
        reach = self.lookback if self.lookback is not None else lookback
        return max(0, (self.end if self.end is not None else now) - reach)
