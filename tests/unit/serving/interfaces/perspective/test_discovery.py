"""The discovery document, as Google's client libraries read it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from googleapiclient.discovery import build_from_document
from googleapiclient.http import HttpMock
from starlette.testclient import TestClient
from tests.support.serving import client_of, service_of

from crossguard.moderator import Moderator
from crossguard.serving.interfaces.perspective.discovery import MESSAGES, discovery_document


def entries(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from entries(value)


def test_it_names_the_address_that_was_called(perspective: TestClient) -> None:
    found = perspective.get("/$discovery/rest", params={"version": "v1alpha1"}).json()
    assert found == discovery_document("http://testserver/")
    assert (found["rootUrl"] + found["batchPath"]) == "http://testserver/batch"


def test_behind_a_proxy_it_names_the_public_address(attributed: Moderator) -> None:
    client = client_of(service_of(attributed, public_url="https://crossguard.example.com/"))
    found = client.get("/$discovery/rest").json()
    assert found["rootUrl"] == found["baseUrl"] == "https://crossguard.example.com/"


def test_every_reference_is_a_schema_and_every_method_has_both_messages() -> None:
    document = discovery_document("http://a/")
    references = {entry["$ref"] for entry in entries(document) if "$ref" in entry}
    assert references <= set(document["schemas"])
    assert {model.__name__ for model in MESSAGES} <= set(document["schemas"])
    assert all(name == schema["id"] for name, schema in document["schemas"].items())
    methods = document["resources"]["comments"]["methods"]
    assert {method["path"] for method in methods.values()} == {
        "v1alpha1/comments:analyze",
        "v1alpha1/comments:suggestscore",
    }


def test_parameters_that_every_api_of_google_has_are_taken() -> None:
    client = build_from_document(discovery_document("http://a/"), http=HttpMock())
    request = client.comments().analyze(body={}, fields="attributeScores", prettyPrint=False, quotaUser="forum")
    assert request.uri.startswith("http://a/v1alpha1/comments:analyze?")


def test_schemas_know_no_null_and_no_union() -> None:
    schemas = discovery_document("http://a/")["schemas"]
    assert not any({"anyOf", "default", "title"} & set(entry) - {"properties"} for entry in schemas.values())
    token = schemas["AnalyzeCommentRequest"]["properties"]["clientToken"]
    assert token == {"type": "string"}
    scores = schemas["AnalyzeCommentResponse"]["properties"]["attributeScores"]
    assert scores["additionalProperties"] == {"$ref": "AttributeScores"}
