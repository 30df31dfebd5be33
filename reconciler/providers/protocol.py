"""The protocol between the reconciler and a service: what a provider must implement, and why."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from enum import Enum
from typing import NamedTuple, Protocol, runtime_checkable

from pydantic import BaseModel

from reconciler.core.address import Address
from reconciler.core.data_source import Item
from reconciler.core.delivery import DeliveryLog, DeliveryQuery
from reconciler.core.desired import Desired
from reconciler.core.diagnostic import Position
from reconciler.core.duration import MINUTE, SECOND
from reconciler.core.observed import Observed, UnmanagedAlarm
from reconciler.core.operation import Operation, ServiceErrorDetail
from reconciler.core.resource_type import ResourceType


class ErrorKind(Enum):
    """What an error means for the request that met it (rule 8)."""

    REJECTED = "rejected"
    """The service read the request and rejected it: nothing was stored, or only its valid items (400, 413, 422)."""
    DENIED = "denied"
    """The service rejected the credentials (401, 403): the run stops."""
    BUSY = "busy"
    """The service asks to wait (429, 503): nothing was stored; send again after ``retry_after``."""
    UNSENT = "unsent"
    """The request never left (no such host, connection refused, TLS refused): nothing was stored."""
    AMBIGUOUS = "ambiguous"
    """It may or may not have been stored (time-out, cut connection, 408, 500 and other 5xx): query before sending
    again.
    """


class ServiceError(Exception):
    """A request that did not succeed; ``retry_after`` is how long (ms) the service asks to wait.

    ``reading`` tells that the request changes nothing at the service; ``cut``, that the connection was cut on the way,
    here or behind a gateway (502, 504), so that the same request may well succeed.

    ``provider`` and ``position`` are the key and the place of the provider's block, where whoever asked knows them.
    """

    provider: str | None = None
    position: Position | None = None

    def __init__(
        self,
        kind: ErrorKind,
        detail: ServiceErrorDetail,
        retry_after: int | None = None,
        *,
        reading: bool = False,
        cut: bool = False,
    ) -> None:
        super().__init__(str(detail))
        self.reading = reading
        self.cut = cut
        self.kind = kind
        self.detail = detail
        self.retry_after = retry_after


_departing: ContextVar[Callable[[], None]] = ContextVar("departing", default=lambda: None)


@contextmanager
def called_before_requests(check: Callable[[], None]) -> Iterator[None]:
    """Have ``check`` called before each request that changes something; what it raises stops the request."""
    token = _departing.set(check)
    try:
        yield
    finally:
        _departing.reset(token)


def about_to_send() -> None:
    """To be called by a provider right before a request leaves, after whatever it waited for: its turn, a token.

    ``http.Client`` does. Raises what ends the run, such as a lease that was lost meanwhile: let it pass.
    """
    _departing.get()()


class Provider(Protocol):
    """The adapter to one service: four calls, each over the network.

    The workflow of ``plan``: ``observe`` once; ``history`` only if a declared alarm is not active. The workflow of
    ``apply``: ``send`` batch by batch; after an ambiguous answer, and to verify at the end, ``read_back``. Retrying,
    splitting, ordering and journalling are the applier's: a provider makes the request, and says what an error means.
    """

    @property
    def key(self) -> str:
        """The key under ``providers`` this instance was configured by, for example ``aom`` or ``aom.eu``."""

    @property
    def limits(self) -> "Limits": ...

    def observe(self, stack: str, desired: Sequence[Desired]) -> Iterator[Observed]:
        """Every active alarm that carries the stack's marks, and every recorded event that does, within the lookback.

        ``desired`` is what the stack declares for this provider: a service that cannot filter by marks needs it to
        know what to query. Objects without this stack's marks are never yielded, and no object twice. Raises
        ServiceError.
        """

    def history(self, stack: str, addresses: Collection[Address]) -> Iterator[Observed]:
        """Alarms of the stack at these addresses that have ended within the lookback, newest first."""

    def send(self, operations: Sequence[Operation]) -> Sequence[str | None]:
        """Send one batch of operations of one verb in one request; the service's ids in order, None where it gives
        none.

        Raises ServiceError, and nothing else, when the answer is not a success.
        """

    def read_back(self, operations: Sequence[Operation]) -> Iterator[Observed]:
        """What the service shows now at the addresses of these operations: active alarms, and recorded events, with the
        content that ``observe`` gives them: what is shown here counts as what the service made of the push.

        The applier verifies with it, settles what is in doubt, and tells a refreshed alarm from a second one: an alarm
        is ours by ``marks.key``, an event by address and occurrence (``marks.key`` may be empty where a service has no
        room for it). One paged query, narrowed to the operations where they are few. Raises ServiceError.
        """

    def close(self) -> None: ...


@runtime_checkable
class SharesQueries(Protocol):
    """A provider that can observe several stacks with the queries of one."""

    def observe_stacks(self, declared: Mapping[str, Sequence[Desired]]) -> Mapping[str, Sequence[Observed]]:
        """What ``observe`` yields for each of these stacks, object for object; ``declared`` is what each declares.

        A stack whose query differs from that of the others is left out: it has to be observed by itself. Raises
        ServiceError, as ``observe`` does.
        """


@runtime_checkable
class Queryable(Protocol):
    """A provider that also answers the data sources of its type."""

    def query(self, source: str, query: BaseModel, details: Collection[str]) -> Sequence[Item]:
        """Everything that the data source ``source`` finds for an instance of its model.

        ``details`` names the detail fields that are wanted; without them no request per item is made. Raises
        ServiceError also if a response cannot be read in full: a result must never be shorter than the truth.
        """


@runtime_checkable
class Importable(Protocol):
    """A provider that can also list unmanaged alarms, so that they can be declared and adopted.

    Its resource types make the clear of an object without marks (``marks.stack`` is empty) too, and its ``read_back``
    shows the target of such a clear while it is active.
    """

    def unmanaged(self, filters: Mapping[str, Collection[str]]) -> Iterator[UnmanagedAlarm]:
        """Every active alarm that carries the marks of no stack and has, for every key, one of its values.

        The keys are those an alarm is known by at the service. Raises ServiceError; also if a response cannot be
        read in full.
        """


@runtime_checkable
class TellsOwners(Protocol):
    """A provider that knows which stacks own active objects, so that a plan can say why one cannot be imported."""

    def owners(self, ids: Collection[str]) -> Mapping[str, tuple[str, str]]:
        """The stack and the address in the marks of each active object among these that carries any, by id.

        Raises ServiceError.
        """


class LastPush(NamedTuple):
    """The last push of an alarm, and when it was done (epoch ms)."""

    operation: Operation
    done_at: int


@runtime_checkable
class InfersHistory(Protocol):
    """A provider whose service keeps no history of alarms, and which infers from the last push why one is gone."""

    def infer_history(self, pushes: Sequence[LastPush]) -> Iterator[Observed]:
        """What became of these alarms, which are not active: expired, lost by a restart, or cleared by somebody.

        Raises ServiceError.
        """


@runtime_checkable
class TellsSuppression(Protocol):
    """A provider whose service may withhold the notification of an active alarm, and says so."""

    def suppressed(self, operations: Sequence[Operation]) -> Mapping[str, str]:
        """Why active alarms are not notified, by the key of their push, such as ``silenced by ID``.

        Raises ServiceError.
        """


@runtime_checkable
class ProvesDelivery(Protocol):
    """A provider that knows which notifications of alarms arrived."""

    def deliveries(self, query: DeliveryQuery) -> DeliveryLog:
        """What arrived of these alarms. Raises ServiceError."""


VISIBLE_WITHIN = MINUTE
"""How long (ms) a service may take to show a write, unless its provider knows better."""


class Limits(NamedTuple):
    """How a provider wants to be driven; set by the configuration."""

    batch_size: int = 100
    batch_bytes: int = 1_000_000
    parallelism: int = 4
    rate_limit: float | None = None
    visible_within: int = VISIBLE_WITHIN
    """How long (ms) the service may take to show a write; verification waits this long, and the planner trusts the
    ledger.
    """
    request_timeout: int = 30 * SECOND
    """How long (ms) a request may take until the provider gives up on it."""
    revives: bool = False
    """Whether a push that arrives after the clear of its alarm raises the alarm again: one in doubt is waited out
    before the alarm is cleared.
    """


def longest_visible_within(providers: Iterable[Provider]) -> int:
    """The longest time (ms) one of these providers may take to show a write; 0 if there is none."""
    return max((provider.limits.visible_within for provider in providers), default=0)


class ReceiverEndpoint(NamedTuple):
    """Where a receiver of notifications answers, and the token of its queries."""

    url: str
    token: str


class Throttle(Protocol):
    """Lets requests begin at a rate; any number of threads may use it."""

    def try_acquire(self) -> object:
        """Return when the next request may begin; what it returns means nothing. Raises ServiceError."""


RateLimiter = Callable[[str, float | None], Throttle | None]
"""Gives the throttle of a service by its URL and the ``rate_limit`` of its provider; None: there is no limit."""


class ProviderContext(NamedTuple):
    """What the edges hand to a provider when it is opened."""

    user_agent: str
    now: Callable[[], int]
    """The present in epoch milliseconds, by the clock of the run."""
    embedded_endpoint: str | None = None
    """The base URL of the running embedded emulator, if ``endpoint: embedded`` is configured."""
    receiver: "ReceiverEndpoint | None" = None
    """The receiver of notifications that runs for the length of the command."""
    rate_limiter: RateLimiter | None = None
    """Who keeps the rate limits, if others ask the service at the same time; None: the provider alone does."""


class ProviderType(Protocol):
    """A kind of provider, as named by the entry-point group ``reconciler.providers``.

    One that can be queried under ``data`` also ``HasDataSources``, and what it opens is ``Queryable``.
    """

    @property
    def name(self) -> str:
        """The ``type`` under ``providers``, for example ``aom``."""

    @property
    def summary(self) -> str:
        """One line for ``reconciler providers``."""

    @property
    def settings(self) -> type[BaseModel]:
        """The model of its block under ``providers`` (without ``type``)."""

    @property
    def resource_types(self) -> Mapping[str, ResourceType]: ...

    def open(self, key: str, settings: BaseModel, context: ProviderContext) -> Provider:
        """Make a provider from an instance of ``settings``; no request is made yet."""
