"""What is told and logged of a provider that gives nothing of use."""

from __future__ import annotations

import httpx2
import pytest

from crossguard.review.oidc_failures import no_answer

URL = "https://id.example/keys"
AUTHORITY = "If its certificate is of an authority of your own, name that in SSL_CERT_FILE."
AWAY = f"{URL} cannot be reached. Try again in a moment."


def answered(status: int, **headers: str) -> httpx2.HTTPStatusError:
    request = httpx2.Request("GET", URL)
    return httpx2.HTTPStatusError("", request=request, response=httpx2.Response(status, headers=headers))


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (answered(404), f"{URL} answered 404. Do this."),
        (answered(301, location="/new"), f"{URL} answered 301, a redirect to '/new'. Do this."),
        (ValueError("<html>"), f"{URL} did not answer with JSON. Do this."),
        (answered(503), f"{URL} answered 503. Try again in a moment."),
        (answered(429), f"{URL} answered 429. Try again in a moment."),
        (httpx2.ReadTimeout("slow"), AWAY),
        (
            httpx2.ConnectError("[SSL: X] self-signed certificate"),
            f"{URL} cannot be read through TLS: [SSL: X] self-signed certificate. Do this. {AUTHORITY}",
        ),
    ],
)
def test_only_what_passes_is_worth_another_try(
    error: httpx2.HTTPError | ValueError, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert str(no_answer(URL, error, "Do this.")) == told
    assert URL in caplog.text
    assert caplog.text.count("\n") == 1
