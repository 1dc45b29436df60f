"""Decodes in processes of their own what could take long or much memory: killed at a deadline, and replaced.

An image is decoded here unless its header proves that it is cheap, so that ordinary images cost nothing more. The
process may use only the memory of one image, writes no files, and runs at low priority; a fault in a decoder written in
C ends it, and not the service. What it does is in `image_process.py`.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import threading
from dataclasses import asdict
from typing import Final

from PIL import Image

from crossguard.data.image_decoding import DecodedImage, DecodeOptions, check_size, decode_bytes
from crossguard.data.image_formats import has_signature
from crossguard.data.image_headers import read_header
from crossguard.data.image_limits import MEBI, ImageLimits
from crossguard.data.image_modes import bands
from crossguard.data.image_process import LONGEST_LINE
from crossguard.errors import ImageError
from crossguard.worker_process import WorkerProcess, in_forks

# What the header has to prove for an image to be decoded at once: a few tenths of a second at worst.
CHEAP_BYTES: Final = 8 * MEBI
CHEAP_JPEG_PIXELS: Final = 24_000_000
CHEAP_JPEG_PASSES: Final = 256_000_000
CHEAP_PIXELS: Final = 5_000_000
CHEAP_MEMORY: Final = 64 * MEBI
# Each may take `max_decoded_bytes`, so there are few, however many cores there are.
MOST_PROCESSES: Final = 4
# Long enough to start a process on a busy machine.
_START_SECONDS: Final = 60.0


def decode_safely(encoded: bytes, name: str, options: DecodeOptions) -> DecodedImage:
    """Decodes an image file: at once where it is known to be cheap, else in a process with a deadline."""
    if is_cheap(encoded, options):
        return decode_bytes(encoded, name, options)
    return _pool.decode(encoded, name, options)


def is_cheap(encoded: bytes, options: DecodeOptions) -> bool:
    """Whether decoding takes little time and memory, as far as the header of the file proves it."""
    if not has_signature(encoded):
        return True  # no decoder is asked
    header = read_header(encoded, options.limits.max_frames) if len(encoded) <= CHEAP_BYTES else None
    if header is None:
        return False
    if header.kind != "JPEG":
        return header.pixels <= CHEAP_PIXELS
    pixels = header.width * header.height
    scale = 1 if options.size_hint is None else min(header.width, header.height) // options.size_hint
    memory = pixels * (header.coefficients + 8 / next((s * s for s in (8, 4, 2) if scale >= s), 1))
    passes = pixels * header.scans
    return pixels <= CHEAP_JPEG_PIXELS and passes <= CHEAP_JPEG_PASSES and memory <= CHEAP_MEMORY


def close_image_workers() -> None:
    """Kills the processes that decode images, and starts no more: for a program that is about to end.

    Images that are being decoded fail at once, so that no thread keeps the program alive.
    """
    _pool.close()


class _Worker(WorkerProcess):
    """One process. Serves one image at a time.

    Raises:
        ImageError: It does not start.
    """

    def __init__(self, limits: ImageLimits) -> None:
        super().__init__("crossguard.data.image_process", str(limits.max_decoded_bytes))
        self.limits = limits
        with self.deadline(_START_SECONDS):
            ready = self.answers.readline(LONGEST_LINE)
        if not ready:
            self.close()
            raise ImageError("image_timed_out", "The process that decodes costly images did not start; try again.")

    def decode(self, encoded: bytes, name: str, options: DecodeOptions) -> DecodedImage:
        request = {"options": asdict(options), "name": name, "bytes": len(encoded)}
        with self.deadline(options.limits.max_seconds):
            with contextlib.suppress(BrokenPipeError):
                self.requests.write(json.dumps(request).encode() + b"\n")
                self.requests.write(encoded)
                self.requests.flush()
            return self._answer(name)

    def _answer(self, name: str) -> DecodedImage:
        try:
            line = self.answers.readline(LONGEST_LINE)
            if not line.endswith(b"\n"):
                raise self._ended(name)
            answer = json.loads(line)
            if "error" in answer:
                raise ImageError(str(answer["error"]), str(answer["message"]))
            frames = []
            for width, height in answer["sizes"]:
                check_size((width, height), name, self.limits)
                frames.append(self._frame(width, height, name))
            return DecodedImage(frames, sampled=bool(answer["sampled"]))
        except (ValueError, KeyError, TypeError):  # a process that a file took over could answer anything
            self.kill()
            raise self._ended(name) from None

    def _frame(self, width: int, height: int, name: str) -> Image.Image:
        frame = Image.new("RGB", (width, height))
        for top, rows in bands(width, height):
            band = self.answers.read(3 * width * rows)
            if len(band) < 3 * width * rows:
                raise self._ended(name)
            frame.paste(Image.frombytes("RGB", (width, rows), band), (0, top))
        return frame

    def _ended(self, name: str) -> ImageError:
        seconds = self.limits.max_seconds
        if self.timed_out:
            return ImageError("image_timed_out", f"An image may take {seconds:g} s to decode; {name} takes longer.")
        if _pool.closed:
            return ImageError("image_timed_out", f"Crossguard was stopped while {name} was decoded.")
        return ImageError("image_broken", f"The image cannot be decoded: {name} (the decoder crashed).")


class _Pool:
    """Starts processes when they are needed, and keeps them for the next image."""

    def __init__(self) -> None:
        self._idle: list[_Worker] = []
        self.closed = False
        self.renew()

    def renew(self) -> None:
        """Makes locks that nobody holds; in a fork, where processes that the parent keeps are found to have ended."""
        self._lock = threading.Lock()
        self._turns = threading.BoundedSemaphore(max(1, min(MOST_PROCESSES, os.cpu_count() or 1)))
        self._busy: set[_Worker] = set()

    def decode(self, encoded: bytes, name: str, options: DecodeOptions) -> DecodedImage:
        with self._turns:
            worker = self._take(options.limits, name)
            kept = False
            try:
                decoded = worker.decode(encoded, name, options)
                kept = True
            except ImageError:
                kept = True
                raise
            finally:
                self._give_back(worker, kept=kept and worker.alive and not worker.timed_out)
            return decoded

    def close(self) -> None:
        with self._lock:
            self.closed = True
            while self._idle:
                self._idle.pop().close()
            for worker in self._busy:
                worker.kill()

    def _take(self, limits: ImageLimits, name: str) -> _Worker:
        with self._lock:
            if self.closed:
                raise ImageError("image_timed_out", f"Crossguard was stopped before {name} was decoded.")
            while self._idle:
                worker = self._idle.pop()
                if worker.alive and worker.limits.max_decoded_bytes == limits.max_decoded_bytes:
                    worker.limits = limits
                    self._busy.add(worker)
                    return worker
                worker.close()
        worker = _Worker(limits)
        with self._lock:
            self._busy.add(worker)
        return worker

    def _give_back(self, worker: _Worker, *, kept: bool) -> None:
        with self._lock:
            self._busy.discard(worker)
            if kept and not self.closed:
                self._idle.append(worker)
                return
        worker.close()


_pool = _Pool()
atexit.register(close_image_workers)
in_forks(_pool.renew)
