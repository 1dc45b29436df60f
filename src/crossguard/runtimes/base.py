"""What a runtime is, and how a batch goes through the graphs of a bundle on any of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from crossguard.bundle import Bundle
from crossguard.errors import BundleError
from crossguard.preprocessing.batch import ATTENTION_STEP, LENGTH_STEP, Prepared, collate
from crossguard.records import Batch, Logits
from crossguard.runtimes.packing import IMAGES, MANY, MASK, SHAPES, shape_of

Array: TypeAlias = "NDArray[np.generic]"
Feed: TypeAlias = Mapping[str, Array]
# Which texts of a batch, and to how many tokens they are padded.
Piece: TypeAlias = tuple[NDArray[np.int64], int]

# Texts are sorted by length and run in pieces, so that a short one is not padded to the longest. A piece holds about
# this many tokens, padding included: fewer leave the matrix products small, more only take memory. Where the runtime
# packs texts into rows (`packing.py`), a job is a few rows, and scores do not depend on the texts of a batch.
#
# The rows of a job are a power of two. Engines make kernels for each shape that they meet, which takes up to a tenth of
# a second, and keep them: with any number of rows, the service met new shapes for hours and held 300 MiB more.
TOKENS_PER_JOB: Final = 512
TEXTS_PER_JOB: Final = 32
# Where a batch has so few jobs of rows, as in the service, its last one goes through the short row if that holds its
# tokens: half the time. Of many jobs that saves little, and a second graph takes memory.
FEW_JOBS: Final = 2
# A job has this many images or one: what is kept for each other number takes 11 MB, and two or three images take no
# longer one by one. The weights of a large encoder are read anew from memory for each job, so that it gets more; where
# it has faster kernels for a known number, jobs are filled up to that, and only a lone image has kernels of its own.
IMAGES_PER_JOB: Final = 4
LARGE_IMAGES_PER_JOB: Final = 8
LARGE_BYTES: Final = 2**26


@dataclass(frozen=True, slots=True)
class Job:
    """One call of one graph: inputs by name."""

    graph: str
    feed: Feed


class Runtime(Protocol):
    """Runs the graphs of one bundle."""

    name: str  # name, version and precision, such as `openvino 2026.4 (fp32)`
    images_per_job: int  # most images of one job
    fills: bool  # whether there is a graph `packing.IMAGES`, which always computes `images_per_job` images

    @property
    def packs(self) -> bool:
        """Whether there are graphs that take texts in rows: those of `packing.SHAPES`."""
        ...

    def inputs(self, graph: str) -> tuple[str, ...]:
        """Names of the inputs of a graph."""
        ...

    def infer(self, jobs: Sequence[Job]) -> list[dict[str, Array]]:
        """Runs jobs, in parallel where the engine can; returns outputs by name, in the order of the jobs."""
        ...


def images_per_job(graph: Path) -> int:
    """Returns how many images a job of an image encoder should have at most, by the size of its file."""
    return LARGE_IMAGES_PER_JOB if graph.stat().st_size > LARGE_BYTES else IMAGES_PER_JOB


def infer(runtime: Runtime, bundle: Bundle, posts: Sequence[Prepared]) -> Logits:
    """Runs a model on prepared posts.

    Returns:
        One row per post without an `error`, (posts, outputs); the highest logits over the windows of a long text and
        the frames of an animation.

    Raises:
        BundleError: The model has fewer outputs than its manifest names.
    """
    ready = [post for post in posts if post.error is None]
    manifest = bundle.manifest
    if not ready:
        return Logits(np.zeros((0, manifest.outputs), np.float32), np.zeros(0, np.float32))
    batch, rows = collate(ready, manifest.text, manifest.image.size)
    widths = (manifest.model.text_width, manifest.model.image_width)
    logits = run(runtime, batch, trim=manifest.text.padding == "longest", widths=widths)
    if logits.values.shape[1] < manifest.outputs:
        raise BundleError(
            f"The manifest of {bundle.folder} names {manifest.outputs} outputs, and fusion.onnx has "
            f"{logits.values.shape[1]}. Export the model again with: crossguard export"
        )
    return rows.highest(logits)


def run(runtime: Runtime, batch: Batch, *, trim: bool, widths: tuple[int, int]) -> Logits:
    """Encodes what is present in a batch, then fuses every row.

    Args:
        runtime: The engine.
        batch: n rows.
        trim: Whether padding may be cut (not for SigLIP, which was trained on full length without a mask).
        widths: Length of a text feature and of an image feature.

    Returns:
        Logits, float32, (n, outputs).
    """
    texts, images = encode(runtime, batch, trim=trim, widths=widths)
    count = len(batch.text_of)
    # Filled up with rows that have neither, because the fusion takes no time.
    spare = (0, _power_of_two(2 * count - 1) - count)
    text_of, image_of = (np.pad(of, spare, constant_values=-1) for of in (batch.text_of, batch.image_of))
    fused = runtime.infer([Job("fusion", fusion_inputs(texts, images, text_of, image_of))])[0]
    values, weight = (np.asarray(fused[name][:count], np.float32) for name in ("logits", "text_weight"))
    return Logits(values, weight)


def fusion_inputs(
    texts: NDArray[np.float32], images: NDArray[np.float32], text_of: NDArray[np.int64], image_of: NDArray[np.int64]
) -> dict[str, NDArray[np.float32]]:
    """Returns what the fusion takes, by name: features of each row, and whether it has them.

    Args:
        texts: Features of texts, float32 (unique texts, width).
        images: Features of images, float32 (unique images, width).
        text_of: Which text each row has, (rows,); -1 where it has none.
        image_of: Which image each row has, (rows,).
    """
    return {
        "text_features": _rows(texts, text_of),
        "image_features": _rows(images, image_of),
        "has_text": (text_of >= 0).astype(np.float32),
        "has_image": (image_of >= 0).astype(np.float32),
    }


def encode(
    runtime: Runtime, batch: Batch, *, trim: bool, widths: tuple[int, int]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Runs the encoders; arguments as for `run`.

    Returns:
        Text features, float32 (unique texts, width), and image features, float32 (unique images, width).
    """
    jobs, order = encoder_jobs(runtime, batch, trim=trim)
    outputs = runtime.infer(jobs)
    texts, images = _stack(outputs, "text_features", widths[0]), _stack(outputs, "image_features", widths[1])
    in_order = np.empty_like(texts)
    in_order[order] = texts
    return in_order, images


