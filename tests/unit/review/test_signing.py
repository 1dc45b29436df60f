"""Signatures of webhooks: the example of the specification, and what its libraries do with a secret."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest

from crossguard.review.signing import key_of, signature


def test_the_example_of_the_specifications_libraries() -> None:
    """Secret, message and signature from the test suites of svix and standardwebhooks."""
    found = signature(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, '{"test": 2432232314}'
    )
    assert found == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_any_other_secret_is_the_key_itself() -> None:
    expected = hmac.digest(b"0123456789abcdef", b"m.1.{}", hashlib.sha256)
    assert signature("0123456789abcdef", "m", 1, "{}") == "v1," + base64.b64encode(expected).decode()
    with pytest.raises(ValueError, match="base64"):
        key_of("whsec_?")
