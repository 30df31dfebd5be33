"""HTTP: requests to a service, and the classification of failures; shared by all providers.

Imports ``requests``, so it is imported only when a provider is opened.
"""

import logging
import os
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from http.client import HTTPException
from threading import BoundedSemaphore
from typing import NamedTuple
from urllib.parse import quote, urlencode, urlsplit

import requests
import requests.auth
import requests.utils
from urllib3.exceptions import (
    HTTPError,
    MaxRetryError,
    NameResolutionError,
    NewConnectionError,
    ProxyError,
    ReadTimeoutError,
)

from reconciler.core.duration import SECOND, in_seconds
from reconciler.core.operation import ServiceErrorDetail
from reconciler.core.system_clock import monotonic
from reconciler.core.target import is_loopback
from reconciler.core.text import Redactor, sanitize
from reconciler.providers.protocol import ErrorKind, ServiceError, Throttle, about_to_send
from reconciler.providers.response import NestedTooDeeplyError, decode, parse_error
from reconciler.providers.transport import DeadlineAdapter, ReceivedTooMuchError, exchange

log = logging.getLogger(__name__)

MIB = 1024 * 1024
MAX_BODY = 128 * MIB
MAX_RECEIVED = MAX_BODY + MIB
"""The maximum size (bytes) of a response, with headers and framing, before decompression."""
MAX_PAGES = 10_000
"""The maximum number of pages that one query reads."""
_CHUNK = 256 * 1024
_CONNECT_TIMEOUT = 10 * SECOND
_JSON = "application/json"

# TLS errors of a handshake that failed: no request was sent.
_HANDSHAKE = (
    "WRONG_VERSION_NUMBER",
    "UNSUPPORTED_PROTOCOL",
    "HANDSHAKE_FAILURE",
    "PROTOCOL_VERSION",
    "NO_PROTOCOLS_AVAILABLE",
    "NO_SHARED_CIPHER",
    "UNRECOGNIZED_NAME",
    "HTTP_REQUEST",
    "NO_CERTIFICATE_OR_CRL_FOUND",
)


