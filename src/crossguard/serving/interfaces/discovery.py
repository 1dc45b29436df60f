"""The discovery document of the Perspective interface, in Google's format (discovery v1)."""

from __future__ import annotations

from typing import Any

STRING = {"type": "string"}
BOOLEAN = {"type": "boolean"}
NUMBER = {"type": "number", "format": "float"}


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
        "resources": {"comments": {"methods": {"analyze": _analyze()}}},
    }


def _analyze() -> dict[str, Any]:
    return {
        "id": "commentanalyzer.comments.analyze",
        "path": "v1alpha1/comments:analyze",
        "flatPath": "v1alpha1/comments:analyze",
        "httpMethod": "POST",
        "description": "Scores a comment.",
        "parameters": {},
        "parameterOrder": [],
        "request": {"$ref": "AnalyzeCommentRequest"},
        "response": {"$ref": "AnalyzeCommentResponse"},
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
            "clientToken": STRING,
        },
    }
    return {name: {"id": name, "type": "object", "properties": properties} for name, properties in objects.items()}


def _map_of(name: str) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": {"$ref": name}}


def _list_of(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}