def encoder_jobs(
    runtime: Runtime, batch: Batch, *, trim: bool, bundled: bool = False
) -> tuple[list[Job], NDArray[np.int64]]:
    """Cuts a batch into jobs; arguments as for `run`, and whether they are of the bundle's own graphs alone.

    Returns:
        Jobs, those of texts first, and which text of the batch each of these encodes, int64, (unique texts,).
    """
    texts, order = _text_jobs(runtime, batch, trim=trim, in_rows=runtime.packs and not bundled)
    images = _image_jobs(batch.pixels, runtime.images_per_job, fills=runtime.fills and not bundled)
    return [*texts, *images], order


def _image_jobs(pixels: NDArray[np.uint8], most: int, *, fills: bool) -> Iterator[Job]:
    """Cuts images into jobs; those that are filled up are nearly equal, so that no image is left alone."""
    if fills and 2 * len(pixels) > most:
        yield from (Job(IMAGES, {"pixels": piece}) for piece in np.array_split(pixels, -(-len(pixels) // most)))
        return
    start, sizes = 0, (1,) if fills else (most, IMAGES_PER_JOB, 1)
    while start < len(pixels):
        count = next(size for size in sizes if size <= len(pixels) - start)
        yield Job("image", {"pixels": pixels[start : start + count]})
        start += count


def _text_jobs(runtime: Runtime, batch: Batch, *, trim: bool, in_rows: bool) -> tuple[list[Job], NDArray[np.int64]]:
    width = batch.token_ids.shape[1]
    lengths = batch.attention_mask.sum(axis=1) if trim else np.full(len(batch.token_ids), width)
    order = np.argsort(lengths, kind="stable").astype(np.int64)
    short = order[lengths[order] <= SHAPES[MANY][1]] if len(order) and in_rows else order[:0]
    packed = list(_in_rows(short, lengths))
    shapes = [shape_of(lengths[texts].sum()) if len(packed) <= FEW_JOBS else MANY for texts, _ in packed]
    pieces = list(zip(shapes, packed, strict=True))
    pieces += [("text", piece) for piece in _pieces(order[len(short) :], lengths)]
    jobs = []
    for graph, (rows, length) in pieces:
        feed = {"input_ids": batch.token_ids[rows, : min(length, width)]}
        if MASK in runtime.inputs("text"):
            feed[MASK] = batch.attention_mask[rows, : min(length, width)]
        jobs.append(Job(graph, feed))
    return jobs, np.concatenate([rows for _, (rows, _) in pieces]) if pieces else order


def _in_rows(order: NDArray[np.int64], lengths: NDArray[np.int64]) -> Iterator[Piece]:
    """Puts each text, the longest first, into the first row that has place for it; yields those of a job."""
    rows: list[list[int]] = []
    left: list[int] = []
    most, row = SHAPES[MANY]
    for text in order[::-1].tolist():
        length = int(lengths[text])
        place = next((place for place, free in enumerate(left) if free >= length), len(rows))
        if place == len(rows):
            rows.append([])
            left.append(row)
        rows[place].append(text)
        left[place] -= length
    for start in range(0, len(rows), most):
        texts = np.concatenate(rows[start : start + most])
        yield texts, _rounded(lengths[texts].max(), ATTENTION_STEP)


def _pieces(order: NDArray[np.int64], lengths: NDArray[np.int64]) -> Iterator[Piece]:
    """Cuts rows, the shortest first, into pieces of as many as a job may have with their padding."""
    start = 0
    while start < len(order):
        rows = min(TEXTS_PER_JOB, _power_of_two(len(order) - start))
        while rows > 1 and rows * _rounded(lengths[order[start + rows - 1]], LENGTH_STEP) > TOKENS_PER_JOB:
            rows //= 2
        yield order[start : start + rows], _rounded(lengths[order[start + rows - 1]], LENGTH_STEP)
        start += rows


def _rounded(length: int, step: int) -> int:
    return -(-int(length) // step) * step


def _power_of_two(most: int) -> int:
    """Returns the largest one that is not over `most`, which is at least 1."""
    return 1 << (most.bit_length() - 1)


def _stack(outputs: Sequence[Mapping[str, Array]], name: str, width: int) -> NDArray[np.float32]:
    found = [np.asarray(output[name], dtype=np.float32) for output in outputs if name in output]
    return np.concatenate(found) if found else np.zeros((0, width), dtype=np.float32)


def _rows(features: NDArray[np.float32], index: NDArray[np.int64]) -> NDArray[np.float32]:
    """Picks a feature per row; zeros, what the model was trained with, where the modality is absent."""
    padded = np.concatenate([features, np.zeros((1, features.shape[1]), dtype=np.float32)])
    return padded[index]
