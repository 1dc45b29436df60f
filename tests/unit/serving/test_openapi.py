"""The OpenAPI file: complete, consistent, and as it is committed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from crossguard.serving.endpoints import HttpEndpoint
from crossguard.serving.interfaces import ENDPOINTS
from crossguard.serving.openapi import BODY_ERRORS, openapi_document

FILE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "openapi.json"
DOCUMENT = openapi_document(ENDPOINTS)
OPERATIONS = [operation for operations in DOCUMENT["paths"].values() for operation in operations.values()]


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def test_the_committed_file_is_current(client: TestClient) -> None:
    assert json.loads(FILE.read_text(encoding="utf-8")) == DOCUMENT == client.get("/openapi.json").json()


def test_every_reference_leads_to_a_schema() -> None:
    found = set(references(DOCUMENT))
    assert found
    assert {name.rpartition("/")[2] for name in found} <= set(DOCUMENT["components"]["schemas"])


def test_every_operation_has_a_name_of_its_own() -> None:
    names = [operation["operationId"] for operation in OPERATIONS]
    assert len(set(names)) == len(names) == len(ENDPOINTS)


def test_what_reads_a_body_may_refuse_it_and_what_is_open_asks_for_no_key() -> None:
    score = DOCUMENT["paths"]["/v1/score"]["post"]
    assert set(score["responses"]) == {"200", "503", *BODY_ERRORS}
    assert score["security"] == [{}, {"bearer": []}, {"header": []}]
    health = DOCUMENT["paths"]["/healthz"]["get"]
    assert set(health["responses"]) == {"200", "503"}
    assert "security" not in health
    assert set(DOCUMENT["paths"]["/ping"]["get"]["responses"]) == {"200"}, "probes are answered always"
    assert {"400", "401", "403", "429"} <= set(DOCUMENT["paths"]["/v1/admin/reload"]["post"]["responses"])


def test_parameters_are_those_of_the_path_and_the_query() -> None:
    (name,) = DOCUMENT["paths"]["/v1/models/{name}"]["get"]["parameters"]
    assert (name["in"], name["name"], name["required"]) == ("path", "name", True)
    (key,) = DOCUMENT["paths"]["/v1alpha1/comments:analyze"]["post"]["parameters"]
    assert (key["in"], key["name"], key["required"]) == ("query", "key", False)


@pytest.mark.parametrize(
    "endpoint",
    [entry for entry in ENDPOINTS if entry.example is not None],
    ids=lambda endpoint: f"{endpoint.method} {endpoint.path}",
)
def test_every_example_works(client: TestClient, endpoint: HttpEndpoint) -> None:
    example = DOCUMENT["paths"][endpoint.path]["post"]["requestBody"]["content"]["application/json"]["example"]
    assert client.post(endpoint.path, json=example).status_code == 200
