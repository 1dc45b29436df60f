from __future__ import annotations

import pytest

from crossguard.runtimes import cache_key as module
from crossguard.runtimes.cache_key import cache_key


def test_a_key_is_that_of_what_is_told_and_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    key = cache_key("bundle", "text")
    assert len(key) == 64
    assert cache_key("bundle", "text") == key
    assert len({key, cache_key("bundle", "image"), cache_key("text", "bundle")}) == 3
    for name, value in {
        "processor_name": lambda: "another",
        "vector_units": lambda: ("avx9",),
        "EDITION": 99,
        "SHAPES": {"rows": (9, 99)},
        "__version__": "99",
    }.items():
        with monkeypatch.context() as patch:
            patch.setattr(module, name, value)
            assert cache_key("bundle", "text") != key
