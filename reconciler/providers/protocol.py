"""The protocol between the reconciler and a service: what a provider must implement, and why."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

from pydantic import BaseModel

from reconciler.core.address import Address
from reconciler.core.desired import Desired
from reconciler.core.diagnostic import Position
from reconciler.core.duration import MINUTE, SECOND
from reconciler.core.observed import Observed, UnmanagedAlarm
from reconciler.core.operation import Operation, ServiceErrorDetail
from reconciler.core.resource_type import ResourceType

if TYPE_CHECKING:
    from reconciler.core.data_source import Item


class ErrorKind(Enum):
    """How an error affects the request that caused it (rule 8)."""

    REJECTED = "rejected"
    """The service rejected the request: nothing was stored, or only its valid items (400, 413, 422)."""
    DENIED = "denied"
    """The service rejected the credentials (401, 403): the run stops."""
    BUSY = "busy"
    """The service asks to wait (429, 503): nothing was stored; retry after ``retry_after``."""
    UNSENT = "unsent"
    """The request was never sent (no such host, connection refused, TLS refused): nothing was stored."""
    AMBIGUOUS = "ambiguous"
    """It may or may not have been stored (timeout, cut connection, 408, 500 and other 5xx): query before retrying."""


class ServiceError(Exception):
    """A failed request; ``retry_after`` is how long (ms) the service asks to wait.

    ``reading`` says that the request changes nothing at the service; ``cut``, that the connection was cut here or
    behind a gateway (502, 504), so that a retry may succeed; ``partly``, that one instance of the service accepted what
    another refused. ``provider`` and ``position`` are the key and the position of the provider's block, if the caller
    knows them.
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
        partly: bool = False,
    ) -> None:
        super().__init__(str(detail))
        self.partly = partly
        self.reading = reading
        self.cut = cut
        self.kind = kind
        self.detail = detail
        self.retry_after = retry_after


_departing: ContextVar[Callable[[], None]] = ContextVar("departing", default=lambda: None)


@contextmanager
def called_before_requests(check: Callable[[], None]) -> Iterator[None]:
    """Call ``check`` before each request that changes something; its exception prevents the request."""
    token = _departing.set(check)
    try:
        yield
    finally:
        _departing.reset(token)


def about_to_send() -> None:
    """Providers call this right before sending a request, after any wait for a turn or a token.

    ``http.Client`` does. It raises what ends the run, such as a lost lease; do not catch it.
    """
    _departing.get()()


class Provider(Protocol):
    """The adapter to one service: four calls, each over the network.

    The workflow of ``plan``: ``observe`` once; ``history`` only if a declared alarm is not active. The workflow of
    ``apply``: ``send`` batch by batch; after an ambiguous response, and to verify at the end, ``read_back``. Retrying,
    splitting, ordering and journalling are done by the applier: a provider makes the request and classifies errors.
    """

    @property
    def key(self) -> str:
        """The key of this instance under ``providers``, for example ``aom`` or ``aom.eu``."""

    @property
    def limits(self) -> "Limits": ...

    def observe(self, stack: str, desired: Sequence[Desired]) -> Iterator[Observed]:
        """Every active alarm and every recorded event that carries the stack's marks, within the lookback.

        ``desired`` is what the stack declares for this provider: a service that cannot filter by marks needs it to know
        what to query. Objects without this stack's marks are never yielded, and no object twice. Raises ServiceError.
        """

    def history(self, stack: str, addresses: Collection[Address]) -> Iterator[Observed]:
        """Alarms of the stack at these addresses that have ended within the lookback, newest first."""

    def send(self, operations: Sequence[Operation]) -> Sequence[str | None]:
        """Send one batch of operations of one verb in one request; returns the service's ids in order, None if it gives
        none.

        Raises only ServiceError, if the response is not a success.
        """

    def read_back(self, operations: Sequence[Operation]) -> Iterator[Observed]:
        """What is visible now at the addresses of these operations: active alarms, and recorded events.

        Objects have the content that ``observe`` gives them: it counts as what the service made of the push. The
        applier verifies and settles with it, and distinguishes a refreshed alarm from a second one: an alarm is
        recognized by ``marks.key``, an event by address and occurrence (``marks.key`` may be empty if a service cannot
        store it). One paged query, limited to the operations if they are few. Raises ServiceError.
        """

    def close(self) -> None: ...


