from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from crossguard.moderator import Moderator
from crossguard.preprocessing.batch import ATTENTION_STEP, Prepared, collate
from crossguard.preprocessing.text import TextSpec
from crossguard.preprocessing.windows import Window
from crossguard.records import Batch, Post
from crossguard.runtimes.base import (
    IMAGES_PER_JOB,
    LARGE_BYTES,
    LARGE_IMAGES_PER_JOB,
    TEXTS_PER_JOB,
    TOKENS_PER_JOB,
    Array,
    Job,
    encoder_jobs,
    images_per_job,
)
from crossguard.runtimes.packing import MASK, SHAPES, packed

RANDOM = np.random.default_rng(0)


class Masked:
    """A runtime whose text graph takes a mask."""

    name = "masked"

    def __init__(self, images_per_job: int = IMAGES_PER_JOB, *, packs: bool = False, fills: bool = False) -> None:
        self.images_per_job = images_per_job
        self.packs = packs
        self.fills = fills

    def inputs(self, graph: str) -> tuple[str, ...]:
        return ("input_ids", MASK) if graph == "text" else ("pixels",)

    def infer(self, jobs: Sequence[Job]) -> list[dict[str, Array]]:
        raise AssertionError(f"cutting a batch runs nothing, and got {len(jobs)} jobs")


def batch_of(lengths: Sequence[int], images: int = 0, spec: TextSpec | None = None) -> Batch:
    posts = [Prepared("text", (Window(tuple(RANDOM.integers(1, 9999, length).tolist())),), ()) for length in lengths]
    pictures = RANDOM.integers(0, 256, (images, 16, 16, 3), dtype=np.uint8)
    posts += [Prepared("image", (), (picture,)) for picture in pictures]
    return collate(posts, spec or TextSpec(max_length=2048), 16)[0]


def test_a_text_job_is_bounded_and_holds_texts_of_like_length() -> None:
    lengths = [int(length) for length in RANDOM.integers(2, 97, 200)]
    jobs, order = encoder_jobs(Masked(), batch_of(lengths), trim=True)
    shapes = [job.feed["input_ids"].shape for job in jobs]
    assert {job.graph for job in jobs} == {"text"}
    assert sum(rows for rows, _ in shapes) == len(lengths)
    assert sorted(order.tolist()) == list(range(len(lengths)))
    assert all(rows * length <= TOKENS_PER_JOB and rows <= TEXTS_PER_JOB for rows, length in shapes)
    assert sum(rows * length for rows, length in shapes) < 1.3 * sum(lengths)


def test_engines_meet_few_shapes() -> None:
    shapes = set()
    for images, texts in enumerate([*range(1, 40), 64]):
        batch = batch_of([int(length) for length in RANDOM.integers(2, 97, texts)], images)
        jobs, _ = encoder_jobs(Masked(), batch, trim=True)
        shapes |= {job.feed["input_ids" if job.graph == "text" else "pixels"].shape[:2] for job in jobs}
    assert all(rows.bit_count() == 1 for rows, _ in shapes)
    assert len(shapes) < 60


def test_texts_are_packed_into_rows_unless_they_are_too_long() -> None:
    lengths = [int(length) for length in RANDOM.integers(2, 97, 200)]
    batch = batch_of([*lengths, 700])
    jobs, order = encoder_jobs(Masked(packs=True), batch, trim=True)
    in_rows = [job for job in jobs if job.graph in SHAPES]
    assert [job.feed["input_ids"].shape for job in jobs if job.graph == "text"] == [(1, 704)]
    assert sorted(order.tolist()) == list(range(201))
    assert sum(lengths) > 0.95 * (len(in_rows) - 1) * np.prod(SHAPES["rows"])
    for job in in_rows:
        assert job.feed[MASK].shape[1] % ATTENTION_STEP == 0
        assert (packed(job.feed, SHAPES[job.graph])["owners"] > 0).sum() == job.feed[MASK].sum()
    for place, ids in zip(order, (row for job in jobs for row in job.feed["input_ids"]), strict=True):
        assert ids[ids > 0].tolist() == batch.token_ids[place][batch.token_ids[place] > 0].tolist()


def test_a_lone_text_is_packed_like_others_so_that_it_scores_the_same() -> None:
    for lengths, graph in (([17], "row"), ([17, 47], "row"), ([17, 48], "rows"), ([65], "rows")):
        (job,), _ = encoder_jobs(Masked(packs=True), batch_of(lengths), trim=True)
        assert job.graph == graph


