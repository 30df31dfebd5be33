"""Authentication for Baidu AI Cloud: bce-auth-v1, signed by the vendor's own signer."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlsplit

import requests
import requests.auth

from reconciler.core.diagnostic import Diagnostic, DiagnosticError, install_command

_SIGNED = ("content-type", "host", "x-bce-date")


class BceAuth(requests.auth.AuthBase):
    """A signature by an access key; ``now`` gives the present in epoch milliseconds."""

    def __init__(self, ak: str, sk: str, now: Callable[[], int]) -> None:
        try:
            from baidubce.auth.bce_credentials import BceCredentials
            from baidubce.auth.bce_v1_signer import sign
        except ImportError:
            raise DiagnosticError(
                Diagnostic(
                    "Baidu Cloud Monitor needs the vendor's signer, which is not installed",
                    hint=f"install the extra: {install_command('baidu')}",
                )
            ) from None
        # At debug level the signer logs the signing key.
        logging.getLogger("baidubce").setLevel(logging.WARNING)
        self._credentials = BceCredentials(ak, sk)
        self._sign = sign
        self._now = now

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        parts = urlsplit(str(request.url or ""))
        now = datetime.fromtimestamp(self._now() // 1000, UTC)
        headers = {"Host": parts.netloc, "x-bce-date": now.strftime("%Y-%m-%dT%H:%M:%SZ")}
        if "Content-Type" in request.headers:
            headers["Content-Type"] = str(request.headers["Content-Type"])
        signature = self._sign(
            self._credentials,
            str(request.method).encode(),
            parts.path.encode(),
            {name.encode(): value.encode() for name, value in headers.items()},
            dict(parse_qsl(parts.query, keep_blank_values=True)),
            int(now.timestamp()),
            headers_to_sign=[name.encode() for name in _SIGNED if name in {key.lower() for key in headers}],
        )
        request.headers.update(headers)
        request.headers["Authorization"] = signature.decode()
        return request
