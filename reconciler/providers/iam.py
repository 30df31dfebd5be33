"""Credentials from IAM for Huawei Cloud: a user's token, or a signature by an access key, for ``requests``."""

import threading
from collections.abc import Callable, Mapping
from typing import NamedTuple
from urllib.parse import parse_qsl, urlsplit

import requests
import requests.auth

from reconciler.core.diagnostic import Diagnostic, DiagnosticError, install_command
from reconciler.core.digest import canonical
from reconciler.core.duration import HOUR, MINUTE, SECOND, parse_instant
from reconciler.core.operation import ServiceErrorDetail
from reconciler.core.text import Redactor
from reconciler.providers.auth import TOKEN, check_allowed_endpoint
from reconciler.providers.http import Client, Response
from reconciler.providers.protocol import ErrorKind, ProviderContext, ServiceError
from reconciler.providers.response import decode
from reconciler.providers.settings import Agency, HuaweiSettings, Iam

_PROJECT = "X-Project-Id"
_SECURITY_TOKEN = "X-Security-Token"  # noqa: S105 - the name of a header
_AGENCY_PATH = "/v3.0/OS-CREDENTIAL/securitytokens"
_REFRESH_BEFORE = 5 * MINUTE
"""How long before its expiry (ms) a token is replaced, so that none expires in transit."""
_DEFAULT_TTL = HOUR
"""How long (ms) a token is used if IAM does not state its expiry."""


