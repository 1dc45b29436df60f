"""Settings of the console."""

from __future__ import annotations

import pytest

from crossguard.errors import ConfigError
from crossguard.review.settings import gather


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"oidc_issuer": "https://id.example"}, "oidc_client_id"),
        ({"oidc_roles": "a=boss"}, "a=boss"),
        ({"webhook_url": "https://a.b"}, "secret"),
    ],
)
def test_settings_that_do_not_fit_are_told(given: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        gather(given, {}, None)
