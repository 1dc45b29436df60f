"""The service does what its OpenAPI file says, and the page for people lets them try it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from axe_playwright_python.sync_playwright import Axe
from hypothesis import HealthCheck, Phase, settings
from playwright.sync_api import Page, expect, sync_playwright
from tests.support.server import RunningServer

from crossguard.serving.interfaces import ENDPOINTS
from crossguard.serving.openapi import openapi_document

PATIENCE_MS = 120_000  # a browser on a busy machine
# Whether an image can be read, a text has a visible letter, or an attribute is known, no schema can say.
BEYOND_A_SCHEMA = schemathesis.checks.positive_data_acceptance


@schemathesis.serializer("application/jsonlines")
def json_lines(_: schemathesis.SerializationContext, value: object) -> bytes:
    rows = value if isinstance(value, list) else [value]
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


@schemathesis.serializer("multipart/mixed")
def mixed(_: schemathesis.SerializationContext, value: object) -> bytes:
    return json.dumps(value).encode()


schema = schemathesis.openapi.from_dict(openapi_document(ENDPOINTS))
# What is too much is refused before anybody looks whether it is right.
REFUSED = schema.config.checks.negative_data_rejection
REFUSED.expected_statuses = [*REFUSED.expected_statuses, "413"]


@schema.parametrize()
@settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_every_endpoint_answers_as_its_description_says(case: schemathesis.Case[Any], server: RunningServer) -> None:
    # Perspective's clients send null, and PHP's an empty list, where the schema has nothing or an object.
    lenient = [schemathesis.checks.negative_data_rejection] if case.path.startswith("/v1alpha1/") else []
    case.call_and_validate(base_url=server.url, excluded_checks=[BEYOND_A_SCHEMA, *lenient])


@pytest.fixture(scope="module")
def page(server: RunningServer) -> Iterator[Page]:
    """The page for people, on a phone; what goes wrong on it fails the test."""
    executable = shutil.which("chromium") or shutil.which("google-chrome")
    if executable is None:
        pytest.skip("no Chromium on this machine")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 360, "height": 740})
        problems: list[str] = []
        page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.set_default_timeout(PATIENCE_MS)
        page.goto(f"{server.url}/docs")
        yield page
        assert problems == []
        browser.close()


def test_a_request_can_be_tried_on_the_page(page: Page) -> None:
    form = page.locator("form[data-path='/v1/score']")
    page.locator("details", has=form).locator("summary").click()
    form.locator("textarea").fill('{"text": "good morning", "id": "tried"}')
    form.locator("button").click()
    expect(form.locator("output")).to_contain_text('"id": "tried"', timeout=PATIENCE_MS)
    assert form.locator("output").inner_text().startswith("200")


def test_the_page_fits_a_phone_and_its_parts_are_scrolled_by_the_keyboard(page: Page) -> None:
    page.evaluate("document.querySelectorAll('details').forEach((part) => { part.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    assert [entry["id"] for entry in found if entry["impact"] in {"serious", "critical"}] == []
