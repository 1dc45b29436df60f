"""A few seconds of `make fuzz`: each target runs, and finds nothing."""

from __future__ import annotations

import pytest
from tests.security.fuzzing import TARGETS, fuzz

SECONDS = 5


@pytest.mark.parametrize("target", TARGETS)
def test_nothing_but_our_own_errors(target: str) -> None:
    assert fuzz(target, SECONDS) >= 100
