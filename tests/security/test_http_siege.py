"""All attacks at once, beside honest callers; `python -m benchmarks.siege --seconds 300` is the long form."""

from __future__ import annotations

import pytest
from benchmarks.siege import CAP_MEBIBYTES, besiege

from crossguard.bundle import Bundle


@pytest.mark.slow
def test_no_honest_caller_is_failed_under_siege(tiny_bundle: Bundle) -> None:
    # How much slower it gets is measured by the long form: tests share their cores.
    result = besiege(tiny_bundle.folder, seconds=16)
    assert result.failures == {}
    assert result.honest_requests > 300
    assert result.peak_mebibytes < CAP_MEBIBYTES
    assert sum(result.attacks.values()) > 100
