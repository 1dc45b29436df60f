"""Compares what is deployed with AWS's own descriptions.

Requests with botocore's models, more strictly than botocore: also enumerations, patterns and bounds. Templates with the
schemas of CloudFormation that cfn-lint carries.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from botocore.session import Session
from cfnlint import lint

from crossguard.deploy.sagemaker.aws import Request

MODELS = Session()
# What AWS's patterns have of Java's, as Python writes it.
JAVA = {r"\p{L}\p{Z}\p{N}": r"\w\s", r"\p{Print}": "[ -~]", r"\uD800\uDC00-\uDBFF\uDFFF": ""}


@functools.cache
def service_model(service: str) -> Any:
    return MODELS.get_service_model(service)


def problems(requests: Iterable[Request], service: str = "sagemaker") -> list[str]:
    """Every value that the service's model does not allow."""
    found = []
    for request in requests:
        shape = service_model(service).operation_model(request.operation).input_shape
        found += [f"{request.operation}{text}" for text in _walk(request.parameters, shape)]
    return found


def lint_problems(template: Mapping[str, Any]) -> list[str]:
    """All that is wrong with a CloudFormation template."""
    return [str(match) for match in lint(json.dumps(template), regions=["eu-central-1"])]


def operations(service: str) -> set[str]:
    return set(service_model(service).operation_names)


def _walk(value: Any, shape: Any) -> Iterator[str]:
    kind = shape.type_name
    if kind == "structure":
        for name in shape.required_members:
            if name not in value:
                yield f".{name}: missing"
        for name, inner in value.items():
            if name not in shape.members:
                yield f".{name}: unknown"
            else:
                yield from (f".{name}{text}" for text in _walk(inner, shape.members[name]))
    elif kind == "list":
        yield from _bounds(len(value), shape.metadata)
        for index, inner in enumerate(value):
            yield from (f"[{index}]{text}" for text in _walk(inner, shape.member))
    elif kind == "map":
        assert isinstance(value, Mapping)
        yield from _bounds(len(value), shape.metadata)
        for name, inner in value.items():
            yield from (f"[{name} as key]{text}" for text in _walk(name, shape.key))
            yield from (f"[{name}]{text}" for text in _walk(inner, shape.value))
    else:
        yield from _scalar(value, shape, kind)


def _scalar(value: Any, shape: Any, kind: str) -> Iterator[str]:
    expected = {
        "string": str,
        "integer": int,
        "long": int,
        "boolean": bool,
        "float": float | int,
        "double": float | int,
    }
    if kind in expected and (not isinstance(value, expected[kind]) or (kind == "integer" and value is True)):
        yield f": {value!r} is no {kind}"
        return
    yield from _bounds(len(value) if kind in {"string", "blob"} else value, shape.metadata)
    if shape.metadata.get("enum") and value not in shape.metadata["enum"]:
        yield f": {value!r} is not one of {len(shape.metadata['enum'])}"
    pattern = shape.metadata.get("pattern", ".*")
    for java, python in JAVA.items():
        pattern = pattern.replace(java, python)
    if kind == "string" and not re.fullmatch(pattern, value, re.DOTALL):
        yield f": {value!r} does not match {pattern}"


def _bounds(value: float, metadata: Mapping[str, Any]) -> Iterator[str]:
    if isinstance(value, bool):
        return
    if "min" in metadata and value < metadata["min"]:
        yield f": {value} is below {metadata['min']}"
    if "max" in metadata and value > metadata["max"]:
        yield f": {value} is above {metadata['max']}"
