"""Mutated images, tables, manifests and requests: only errors of Crossguard may come out, and answers below 500.

    python -m tests.security.fuzzing --seconds 3600 [--target images] [--seed 7]

Hypothesis makes the mutations, shrinks what fails to its smallest form, and keeps it in `.hypothesis` for the next run.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import logging
import os
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.database import DirectoryBasedExampleDatabase
from PIL import Image
from tests.support.hostile_images import gif, many_scans, png
from tests.support.pictures import encoded
from tests.support.tiny_bundle import manifest, write_tiny_bundle

from crossguard.bundle import parse_manifest
from crossguard.data.image_decoding import DecodeOptions, decode_bytes
from crossguard.data.image_limits import ImageLimits
from crossguard.data.tables import PostReader
from crossguard.errors import BundleError, ImageError, TableError
from crossguard.preprocessing.resize import Square
from crossguard.records import Post
from crossguard.serving.app import create_app
from crossguard.serving.served import load_served
from crossguard.serving.service import Service
from crossguard.serving.settings import ServeSettings

EXAMPLES: Final = 100
SERVER_ERROR: Final = 500
LIMITS: Final = ImageLimits(max_pixels=1_000_000, max_decoded_bytes=40_000_000, max_animation_pixels=4_000_000)
INTERESTING: Final = (
    b"\0",
    b"\xff",
    b"\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff",
    b"\xff\xda",
    b"\xff\xd9",
    b'"',
    b"\n",
    b",",
    b"\xed\xa0\x80",
)


@st.composite
def mutated(draw: st.DrawFn, seeds: tuple[bytes, ...]) -> bytes:
    """One of the seeds with some bytes replaced, cut out, doubled, or cut off."""
    data = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(0, 6))):
        start = draw(st.integers(0, len(data)))
        stop = min(len(data), start + draw(st.sampled_from((0, 1, 2, 4, 30))))
        kind = draw(st.sampled_from(("replace", "double", "cut")))
        if kind == "replace":
            data[start:stop] = draw(st.sampled_from(INTERESTING) | st.binary(max_size=8))
        elif kind == "double":
            data[start:stop] = data[start:stop] * draw(st.integers(2, 50))
        else:
            del data[start + draw(st.integers(0, len(data))) :]
    return bytes(data)


@cache
def image_seeds() -> tuple[bytes, ...]:
    noise = np.random.default_rng(0)  # so that a seed repeats a run
    frames = [
        Image.fromarray(noise.integers(0, 256, (30, 40, 3), np.uint8)).convert(mode) for mode in ("RGB", "L", "RGB")
    ]
    kinds = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
    stills = [encoded(frame, kind) for kind in kinds for frame in frames[:2]]
    moving = [encoded(frames[0], kind, save_all=True, append_images=frames[1:]) for kind in ("PNG", "GIF", "WEBP")]
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = [encoded(frames[0], "JPEG", exif=exif), encoded(frames[0], "JPEG", progressive=True)]
    deep = [encoded(Image.new(mode, (20, 20)), "TIFF") for mode in ("F", "I", "I;16", "1", "CMYK")]
    return (*stills, *moving, *turned, *deep, png(30, 20, 1), gif(3, 9, 4), many_scans(32, 5))


# The image at work: what is left of a decoder that ends the process.
AT_WORK: Final = Path(tempfile.gettempdir()) / f"crossguard-fuzzing-{os.getpid()}.image"


def images(data: bytes, size_hint: int | None, small: bool) -> None:
    AT_WORK.write_bytes(data)
    square = Square(16, "crop", "bicubic") if small else None
    try:
        decoded = decode_bytes(data, "the image", DecodeOptions(LIMITS, size_hint, 4, square))
    except ImageError as error:
        _check_message(str(error))
        return
    assert 1 <= len(decoded.frames) <= 4
    assert all(frame.mode == "RGB" for frame in decoded.frames)


def _check_message(message: str) -> None:
    assert message, "an error without a message"
    assert "\n" not in message, message


TABLES: Final = {
    "jsonl": (b'{"id": "1", "text": "hello"}\n{"id": 2, "image_path": "a.png", "image_text": null}\n',),
    "csv": (b'id,text,image_path\n1,"a, ""b""\nc",a.png\n2,hello,\n', b"\xef\xbb\xbfid;text\n1;x\n"),
}


def tables(case: tuple[str, bytes]) -> None:
    kind, data = case
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"posts.{kind}"
        path.write_bytes(data)
        try:
            posts = list(PostReader(path, confine_images=True))
        except TableError:
            return
    assert all(isinstance(post, Post) for post in posts)
    for post in posts:
        post.text.encode()
        post.id.encode()


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=9)
    | st.sampled_from(("../x", "\0", "é")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=8,
)


def manifests(data: st.DataObject) -> None:
    record = json.loads(json.dumps(manifest()))
    for _ in range(data.draw(st.integers(0, 4))):
        _replace_somewhere(record, data)
    try:
        parse_manifest(record, "bundle.json")
    except BundleError as error:
        _check_message(str(error).splitlines()[0])


def _replace_somewhere(record: Any, data: st.DataObject) -> None:
    at = record
    while True:
        keys = list(at) if isinstance(at, dict) else list(range(len(at)))
        if not keys:
            return
        key = data.draw(st.sampled_from(keys))
        if isinstance(at[key], dict | list) and data.draw(st.booleans()):
            at = at[key]
            continue
        at[key] = data.draw(json_values)
        return


PATHS: Final = ("/v1/score", "/v1/moderations", "/v1alpha1/comments:analyze", "/invocations")
BODIES: Final = (
    b'{"id": "1", "text": "hello", "image": "data:image/png;base64,iVBORw0KGgo="}',
    b'{"posts": [{"id": "1", "text": "hello"}, {"image_text": "x"}]}',
    b'{"input": [{"type": "text", "text": "x"}, {"type": "image_url", "image_url": {"url": "data:,x"}}]}',
    b'{"comment": {"text": "x"}, "requestedAttributes": {"TOXICITY": {}}}',
    b'{"instances": [{"text": "x"}]}',
    (
        b'--b\r\nContent-Disposition: form-data; name="text"\r\n\r\nhello\r\n'
        b'--b\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n\x89PNG\r\n--b--\r\n'
    ),
)
TYPES: Final = (
    "application/json",
    "application/json; charset=punycode",
    "multipart/form-data; boundary=b",
    "multipart/form-data",
    "text/csv",
    "application/jsonlines",
    "",
)


def requests(path: str, content_type: str, body: bytes) -> None:
    status = _loop().run_until_complete(_answer(path, content_type, body))
    assert 200 <= status < SERVER_ERROR, (path, content_type, body, status)


@cache
def _loop() -> asyncio.AbstractEventLoop:
    return asyncio.new_event_loop()


@cache
def _application() -> Any:
    for name in ("crossguard", "python_multipart"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    folder = Path(tempfile.mkdtemp()) / "tiny"
    write_tiny_bundle(folder)
    options = ServeSettings(model=str(folder), threads=1, max_pixels=1_000_000)

    async def started() -> Any:
        service = Service(options, load_served(options))
        await service.start()
        return create_app(service)

    return _loop().run_until_complete(started())


async def _answer(path: str, content_type: str, body: bytes) -> int:
    headers = [(b"content-type", content_type.encode()), (b"content-length", str(len(body)).encode())]
    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": headers,
        "http_version": "1.1",
        "scheme": "http",
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8080),
    }
    arriving = iter([{"type": "http.request", "body": body, "more_body": False}])
    statuses: list[int] = []

    async def receive() -> Mapping[str, Any]:
        return next(arriving, {"type": "http.disconnect"})

    async def send(message: Mapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    await _application()(scope, receive, send)
    return statuses[0]


def _targets() -> dict[str, tuple[Callable[..., None], tuple[st.SearchStrategy[Any], ...]]]:
    kinds = st.sampled_from(sorted(TABLES))
    return {
        "images": (images, (mutated(image_seeds()), st.sampled_from((None, 8, 32)), st.booleans())),
        "tables": (tables, (kinds.flatmap(lambda kind: st.tuples(st.just(kind), mutated(TABLES[kind]))),)),
        "manifests": (manifests, (st.data(),)),
        "requests": (requests, (st.sampled_from(PATHS), st.sampled_from(TYPES), mutated(BODIES))),
    }


TARGETS: Final = ("images", "manifests", "requests", "tables")


def fuzz(target: str, seconds: float, start: int = 0) -> int:
    """Runs a target until its time is over; returns how many examples were tried.

    Raises:
        BaseException: What the smallest failing example raises.
    """
    if target == "requests":
        _application()
    quick = settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=DirectoryBasedExampleDatabase(".hypothesis") if start else None,
        phases=(Phase.reuse, Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    check, strategies = _targets()[target]
    until = time.monotonic() + seconds
    for turn in itertools.count(1):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow comments on what it decodes nevertheless
            seed(start + turn)(quick(given(*strategies)(check)))()
        if time.monotonic() > until:
            return turn * EXAMPLES
    raise AssertionError


def main() -> None:
    """Reads the options and shares the time among the targets."""
    parser = argparse.ArgumentParser(description="Mutates what strangers may send.")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--target", choices=TARGETS, action="append")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="Repeats a run.")
    options = parser.parse_args()
    chosen = options.target or list(TARGETS)
    print(f"seed {options.seed}, the image at work in {AT_WORK}", flush=True)
    for target in chosen:
        tried = fuzz(target, options.seconds / len(chosen), options.seed)
        print(f"{target}: {tried:,} examples, nothing found", flush=True)
    AT_WORK.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
