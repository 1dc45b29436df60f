"""The discovery document of the Perspective interface, in Google's format (discovery v1)."""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import models_json_schema
from starlette.responses import Response

from crossguard.serving.call import Call
from crossguard.serving.interfaces.perspective.schema import (
    AnalyzeCommentRequest,
    AnalyzeCommentResponse,
    SuggestCommentScoreRequest,
    SuggestCommentScoreResponse,
)
from crossguard.serving.json_bodies import as_json

MESSAGES = (
    AnalyzeCommentRequest,
    AnalyzeCommentResponse,
    SuggestCommentScoreRequest,
    SuggestCommentScoreResponse,
)


async def discover(call: Call) -> Response:
    """Gives Google's client libraries a description of this interface, at its public address or the one called."""
    public = call.settings.public_url
    return as_json(discovery_document(f"{public}/" if public else str(call.request.base_url)))


def discovery_document(root_url: str) -> dict[str, Any]:
    """Returns the document for a service at an address that ends with a slash."""
    return {
        "kind": "discovery#restDescription",
        "discoveryVersion": "v1",
        "id": "commentanalyzer:v1alpha1",
        "name": "commentanalyzer",
        "version": "v1alpha1",
        "title": "Crossguard behind Perspective's interface",
        "protocol": "rest",
        "rootUrl": root_url,
        "servicePath": "",
        "baseUrl": root_url,
        "batchPath": "batch",
        "parameters": {
            "key": {"type": "string", "location": "query", "description": "API key."},
            "alt": {"type": "string", "location": "query", "enum": ["json"], "default": "json"},
            # Accepted: without them, Google's clients refuse calls that worked.
            "fields": {"type": "string", "location": "query", "description": "Ignored; the answer is whole."},
            "prettyPrint": {"type": "boolean", "location": "query", "description": "Ignored; the answer is one line."},
            "quotaUser": {"type": "string", "location": "query", "description": "Ignored; rates are those of the key."},
        },
        "schemas": _schemas(),
        "resources": {
            "comments": {
                "methods": {
                    "analyze": _method("analyze", "AnalyzeComment", "Scores a comment."),
                    "suggestscore": _method("suggestscore", "SuggestCommentScore", "Suggests a better score."),
                }
            }
        },
    }


def _method(name: str, messages: str, description: str) -> dict[str, Any]:
    return {
        "id": f"commentanalyzer.comments.{name}",
        "path": f"v1alpha1/comments:{name}",
        "flatPath": f"v1alpha1/comments:{name}",
        "httpMethod": "POST",
        "description": description,
        "parameters": {},
        "parameterOrder": [],
        "request": {"$ref": f"{messages}Request"},
        "response": {"$ref": f"{messages}Response"},
    }


def _schemas() -> dict[str, Any]:
    modes = [(model, "validation") for model in MESSAGES]
    _, definitions = models_json_schema(modes, ref_template="{model}")  # type: ignore[arg-type]  # a list is invariant
    return {name: {"id": name} | _draft3(schema) for name, schema in definitions["$defs"].items()}


def _draft3(schema: dict[str, Any]) -> dict[str, Any]:
    """Returns a JSON schema as discovery documents write it, which know no null and no unions."""
    if "anyOf" in schema:
        schema = next(entry for entry in schema["anyOf"] if entry != {"type": "null"})
    kept: dict[str, Any] = {name: schema[name] for name in ("$ref", "type", "description") if name in schema}
    for name in ("items", "additionalProperties"):
        if isinstance(schema.get(name), dict):
            kept[name] = _draft3(schema[name])
    if "properties" in schema:
        kept["properties"] = {name: _draft3(entry) for name, entry in schema["properties"].items()}
    return kept
