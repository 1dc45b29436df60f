"""The process that decodes costly images: bounded in memory and time, at low priority, without files.

It exchanges lines of JSON and raw bytes with the other side, `image_worker.py`; nothing is unpickled.
"""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path
from typing import IO, Any, Final

from PIL import Image

from crossguard.data.image_decoding import DecodedImage, DecodeOptions, decode_bytes
from crossguard.data.image_limits import MEBI, ImageLimits
from crossguard.data.image_modes import bands
from crossguard.errors import ImageError
from crossguard.preprocessing.resize import Square
from crossguard.worker_process import give_way, streams

LONGEST_LINE: Final = 65_536
# What a process may allocate beside the image: its file, and what libraries keep.
_HEADROOM: Final = 96 * MEBI
_PILLOWS_BOUND: Final = Image.MAX_IMAGE_PIXELS or 0


def serve() -> None:
    """Runs in the process: decodes what comes on stdin until that is closed."""
    requests, answers = streams()
    give_way()
    _confine(int(sys.argv[1]))
    answers.write(b"{}\n")
    answers.flush()
    while line := requests.readline(LONGEST_LINE):
        request = json.loads(line)
        _allow_seconds(request["options"]["limits"]["max_seconds"])
        _reply(answers, _outcome(requests.read(request["bytes"]), request))
        answers.flush()


def _outcome(encoded: bytes, request: dict[str, Any]) -> DecodedImage | ImageError:
    fields = request["options"]
    square = None if fields["square"] is None else Square(**fields["square"])
    options = DecodeOptions(**{**fields, "limits": ImageLimits(**fields["limits"]), "square": square})
    # Pillow's own bound, which is one of a whole process, would stop below one of ours that was raised.
    Image.MAX_IMAGE_PIXELS = max(options.limits.max_pixels, _PILLOWS_BOUND)
    try:
        return decode_bytes(encoded, request["name"], options)
    except ImageError as error:
        return error


def _reply(answers: IO[bytes], outcome: DecodedImage | ImageError) -> None:
    if isinstance(outcome, ImageError):
        record = {"error": outcome.code, "message": str(outcome)[:2_000]}
        answers.write(json.dumps(record).encode() + b"\n")
        return
    sizes = [frame.size for frame in outcome.frames]
    answers.write(json.dumps({"sizes": sizes, "sampled": outcome.sampled}).encode() + b"\n")
    for frame in outcome.frames:
        for top, rows in bands(*frame.size):
            answers.write(frame.crop((0, top, frame.width, top + rows)).tobytes())


def _confine(max_decoded_bytes: int) -> None:
    """Bounds memory and forbids files, as far as the system can."""
    try:
        import resource
    except ImportError:  # Windows
        return
    with contextlib.suppress(OSError, ValueError):
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        most = pages * resource.getpagesize() + max_decoded_bytes + _HEADROOM
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    for limit, value in ((resource.RLIMIT_CORE, 0), (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_NOFILE, 32)):
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(limit, (value, value))


def _allow_seconds(seconds: float) -> None:
    """Lets the kernel end the process where the other side is gone and cannot."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        used = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
        hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
        resource.setrlimit(resource.RLIMIT_CPU, (int(used + seconds) + 2, hard))