class Response(NamedTuple):
    """A successful response: status, headers (case-insensitive), whole body, and its request."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    request: str
    reading: bool = False

    def json(self) -> object:
        """The decoded JSON body. Raises ServiceError if it is not JSON, as when a gateway responds instead."""
        try:
            return decode(self.body)
        except NestedTooDeeplyError as error:
            raise self.unreadable(f"the response cannot be read: its JSON is {error}", ErrorKind.REJECTED) from None
        except ValueError:
            raise self.unreadable("the response is not JSON") from None

    def check_page_count(self, read: int) -> None:
        """Raise ServiceError if a query has read the maximum number of pages."""
        if read >= MAX_PAGES:
            raise self.unreadable(
                f"the query has more than {MAX_PAGES:,} pages: narrow it, or shorten its lookback", ErrorKind.REJECTED
            )

    def unreadable(self, why: str, kind: ErrorKind = ErrorKind.AMBIGUOUS) -> ServiceError:
        """The error for a successful response with invalid content."""
        return ServiceError(
            kind, ServiceErrorDetail(sanitize(why), self.status, request=self.request), reading=self.reading
        )


class Client:
    """Kept-alive connections to one service; ``parallelism`` limits the concurrent requests of all threads.

    ``timeout_ms`` limits a whole exchange. ``throttle`` paces the start of requests. ``now`` gives the current time in
    epoch milliseconds, for a ``Retry-After`` with a date.
    """

    def __init__(
        self,
        base_url: str,
        *,
        auth: requests.auth.AuthBase | None,
        secrets: Redactor,
        user_agent: str,
        parallelism: int,
        timeout_ms: int,
        now: Callable[[], int],
        ca_file: str | None = None,
        throttle: Throttle | None = None,
    ) -> None:
        self._base_url = base_url
        self._auth = auth
        self._secrets = secrets
        self._headers = {"User-Agent": user_agent, "Accept": _JSON}
        self._timeout = timeout_ms
        self._throttle = throttle
        self._slots = BoundedSemaphore(parallelism)
        self._now = now
        self._verify = ca_file or _trusted_by_environment()
        self._proxies = {} if is_loopback(base_url) else requests.utils.get_environ_proxies(base_url)
        self._certificate: tuple[str, str] | None = None
        self._session = requests.Session()
        # The environment is read once, above: proxies do not apply to loopback, and no .netrc may add credentials.
        self._session.trust_env = False
        adapter = DeadlineAdapter(pool_connections=2, pool_maxsize=parallelism)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)

    def send(
        self,
        method: str,
        path: str,
        *,
        params: Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        reading: bool = False,
    ) -> Response:
        """Make one request and read the whole response. Raises ServiceError for anything but a 2xx, including
        redirects.

        ``reading`` marks a request that changes nothing at the service, so that it may be repeated.
        """
        query = f"?{urlencode(params, quote_via=quote, safe='')}" if params else ""
        url = f"{self._base_url}{path}{query}"
        name = f"{method} {url}"
        sent = {**self._headers, **(headers or {})}
        if body is not None:
            sent["Content-Type"] = _JSON
        with self._slots:
            if self._throttle is not None:
                self._throttle.try_acquire()
            begun = monotonic()
            try:
                prepared = self._prepare(method, url, sent, body)
                if not reading:
                    about_to_send()
                with (
                    exchange(self._timeout, MAX_RECEIVED),
                    self._session.send(
                        prepared,
                        stream=True,
                        timeout=(in_seconds(min(_CONNECT_TIMEOUT, self._timeout)), in_seconds(self._timeout)),
                        verify=self._verify,
                        cert=self._certificate,
                        proxies=self._proxies,
                        allow_redirects=False,
                    ) as response,
                ):
                    content = b"".join(self._read(response, begun + self._timeout))
                    status = response.status_code
                    answered = response.headers
            except (requests.RequestException, HTTPError, HTTPException, OSError, ValueError) as failure:
                raise self._failed(failure, name, reading) from None
        log.debug("%s: %d, %d bytes in %d ms", name, status, len(content), monotonic() - begun)
        if not 200 <= status < 300:
            raise parse_error(status, answered, content, name, self._secrets, self._now(), reading)
        return Response(status, answered, content, name, reading)

    def use_certificate(self, cert_file: str, key_file: str) -> None:
        """Present a client certificate from now on."""
        self._certificate = (cert_file, key_file)

    def close(self) -> None:
        self._session.close()

    def _prepare(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None
    ) -> requests.PreparedRequest:
        """The result of ``requests.Request.prepare`` in half the time: there are no files or parameters, and all
        batches have the same URL.
        """
        request = requests.PreparedRequest()
        request.prepare_method(method)
        request.url = _prepared_url(url)
        request.prepare_headers(headers)
        request.prepare_cookies({})
        request.prepare_body(body, None)
        request.prepare_auth(self._auth, url)
        return request

    def _read(self, response: requests.Response, deadline: int) -> Iterator[bytes]:
        size = 0
        for chunk in response.iter_content(_CHUNK):
            size += len(chunk)
            if size > MAX_BODY:
                raise requests.exceptions.ContentDecodingError(
                    f"the response is longer than {MAX_BODY // MIB} MiB: query fewer objects at once"
                )
            if monotonic() > deadline:
                raise requests.exceptions.ReadTimeout
            yield chunk

    def _failed(self, failure: Exception, request: str, reading: bool) -> ServiceError:
        kind, text, cut = _meaning(failure, urlsplit(self._base_url).netloc)
        text = sanitize(self._secrets.redact(text))
        log.debug("%s: %s", request, text)
        return ServiceError(kind, ServiceErrorDetail(text, request=request), reading=reading, cut=cut)


@lru_cache(64)
def _prepared_url(url: str) -> str | None:
    request = requests.PreparedRequest()
    request.prepare_url(url, None)
    return request.url


def _trusted_by_environment() -> str | bool:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        if os.environ.get(name):
            return os.environ[name]
    return True


def _meaning(failure: Exception, host: str) -> tuple[ErrorKind, str, bool]:
    """Classify a request without a response: its error kind, its message, and whether a connection was cut.

    The library's text is used only if it cannot contain anything that was sent.
    """
    reasons = list(_causes(failure))
    for reason in reasons:
        if isinstance(reason, ssl.SSLCertVerificationError):
            return (
                ErrorKind.UNSENT,
                f"the certificate of {host} is not trusted: {reason.verify_message} (see ca_file)",
                False,
            )
        if isinstance(reason, ssl.SSLError) and any(word in (reason.reason or "") for word in _HANDSHAKE):
            return ErrorKind.UNSENT, f"no TLS connection to {host}: {reason.reason}", False
        if isinstance(reason, NameResolutionError):
            return ErrorKind.UNSENT, f"there is no host {host}", False
        if isinstance(reason, ReceivedTooMuchError):
            text = f"the response is longer than {reason.limit // MIB} MiB before decompression"
            return ErrorKind.AMBIGUOUS, f"{text}: query fewer objects at once", False
    if isinstance(failure, requests.exceptions.ProxyError):
        return ErrorKind.UNSENT, f"the proxy to {host} cannot be used: {_system(reasons) or 'no connection'}", False
    if isinstance(failure, requests.exceptions.ConnectTimeout):
        return ErrorKind.UNSENT, f"no connection to {host} in time", False
    if any(isinstance(reason, NewConnectionError) for reason in reasons):
        return ErrorKind.UNSENT, f"no connection to {host}: {_system(reasons) or 'refused'}", False
    if isinstance(failure, requests.exceptions.Timeout) or any(
        isinstance(reason, ReadTimeoutError | TimeoutError) for reason in reasons
    ):
        return ErrorKind.AMBIGUOUS, f"no complete response from {host} in time (request_timeout)", False
    if isinstance(failure, requests.exceptions.ContentDecodingError) and failure.args:
        return ErrorKind.AMBIGUOUS, str(failure.args[0]), False
    if isinstance(failure, ValueError):
        # A request that cannot be built; the library's text may quote a header.
        return ErrorKind.UNSENT, f"the request to {host} cannot be made: {type(failure).__name__}", False
    if type(failure) is OSError and failure.errno is None:
        return ErrorKind.UNSENT, f"the request to {host} cannot be made: {failure}", False
    return ErrorKind.AMBIGUOUS, f"the connection to {host} was cut: {_system(reasons) or 'no complete response'}", True


def _causes(failure: BaseException) -> Iterator[BaseException]:
    """An error and its causes, each once."""
    waiting: list[object] = [failure]
    seen: set[int] = set()
    while waiting:
        item = waiting.pop()
        if isinstance(item, BaseException) and id(item) not in seen:
            seen.add(id(item))
            yield item
            # Not __context__, which may be an unrelated error that was being handled.
            waiting += [*item.args, item.__cause__]
            if isinstance(item, MaxRetryError):
                waiting.append(item.reason)
            if isinstance(item, ProxyError):
                waiting.append(item.original_error)


def _system(reasons: list[BaseException]) -> str | None:
    """The operating system's message among them."""
    return next((reason.strerror for reason in reasons if isinstance(reason, OSError) and reason.strerror), None)
