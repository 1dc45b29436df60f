"""Signatures of webhooks, as in the Standard Webhooks specification 1.0."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Final

PREFIX: Final = "whsec_"


def signature(secret: str, name: str, seconds: int, body: str) -> str:
    """Returns the value of `webhook-signature`: HMAC-SHA256 over id, time and body."""
    signed = f"{name}.{seconds}.{body}".encode()
    return "v1," + base64.b64encode(hmac.digest(key_of(secret), signed, hashlib.sha256)).decode()


def key_of(secret: str) -> bytes:
    """Returns the key in a secret: base64 behind `whsec_`, as the specification writes it; any other as it is.

    Raises:
        ValueError: It is not base64.
    """
    if secret.startswith(PREFIX):
        return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    return secret.encode()
