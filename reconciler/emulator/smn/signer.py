"""The signer: signs messages with a key and a certificate unique to each emulator.

User guide of SMN, "HTTP or HTTPS message format" and "Message signature verification".
"""

from __future__ import annotations

import secrets
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from functools import cached_property

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

KEY_BITS = 2048


class Signer:
    """Signs messages. The key is created on first use, since that takes a tenth of a second."""

    def __init__(self) -> None:
        self.name = f"SMN_emulator_{secrets.token_hex(16)}.pem"

    @cached_property
    def _key(self) -> rsa.RSAPrivateKey:
        return rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)

    @cached_property
    def certificate(self) -> bytes:
        """The self-signed certificate (SHA-256) as PEM."""
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "smn.emulator")])
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=3650))
            .not_valid_after(now + timedelta(days=3650))
        )
        return builder.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM)

    def sign(self, body: dict[str, str]) -> str:
        """The signature of a message, over each signed field and its value, in field order."""
        fields = ["message", "message_id", "timestamp", "topic_urn", "type"]
        if body["type"] != "Notification":
            fields.append("subscribe_url")
        elif body.get("subject"):
            fields.append("subject")
        text = "".join(f"{field}\n{body[field]}\n" for field in sorted(fields))
        return b64encode(self._key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())).decode()