def test_what_is_left_of_a_small_batch_goes_through_the_short_row() -> None:
    for lengths, graphs in (
        ([48] * 6 + [17, 47], ["rows", "row"]),
        ([48] * 6 + [17, 48], ["rows", "rows"]),
        ([48] * 12 + [17], ["rows", "rows", "rows"]),  # of many jobs it saves little
    ):
        jobs, _ = encoder_jobs(Masked(packs=True), batch_of(lengths), trim=True)
        assert [job.graph for job in jobs] == graphs


def test_a_text_that_is_too_long_for_a_job_has_one_of_its_own() -> None:
    jobs, _ = encoder_jobs(Masked(), batch_of([3, 2000, 5]), trim=True)
    assert [job.feed["input_ids"].shape for job in jobs] == [(2, 8), (1, 2000)]


def test_a_model_that_wants_its_padding_keeps_it() -> None:
    spec = TextSpec(max_length=64, padding="max_length")
    jobs, _ = encoder_jobs(Masked(), batch_of([3, 5], spec=spec), trim=False)
    assert [job.feed["input_ids"].shape for job in jobs] == [(2, 64)]


def test_rows_that_fill_up_the_fusion_are_cut_off(tiny: Moderator) -> None:
    posts = [tiny.prepare(Post(str(n), f"hello {n}")) for n in range(5)]
    together = tiny.infer(posts)
    alone = [tiny.infer([post]) for post in posts]
    assert together.values.shape == (5, alone[0].values.shape[1])
    assert together.text_weight.shape == (5,)
    np.testing.assert_allclose(together.values, np.concatenate([one.values for one in alone]), atol=1e-5)


def test_images_come_after_texts_four_or_one_at_a_time() -> None:
    jobs, _ = encoder_jobs(Masked(), batch_of([4], images=6), trim=True)
    assert [job.graph for job in jobs] == ["text", *["image"] * 3]
    assert [len(job.feed["pixels"]) for job in jobs[1:]] == [IMAGES_PER_JOB, 1, 1]


def test_jobs_of_images_that_are_filled_up_are_cut_evenly() -> None:
    batch = batch_of([], images=LARGE_IMAGES_PER_JOB + 1)
    jobs, _ = encoder_jobs(Masked(LARGE_IMAGES_PER_JOB, fills=True), batch, trim=True)
    assert [(job.graph, len(job.feed["pixels"])) for job in jobs] == [("images", 5), ("images", 4)]
    np.testing.assert_array_equal(np.concatenate([job.feed["pixels"] for job in jobs]), batch.pixels)
    few, _ = encoder_jobs(Masked(LARGE_IMAGES_PER_JOB, fills=True), batch_of([], images=2), trim=True)
    assert [(job.graph, len(job.feed["pixels"])) for job in few] == [("image", 1), ("image", 1)]


def test_jobs_of_the_graphs_in_the_bundle_name_no_other() -> None:
    batch = batch_of([3, 5], images=LARGE_IMAGES_PER_JOB + 1)
    jobs, _ = encoder_jobs(Masked(LARGE_IMAGES_PER_JOB, packs=True, fills=True), batch, trim=True, bundled=True)
    assert {job.graph for job in jobs} == {"text", "image"}
    assert sum(len(job.feed["pixels"]) for job in jobs if job.graph == "image") == len(batch.pixels)


def test_a_large_encoder_that_takes_any_number_is_given_no_more_than_there_are() -> None:
    batch = batch_of([], images=LARGE_IMAGES_PER_JOB + IMAGES_PER_JOB + 1)
    jobs, _ = encoder_jobs(Masked(LARGE_IMAGES_PER_JOB), batch, trim=True)
    assert [len(job.feed["pixels"]) for job in jobs] == [LARGE_IMAGES_PER_JOB, IMAGES_PER_JOB, 1]
    assert {job.graph for job in jobs} == {"image"}


def test_what_is_large_is_told_by_the_file(tmp_path: Path) -> None:
    graph = tmp_path / "image.onnx"
    for size, most in ((LARGE_BYTES, IMAGES_PER_JOB), (LARGE_BYTES + 1, LARGE_IMAGES_PER_JOB)):
        with graph.open("wb") as file:
            file.truncate(size)
        assert images_per_job(graph) == most
