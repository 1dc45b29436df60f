"""Perspective's interface, as its clients call it: analyze, suggestscore, batches of both, and the discovery document.

`attributes` says which numbers a model has for Perspective's names, `schema` what is read and written.
"""

from __future__ import annotations

from crossguard.labels import UNION
from crossguard.serving.call import Access
from crossguard.serving.endpoints import HttpEndpoint
from crossguard.serving.interfaces.perspective.analyze import analyze
from crossguard.serving.interfaces.perspective.batches import MIXED, batch
from crossguard.serving.interfaces.perspective.discovery import discover
from crossguard.serving.interfaces.perspective.schema import (
    FAMILY,
    AnalyzeCommentRequest,
    AnalyzeCommentResponse,
    SuggestCommentScoreRequest,
    SuggestCommentScoreResponse,
)
from crossguard.serving.interfaces.perspective.suggestions import suggest_score
from crossguard.serving.json_bodies import JSON

__all__ = ["ENDPOINTS", "FAMILY"]

KEY = {"key": "API key, as Google's clients send it."}

ENDPOINTS = (
    HttpEndpoint(
        "POST",
        "/v1alpha1/comments:analyze",
        FAMILY,
        "Perspective's analyze request",
        analyze,
        requests={JSON: AnalyzeCommentRequest},
        responses={JSON: AnalyzeCommentResponse},
        example={"comment": {"text": "good morning"}, "requestedAttributes": {UNION: {}}},
        query=KEY,
    ),
    HttpEndpoint(
        "POST",
        "/v1alpha1/comments:suggestscore",
        FAMILY,
        "Perspective's suggestion of a better score; kept only where the operator wants it",
        suggest_score,
        requests={JSON: SuggestCommentScoreRequest},
        responses={JSON: SuggestCommentScoreResponse},
        example={"comment": {"text": "good morning"}, "attributeScores": {UNION: {"summaryScore": {"value": 0.0}}}},
        query=KEY,
    ),
    HttpEndpoint(
        "POST",
        "/batch",
        FAMILY,
        "Several of these requests in one, as Google's client libraries pack them; each with its own key",
        batch,
        requests={MIXED: None},
        responses={MIXED: None},
        access=Access.OPEN,
    ),
    HttpEndpoint(
        "GET",
        "/$discovery/rest",
        FAMILY,
        "Discovery document for Google's client libraries",
        discover,
        responses={JSON: None},
        access=Access.OPEN,
        query={"version": "Ignored; there is only v1alpha1."},
    ),
)
