"""The discovery document of the Perspective interface, in Google's format (discovery v1)."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from crossguard.serving.call import Call
from crossguard.serving.json_bodies import as_json

STRING = {"type": "string"}
BOOLEAN = {"type": "boolean"}
NUMBER = {"type": "number", "format": "float"}


async def discovery(call: Call) -> Response:
    """Gives Google's client libraries the description of this interface, at the address that they called."""
    return as_json(discovery_document(str(call.request.base_url)))


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
    objects: dict[str, dict[str, Any]] = {
        "TextEntry": {"text": STRING, "type": STRING},
        "AttributeParameters": {"scoreType": STRING, "scoreThreshold": NUMBER},
        "AnalyzeCommentRequest": {
            "comment": {"$ref": "TextEntry"},
            "requestedAttributes": _map_of("AttributeParameters"),
            "languages": _list_of(STRING),
            "doNotStore": BOOLEAN,
            "clientToken": STRING,
            "sessionId": STRING,
            "communityId": STRING,
            "spanAnnotations": BOOLEAN,
        },
        "Score": {"value": NUMBER, "type": STRING},
        "SpanScore": {
            "begin": {"type": "integer", "format": "int32"},
            "end": {"type": "integer", "format": "int32"},
            "score": {"$ref": "Score"},
        },
        "AttributeScores": {"spanScores": _list_of({"$ref": "SpanScore"}), "summaryScore": {"$ref": "Score"}},
        "AnalyzeCommentResponse": {
            "attributeScores": _map_of("AttributeScores"),
            "languages": _list_of(STRING),
            "detectedLanguages": _list_of(STRING),
            "clientToken": STRING,
        },
        "SuggestCommentScoreRequest": {
            "comment": {"$ref": "TextEntry"},
            "attributeScores": _map_of("AttributeScores"),
            "languages": _list_of(STRING),
            "clientToken": STRING,
            "communityId": STRING,
        },
        "SuggestCommentScoreResponse": {"clientToken": STRING, "requestedLanguages": _list_of(STRING)},
    }
    return {name: {"id": name, "type": "object", "properties": properties} for name, properties in objects.items()}


def _map_of(name: str) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": {"$ref": name}}


def _list_of(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}
