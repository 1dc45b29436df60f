"""Very long texts are cleaned and tokenised in a process of low priority.

Cleaning holds the interpreter for milliseconds at a time, and tens of milliseconds in all. In the process of a service,
every other request would wait for it at each of a dozen steps.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter

from crossguard.preprocessing.text import TextEncoder, TextSpec, Tokens
from crossguard.worker_process import WorkerProcess, give_way, streams

# Far more than any text takes, even on a busy machine.
MOST_SECONDS: Final = 60.0


class TextWorker:
    """A process with a `TextEncoder`, of the same arguments, that starts with the first text. Any thread may use it."""

    def __init__(
        self, tokenizer_file: Path, spec: TextSpec, languages: Sequence[str] = (), *, alike: bool = False
    ) -> None:
        self._arguments = (str(tokenizer_file), spec.model_dump_json(), json.dumps([list(languages), alike]))
        self._lock = threading.Lock()
        self._process: WorkerProcess | None = None
        self._closed = False

    def encode(self, text: str, image_text: str) -> Tokens:
        """Returns what `TextEncoder.encode` does for one pair.

        Raises:
            RuntimeError: The process ended, or took too long and was ended. The next text gets another one.
        """
        with self._lock:
            if self._closed:
                raise RuntimeError("the process that cleans long texts was stopped")
            if self._process is None:
                self._process = WorkerProcess(__name__, *self._arguments)
            try:
                with self._process.deadline(MOST_SECONDS):
                    return _exchange(self._process, text, image_text)
            except (OSError, ValueError):
                self._end()
                raise RuntimeError("the process that cleans long texts ended") from None

    def close(self) -> None:
        """Ends the process; a text that it has fails."""
        self._closed = True
        if self._process is not None:
            self._process.kill()
        with self._lock:
            self._end()

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.close()


def _exchange(process: WorkerProcess, text: str, image_text: str) -> Tokens:
    parts = [part.encode("utf-8", "surrogatepass") for part in (text, image_text)]
    process.requests.write(json.dumps([len(part) for part in parts]).encode() + b"\n" + b"".join(parts))
    process.requests.flush()
    return _tokens().validate_json(process.answers.readline())


@cache
def _tokens() -> TypeAdapter[Tokens]:
    """Reads and writes tokens; made when the first long text comes."""
    return TypeAdapter(Tokens)


def serve() -> None:
    """Runs in the process: encodes what comes on stdin until that is closed."""
    requests, answers = streams()
    give_way()
    tokenizer_file, spec, reading = sys.argv[1:]
    languages, alike = json.loads(reading)
    encoder = TextEncoder(Path(tokenizer_file), TextSpec.model_validate_json(spec), languages, alike=alike)
    while line := requests.readline():
        text, image_text = (requests.read(size).decode("utf-8", "surrogatepass") for size in json.loads(line))
        tokens = encoder.encode([(text, image_text)])[0]
        answers.write(_tokens().dump_json(tokens) + b"\n")
        answers.flush()
