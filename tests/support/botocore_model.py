"""Compares requests with botocore's service models more strictly than botocore: also enumerations, patterns, bounds."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from botocore import xform_name
from botocore.session import Session

from crossguard.deploy.sagemaker import Call, Step

MODELS = Session()
# What AWS's patterns have of Java's, as Python writes it.
JAVA = {r"\p{L}\p{Z}\p{N}": r"\w\s", r"\p{Print}": "[ -~]", r"\uD800\uDC00-\uDBFF\uDFFF": ""}


@functools.cache
def service_model(service: str) -> Any:
    return MODELS.get_service_model(service)


def problems(steps: Iterable[Step]) -> list[str]:
    """Every value that the service's model does not allow."""
    found = []
    for step in steps:
        if isinstance(step, Call):
            operation = service_model(step.service).operation_model(step.operation)
            found += [f"{step.operation}{text}" for text in _walk(step.to_dict()["parameters"], operation.input_shape)]
    return found


def operations(service: str) -> set[str]:
    return set(service_model(service).operation_names)


def waiters(service: str) -> set[str]:
    """Names of a service's waiters, as boto3 spells them."""
    return {xform_name(name) for name in MODELS.get_waiter_model(service).waiter_names}


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
