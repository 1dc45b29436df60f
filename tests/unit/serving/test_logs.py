"""Lines of the log, for programs and for eyes; they hold nothing of a post."""

from __future__ import annotations

import errno
import json
import logging
import warnings
from collections.abc import Iterator

import pytest

from crossguard.serving import logs
from crossguard.serving.gathering import GatheringHandler
from crossguard.serving.logs import JsonFormatter, TextFormatter, configure, event, failure


def record_of(caplog: pytest.LogCaptureFixture) -> logging.LogRecord:
    (record,) = caplog.records
    return record


@pytest.fixture
def heard(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> pytest.LogCaptureFixture:
    """What is logged, whatever an earlier test configured."""
    monkeypatch.setattr(logs.logger, "handlers", [caplog.handler])
    monkeypatch.setattr(logs.logger, "propagate", False)
    caplog.set_level("DEBUG", logs.logger.name)
    return caplog


def test_a_line_for_programs(heard: pytest.LogCaptureFixture) -> None:
    event("request", logging.WARNING, route="/v1/score", text="h\u00e9", odd={1})
    line = JsonFormatter().format(record_of(heard))
    found = json.loads(line)
    assert found.pop("time").endswith("+00:00")
    assert found == {"level": "warning", "event": "request", "route": "/v1/score", "text": "h\u00e9", "odd": "{1}"}
    assert "\n" not in line


def test_a_line_for_eyes(heard: pytest.LogCaptureFixture) -> None:
    event("listening", url="http://a")
    _, _, rest = TextFormatter().format(record_of(heard)).partition(" ")
    assert rest == "info    listening url=http://a"


def fail(error: Exception) -> None:
    raise error


def test_a_failure_is_told_without_its_message(heard: pytest.LogCaptureFixture) -> None:
    try:
        fail(ValueError("qzxv, the words of a post"))
    except ValueError as error:
        failure("request_failed", error, request_id="1")
    found = json.loads(JsonFormatter().format(record_of(heard)))
    assert (found["error"], found["request_id"], found["level"]) == ("ValueError", "1", "error")
    assert found["where"][-1].endswith(" fail")
    assert "qzxv" not in str(found)


def test_what_other_libraries_log_of_an_exception_is_its_type(heard: pytest.LogCaptureFixture) -> None:
    try:
        fail(KeyError("qzxv"))
    except KeyError:
        logs.logger.exception("it failed")
    line = JsonFormatter().format(record_of(heard))
    assert json.loads(line)["error"] == "KeyError"
    assert "qzxv" not in line


def test_an_error_of_a_library_may_have_a_text_in_place_of_its_number(heard: pytest.LogCaptureFixture) -> None:
    try:
        fail(OSError("qzxv", "cannot"))
    except OSError:
        logs.logger.exception("it failed")
    assert "reason" not in json.loads(JsonFormatter().format(record_of(heard)))


@pytest.fixture
def configured() -> Iterator[None]:
    """Puts back afterwards what the test configures."""
    loggers = [logging.getLogger(name) for name in (None, "crossguard", "uvicorn")]
    before = [(list(each.handlers), each.propagate, each.level) for each in loggers]
    with warnings.catch_warnings():
        yield
    for each, (handlers, propagate, level) in zip(loggers, before, strict=True):
        each.handlers[:], each.propagate = handlers, propagate
        each.setLevel(level)


@pytest.mark.usefixtures("configured")
@pytest.mark.parametrize(("style", "kind"), [("json", JsonFormatter), ("text", TextFormatter), ("auto", JsonFormatter)])
def test_events_go_to_stderr_in_the_style_that_was_asked_for(style: str, kind: type[logging.Formatter]) -> None:
    configure("debug", "text")
    configure("warning", style)
    for name in ("crossguard", "uvicorn"):
        target = logging.getLogger(name)
        (handler,) = target.handlers
        assert isinstance(handler, GatheringHandler)
        assert isinstance(handler.formatter, kind)
        assert not target.propagate
    assert logging.getLogger("crossguard").level == logging.WARNING


@pytest.mark.usefixtures("configured")
def test_what_libraries_say_is_a_line_without_its_words(capsys: pytest.CaptureFixture[str]) -> None:
    """Such as asyncio of a task that failed, and Pillow of an image."""
    configure("info", "json")
    warnings.simplefilter("always")
    warnings.warn("qzxv is no EXIF", UserWarning, stacklevel=1)
    other = logging.getLogger("asyncio")
    other.error("socket.accept() out of system resource\nqzxv", exc_info=OSError(errno.EMFILE, "qzxv"))
    other.warning("qzxv")
    said = capsys.readouterr().err
    assert "qzxv" not in said
    warned, failed, told = map(json.loads, said.splitlines())
    assert (warned["event"], warned["level"], warned["warning"]) == ("warning", "warning", "UserWarning")
    assert __file__ in warned["where"]
    assert (failed["event"], failed["error"], failed["reason"]) == ("asyncio", "OSError", "Too many open files")
    assert (told["event"], told["level"]) == ("asyncio", "warning")
    assert told["where"].startswith("test_logs.py:")