class IamAuth(requests.auth.AuthBase):
    """A token fetched with a password: cached until shortly before it expires, and fetched again once if rejected.

    Thread-safe: only one thread fetches.
    """

    def __init__(self, iam: Iam, client: Client, secrets: Redactor, now: Callable[[], int]) -> None:
        self._iam = iam
        self._client = client
        self._secrets = secrets
        self._now = now
        self._lock = threading.Lock()
        self._token: str | None = None
        self._good_until = 0

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers[TOKEN] = self._current(refused=None)
        request.hooks["response"].append(self._again)
        return request

    def close(self) -> None:
        self._client.close()

    def _again(
        self,
        response: requests.Response,
        *,
        stream: bool = False,
        timeout: float | tuple[float, float] | None = None,
        verify: bool | str = True,
        cert: str | None = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Retry a 401 with a new token, once; this hook does not handle the retry's response."""
        if response.status_code != 401:
            return response
        response.close()
        request = response.request.copy()
        refused = response.request.headers[TOKEN]
        request.headers[TOKEN] = self._current(refused=refused if isinstance(refused, str) else refused.decode())
        return response.connection.send(
            request, stream=stream, timeout=timeout, verify=verify, cert=cert, proxies=proxies
        )

    def _current(self, refused: str | None) -> str:
        with self._lock:
            if self._token is None or self._token == refused or self._now() >= self._good_until:
                self._fetch()
            assert self._token is not None  # noqa: S101 - narrows a type
            return self._token

    def _fetch(self) -> None:
        answer = _issued(self._client, "/v3/auth/tokens", canonical(self._request()), "no token from IAM")
        token = answer.headers.get("X-Subject-Token", "")
        if not token:
            raise ServiceError(
                ErrorKind.DENIED,
                ServiceErrorDetail("IAM answered without a token", answer.status, request=answer.request),
            )
        self._secrets.add(token)
        self._token = token
        self._good_until = self._expires_at(answer.body) - _REFRESH_BEFORE

    def _request(self) -> dict[str, object]:
        iam = self._iam
        user = {"name": iam.user, "password": iam.password.get_secret_value(), "domain": {"name": iam.domain}}
        return {
            "auth": {
                "identity": {"methods": ["password"], "password": {"user": user}},
                "scope": {"project": {"name": iam.project}},
            }
        }

    def _expires_at(self, body: bytes) -> int:
        """When the token expires, in epoch milliseconds."""
        try:
            value = decode(body)
            token = value.get("token") if isinstance(value, dict) else None
            return parse_instant(token.get("expires_at") if isinstance(token, dict) else None)
        except ValueError:
            return self._now() + _DEFAULT_TTL


class AccessKey(NamedTuple):
    """An access key, in the form of the vendor's signer; ``security_token`` belongs to a temporary one."""

    ak: str
    sk: str
    security_token: str | None = None


class AkSkAuth(requests.auth.AuthBase):
    """A signature by an access key (SDK-HMAC-SHA256), made by the vendor's own signer.

    ``key`` is called for each request, since a temporary access key is replaced before it expires. ``project_id`` is
    empty for the services of an account, such as IAM.
    """

    def __init__(self, key: Callable[[], AccessKey], project_id: str, close: Callable[[], None] | None = None) -> None:
        try:
            from huaweicloudsdkcore.sdk_request import SdkRequest
            from huaweicloudsdkcore.signer.signer import Signer
        except ImportError:
            raise DiagnosticError(
                Diagnostic(
                    "auth with ak and sk needs the vendor's signer, which is not installed",
                    hint=f"install the extra: {install_command('huaweicloud')}",
                )
            ) from None
        self._key = key
        self._project_id = project_id
        self._close = close
        self._request = SdkRequest
        self._signer = Signer

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        parts = urlsplit(request.url or "")
        key = self._key()
        signed = {"Host": str(parts.netloc)}
        if self._project_id:
            signed[_PROJECT] = self._project_id
        if key.security_token is not None:
            signed[_SECURITY_TOKEN] = key.security_token
        if "Content-Type" in request.headers:
            signed["Content-Type"] = str(request.headers["Content-Type"])
        self._signer(key).sign(
            self._request(
                method=request.method,
                schema=str(parts.scheme),
                host=str(parts.netloc),
                resource_path=str(parts.path),
                query_params=parse_qsl(str(parts.query), keep_blank_values=True),
                header_params=signed,
                body=request.body,
            )
        )
        request.headers.update(signed)
        return request

    def close(self) -> None:
        if self._close is not None:
            self._close()


class AgencyKeys:
    """Temporary access keys for an agency: fetched with another access key, replaced shortly before they expire.

    Thread-safe: only one thread fetches.
    """

    def __init__(self, agency: Agency, client: Client, secrets: Redactor, now: Callable[[], int]) -> None:
        self._agency = agency
        self._client = client
        self._secrets = secrets
        self._now = now
        self._lock = threading.Lock()
        self._key: AccessKey | None = None
        self._good_until = 0

    def current(self) -> AccessKey:
        with self._lock:
            if self._key is None or self._now() >= self._good_until:
                self._key, expires_at = self._fetch()
                self._good_until = expires_at - _REFRESH_BEFORE
            return self._key

    def close(self) -> None:
        self._client.close()

    def _fetch(self) -> tuple[AccessKey, int]:
        role = {
            "agency_name": self._agency.name,
            "domain_name": self._agency.domain,
            "duration_seconds": self._agency.duration // SECOND,
        }
        body = canonical({"auth": {"identity": {"methods": ["assume_role"], "assume_role": role}}})
        answer = _issued(self._client, _AGENCY_PATH, body, "no temporary access key from IAM")
        value = answer.json()
        credential = value.get("credential") if isinstance(value, dict) else None
        found = credential if isinstance(credential, dict) else {}
        key = [found.get(name) for name in ("access", "secret", "securitytoken")]
        if not all(isinstance(text, str) and text for text in key):
            raise ServiceError(
                ErrorKind.DENIED,
                ServiceErrorDetail(
                    "IAM answered without a temporary access key", answer.status, request=answer.request
                ),
            )
        ak, sk, token = map(str, key)
        for secret in (ak, sk, token):
            self._secrets.add(secret)
        try:
            expires_at = parse_instant(found.get("expires_at"))
        except ValueError:
            expires_at = self._now() + self._agency.duration
        return AccessKey(ak, sk, token), expires_at


def _issued(client: Client, path: str, body: str, failed: str) -> Response:
    """The credentials in IAM's response. Raises ServiceError, as for a request that was not sent, if they cannot be
    fetched.
    """
    try:
        return client.send("POST", path, body=body.encode())
    except ServiceError as failure:
        kind = ErrorKind.DENIED if failure.kind is ErrorKind.REJECTED else failure.kind
        kind = ErrorKind.UNSENT if kind is ErrorKind.AMBIGUOUS else kind
        told = failure.detail._replace(message=f"{failed}: {failure.detail.message}")
        raise ServiceError(kind, told, failure.retry_after, cut=failure.cut) from None


def iam_authentication(settings: HuaweiSettings, secrets: Redactor, context: ProviderContext) -> requests.auth.AuthBase:
    """The authentication by access key or by IAM user. Raises DiagnosticError if the required extra is missing."""
    auth = settings.auth
    if auth.ak is not None and auth.sk is not None:
        security_token = auth.security_token.get_secret_value() if auth.security_token else None
        key = AccessKey(auth.ak.get_secret_value(), auth.sk.get_secret_value(), security_token)
        if auth.agency is None:
            return AkSkAuth(lambda: key, settings.project_id)
        iam = _iam_client(settings, secrets, context, AkSkAuth(lambda: key, ""))
        keys = AgencyKeys(auth.agency, iam, secrets, context.now)
        return AkSkAuth(keys.current, settings.project_id, keys.close)
    assert auth.iam is not None  # noqa: S101 - narrows a type
    return IamAuth(auth.iam, _iam_client(settings, secrets, context, None), secrets, context.now)


def _iam_client(
    settings: HuaweiSettings, secrets: Redactor, context: ProviderContext, auth: requests.auth.AuthBase | None
) -> Client:
    base_url = settings.base_url("iam", context.embedded_endpoint)
    if base_url != context.embedded_endpoint:
        check_allowed_endpoint(base_url)
    return Client(
        base_url,
        auth=auth,
        secrets=secrets,
        user_agent=context.user_agent,
        now=context.now,
        parallelism=1,
        timeout_ms=settings.request_timeout,
        ca_file=settings.ca_file,
    )
