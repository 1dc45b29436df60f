"""What an endpoint may run on."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from crossguard.deploy.sagemaker import Asynchronous, Realtime, Serverless


def test_wrong_capacities_are_told() -> None:
    with pytest.raises(ValidationError, match="must not be below instances"):
        Realtime(instances=3, max_instances=2)
    with pytest.raises(ValidationError, match="must not be below instances"):
        Asynchronous(input="s3://bucket/in/", output="s3://bucket/out/", instances=3, max_instances=2)
    with pytest.raises(ValidationError, match="memory_mb"):
        Serverless(memory_mb=1000)  # type: ignore[arg-type]  # the mistake under test
