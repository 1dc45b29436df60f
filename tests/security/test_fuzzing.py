"""A few seconds of `make fuzz`: each target runs, and finds nothing."""

from __future__ import annotations

import re

import pytest
from tests.security.fuzzing import TARGETS
from tests.support.own_process import run_python


@pytest.mark.parametrize("target", TARGETS)
def test_nothing_but_our_own_errors(target: str) -> None:
    """In a process of its own: memory that a decoder spoils ends this test, and none of those after it."""
    fuzzing = ("-m", "tests.security.fuzzing", "--target", target, "--seconds", "5", "--seed", "0")
    tried = re.search(
        rf"^{target}: ([0-9,]+) examples, nothing found$", run_python(*fuzzing, seconds=300), re.MULTILINE
    )
    assert tried
    assert int(tried[1].replace(",", "")) >= 100
