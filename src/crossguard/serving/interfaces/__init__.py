"""One file per interface: the models of its bodies, its handlers, its error shape, its endpoints."""

from __future__ import annotations

from crossguard.serving.endpoints import HttpEndpoint
from crossguard.serving.interfaces import openai, operations, perspective, sagemaker, score

ENDPOINTS: tuple[HttpEndpoint, ...] = (
    *score.ENDPOINTS,
    *openai.ENDPOINTS,
    *perspective.ENDPOINTS,
    *sagemaker.ENDPOINTS,
    *operations.ENDPOINTS,
)
