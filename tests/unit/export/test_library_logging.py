"""Libraries are quiet while they are called, and not afterwards."""

from __future__ import annotations

import logging

import pytest

from crossguard.export.library_logging import silenced


def test_warnings_are_kept_back_and_errors_are_not(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("tests.talkative")
    logger.setLevel(logging.INFO)
    with silenced("tests.talkative"):
        logger.warning("every layer")
        logger.error("broken")
    logger.info("after")
    assert [record.getMessage() for record in caplog.records] == ["broken", "after"]


def test_the_level_comes_back_after_an_error() -> None:
    logger = logging.getLogger("tests.talkative")
    logger.setLevel(logging.DEBUG)
    with pytest.raises(ZeroDivisionError), silenced("tests.talkative"):
        raise ZeroDivisionError
    assert logger.level == logging.DEBUG