@runtime_checkable
class SharesQueries(Protocol):
    """A provider that can observe several stacks with the queries of one."""

    def observe_stacks(self, declared: Mapping[str, Sequence[Desired]]) -> Mapping[str, Sequence[Observed]]:
        """Like ``observe`` for each of these stacks, object for object; ``declared`` is what each declares.

        A stack that needs a different query is left out and must be observed by itself. Raises ServiceError, as
        ``observe`` does.
        """


@runtime_checkable
class Queryable(Protocol):
    """A provider that also answers the data sources of its type."""

    def query(self, source: str, query: BaseModel, details: Collection[str]) -> "Sequence[Item]":
        """Everything that the data source ``source`` finds for an instance of its model.

        ``details`` names the requested detail fields; without them no request per item is made. Raises ServiceError
        also if a response cannot be read in full: a result must never be incomplete.
        """


@runtime_checkable
class Importable(Protocol):
    """A provider that can also list unmanaged alarms, so that they can be declared and adopted.

    Its resource types also create the clear of an object without marks (``marks.stack`` is empty), and its
    ``read_back`` shows the target of such a clear while it is active.
    """

    def unmanaged(self, filters: Mapping[str, Collection[str]]) -> Iterator[UnmanagedAlarm]:
        """Every active alarm without marks that has, for every key, one of its values.

        The keys are those that identify an alarm at the service. Raises ServiceError, also if a response cannot be read
        in full.
        """


@runtime_checkable
class TellsOwners(Protocol):
    """A provider that knows which stacks own active objects, so that a plan can say why one cannot be imported."""

    def owners(self, ids: Collection[str]) -> Mapping[str, tuple[str, str]]:
        """The owner (stack and address) of each of these active objects that has marks, by id.

        Raises ServiceError.
        """


@runtime_checkable
class TellsSuppression(Protocol):
    """A provider whose service reports that it suppresses the notification of an active alarm."""

    def suppressed(self, operations: Sequence[Operation]) -> Mapping[str, str]:
        """Why active alarms are not notified, by the key of their push, such as ``silenced by ID``.

        Raises ServiceError.
        """


VISIBLE_WITHIN = MINUTE
"""The default time (ms) that a service may take to show a write."""


class Limits(NamedTuple):
    """The provider's limits for the applier; set by the configuration."""

    batch_size: int = 100
    batch_bytes: int = 1_000_000
    parallelism: int = 4
    rate_limit: float | None = None
    visible_within: int = VISIBLE_WITHIN
    """How long (ms) the service may take to show a write. Verification waits this long, and the planner relies on the
    ledger until then.
    """
    request_timeout: int = 30 * SECOND
    """The timeout (ms) of a request."""
    revives: bool = False
    """Whether a push that arrives after the clear of its alarm raises the alarm again, so that an ambiguous push must
    be settled before the alarm is cleared.
    """


def longest_visible_within(providers: Iterable[Provider]) -> int:
    """The longest time (ms) that one of these providers may take to show a write; 0 without providers."""
    return max((provider.limits.visible_within for provider in providers), default=0)


class ReceiverEndpoint(NamedTuple):
    """The URL of a notification receiver, and the token for querying it."""

    url: str
    token: str


class Throttle(Protocol):
    """Paces the start of requests; thread-safe."""

    def try_acquire(self) -> object:
        """Wait until the next request may begin; the return value is ignored. Raises ServiceError."""


RateLimiter = Callable[[str, float | None], Throttle | None]
"""Gives the throttle of a service by its URL and its provider's ``rate_limit``; None: no limit."""


class ProviderContext(NamedTuple):
    """What is passed to a provider when it is opened."""

    user_agent: str
    now: Callable[[], int]
    """The current time in epoch milliseconds, by the clock of the run."""
    embedded_endpoint: str | None = None
    """The base URL of the running embedded emulator, if ``endpoint: embedded`` is configured."""
    receiver: "ReceiverEndpoint | None" = None
    """The receiver of notifications that runs for the length of the command."""
    rate_limiter: RateLimiter | None = None
    """The shared rate limits, if other processes query the service too; None: the provider's own limit applies."""


class ProviderType(Protocol):
    """A kind of provider, as named by the entry-point group ``reconciler.providers``.

    One that can be queried under ``data`` also implements ``HasDataSources``, and opens a ``Queryable``.
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
        """Create a provider from an instance of ``settings``, without making a request."""
