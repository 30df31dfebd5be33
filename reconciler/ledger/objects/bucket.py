"""The bucket of a URL: its endpoint, its credentials, and where its clock is read."""

from __future__ import annotations

import os
import re
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from obstore.exceptions import BaseError
from obstore.store import AzureStore, GCSStore, ObjectStore, S3Store

from reconciler.core.diagnostic import Diagnostic, DiagnosticError
from reconciler.core.duration import MINUTE, SECOND
from reconciler.core.ledger_url import mask
from reconciler.core.text import sanitize

CONNECT = 5 * SECOND
"""Connection timeout (ms)."""

ANSWER = 10 * SECOND
"""Read timeout (ms), for the start of a response and between its parts."""

WHOLE = MINUTE
"""Timeout (ms) of a whole request."""

_OPTIONS = {"s3": ("endpoint", "region", "path_style"), "gs": ("endpoint",), "az": ("account", "endpoint")}
STATUS = re.compile(r"status code: (\d{3})")
_PART = re.compile(r"<(Code|Message)>([^<]*)</")


def open_bucket(url: str, label: str) -> tuple[ObjectStore, str, str]:
    """The bucket of a URL, the prefix in it, and where to read the store's clock. Raises DiagnosticError."""
    parts = urlsplit(url)
    kind = parts.scheme.lower()
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    bucket, prefix = parts.netloc, "/".join(filter(None, parts.path.split("/")))
    if "@" in bucket:
        hint = "put them into the environment: docs/ledger.md names the variables"
        raise DiagnosticError(Diagnostic(f"the ledger {label} has credentials in its URL", hint=hint))
    unknown = sorted(options.keys() - set(_OPTIONS[kind]))
    if unknown or not bucket:
        what = f"has an unknown option {sanitize(unknown[0], 40)}" if unknown else "names no bucket"
        hint = f"write {kind}://BUCKET/PREFIX; options are {', '.join(_OPTIONS[kind])}"
        raise DiagnosticError(Diagnostic(f"the ledger {label} {what}", hint=hint))
    endpoint = options.get("endpoint", "").rstrip("/")
    if endpoint and not re.fullmatch(r"https?://[^/@\s?#]+(/[^@\s?#]*)?", endpoint):
        hint = "write endpoint=https://HOST"
        raise DiagnosticError(Diagnostic(f"the ledger {label} has an endpoint that is no URL", hint=hint))
    client: Any = {
        "connect_timeout": timedelta(milliseconds=CONNECT),
        "read_timeout": timedelta(milliseconds=ANSWER),
        "timeout": timedelta(milliseconds=WHOLE),
    }
    shared: Any = {"client_options": client, "retry_config": {"max_retries": 0}}
    try:
        store, clock_at = _OPENERS[kind](bucket, endpoint, options, shared)
    except (BaseError, ValueError, TypeError) as error:
        hint = "check the URL, and the variables with the credentials"
        raise DiagnosticError(
            Diagnostic(f"the ledger {label} cannot be opened ({said(str(error))})", hint=hint)
        ) from None
    return store, prefix + "/" if prefix else "", clock_at


def _s3(bucket: str, endpoint: str, options: dict[str, str], shared: Any) -> tuple[ObjectStore, str]:
    environ = os.environ
    endpoint = endpoint or environ.get("AWS_ENDPOINT_URL_S3") or environ.get("AWS_ENDPOINT_URL", "")
    region = options.get("region") or environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    config: Any = {"region": region, "conditional_put": "etag"}
    virtual = options.get("path_style", "true" if endpoint else "false").lower() == "false"
    config["virtual_hosted_style_request"] = virtual
    if endpoint:
        scheme, _, host = endpoint.partition("://")
        config["endpoint"] = f"{scheme}://{bucket}.{host}" if virtual else endpoint
        shared["client_options"]["allow_http"] = scheme == "http"
    if _wants_profile():
        from obstore.auth.boto3 import Boto3CredentialProvider

        shared["credential_provider"] = Boto3CredentialProvider()
    suffix = ".cn" if region.startswith("cn-") else ""
    return S3Store(bucket, config=config, **shared), endpoint or f"https://s3.{region}.amazonaws.com{suffix}"


def _wants_profile() -> bool:
    """Whether the credentials come from a profile, which boto3 reads if it is installed."""
    if not os.environ.get("AWS_PROFILE") or os.environ.get("AWS_ACCESS_KEY_ID"):
        return False
    from importlib.util import find_spec

    return find_spec("boto3") is not None


def _gs(bucket: str, endpoint: str, _: dict[str, str], shared: Any) -> tuple[ObjectStore, str]:
    config: Any = {"base_url": endpoint} if endpoint else {}
    shared["client_options"]["allow_http"] = endpoint.startswith("http://")
    return GCSStore(bucket, config=config, **shared), endpoint or "https://storage.googleapis.com"


def _az(container: str, endpoint: str, options: dict[str, str], shared: Any) -> tuple[ObjectStore, str]:
    account = options.get("account") or os.environ.get("AZURE_STORAGE_ACCOUNT_NAME", "")
    config: Any = {"account_name": account} if account else {}
    if endpoint:
        config["endpoint"] = endpoint
        shared["client_options"]["allow_http"] = endpoint.startswith("http://")
    return AzureStore(container, config=config, **shared), endpoint or f"https://{account}.blob.core.windows.net"


_OPENERS = {"s3": _s3, "gs": _gs, "az": _az}


def said(text: str) -> str:
    """The store's error message without anything that may reveal credentials."""
    parts = dict.fromkeys(part for _, part in _PART.findall(text))
    status = STATUS.search(text)
    if parts or status is not None:
        return sanitize(": ".join([*(status.groups() if status else ()), *parts]), 300)
    return sanitize(mask(text.partition("\n")[0]), 300)
