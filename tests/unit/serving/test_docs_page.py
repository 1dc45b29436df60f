"""The page for people, which loads nothing from elsewhere."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Any

from starlette.testclient import TestClient

from crossguard.serving.docs_page import CONTENT_SECURITY, docs_page
from crossguard.serving.interfaces import ENDPOINTS


def page_of(path: str, method: str = "post", **operation: Any) -> str:
    whole = {
        "summary": "Try <this>",
        "tags": ["a&b"],
        "responses": {"200": {"description": "x", "content": {}}},
    } | operation
    return docs_page(
        {
            "info": {"title": "T<>", "version": "1", "description": "d"},
            "paths": {path: {method: whole}},
            "components": {"schemas": {"Body": {"type": "object", "title": "</pre>"}}},
        }
    )


def body(example: Any) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Body"}, "example": example}}
    return {"requestBody": {"content": content}}


def test_the_page_for_people_needs_nothing_from_elsewhere(client: TestClient) -> None:
    page = client.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    for endpoint in ENDPOINTS:
        assert endpoint.path in page.text
    assert "<script>" in page.text
    assert "//" not in page.text.replace("http://127.0.0.1:8080", "")


def test_its_script_and_style_are_the_ones_that_its_policy_allows(client: TestClient) -> None:
    page = client.get("/docs")
    assert page.headers["content-security-policy"] == CONTENT_SECURITY
    for tag in ("script", "style"):
        (inside,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page.text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in CONTENT_SECURITY


def test_everything_is_escaped() -> None:
    page = page_of("/x<y>", **body({"text": "</textarea><b>'"}))
    for text in ("<this>", "<y>", "<b>", "T<>", "a&b<", '"</pre>"'):
        assert text not in page
    assert "Try &lt;this&gt;" in page


def test_a_request_can_be_tried_where_json_is_all_it_needs() -> None:
    assert "data-path='/x'" in page_of("/x", **body({"text": "a"}))
    assert "<textarea" in page_of("/x", **body({"text": "a"}))
    assert "data-path='/x'" in page_of("/x", "get")
    for page in (page_of("/x"), page_of("/x/{name}", "get"), page_of("/v1/admin/x", "get")):
        assert "<form" not in page


def test_a_body_leads_to_its_schema_and_its_example_to_curl() -> None:
    page = page_of("/x", **body({"text": "a"}))
    assert "<a href='#Body'>Body</a>" in page
    assert "<details id='Body'>" in page
    assert "curl -X POST" in page
    assert "<pre>" not in page, "what scrolls is scrolled by the keyboard, too"
    assert "-d &#x27;{&quot;text&quot;: &quot;a&quot;}&#x27;" in page
