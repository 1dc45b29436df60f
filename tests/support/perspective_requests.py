"""Requests of Perspective's clients, and what is read of their answers."""

from __future__ import annotations

from typing import Any

import httpx2

SIX = ("TOXICITY", "SEVERE_TOXICITY", "INSULT", "THREAT", "PROFANITY", "IDENTITY_ATTACK")
TEXT = "Hello you. All people are awful!  My friends"
GERMAN = "Heute war das Wetter wunderbar und wir sind lange spazieren gegangen"


def ask(http: httpx2.Client, *attributes: str, text: str = TEXT, **body: Any) -> httpx2.Response:
    request = {"comment": {"text": text}, "requestedAttributes": {name: {} for name in attributes}, **body}
    return http.post("/v1alpha1/comments:analyze", json=request)


def values(answer: dict[str, Any]) -> dict[str, float]:
    return {name: scores["summaryScore"]["value"] for name, scores in answer["attributeScores"].items()}


def comment(text: str) -> dict[str, Any]:
    return {"comment": {"text": text}, "requestedAttributes": {"TOXICITY": {}}}
