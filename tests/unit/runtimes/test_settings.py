"""How jobs share the cores."""

from __future__ import annotations

import openvino as ov
import pytest

from crossguard.runtimes.settings import PRECISION, STREAMS, THREADS, settings_of, streams_of


@pytest.mark.parametrize(("cores", "streams"), [(1, 1), (4, 4), (6, 4), (16, 4), (64, 16)])
def test_few_cores_have_a_stream_each_and_many_share_some(cores: int, streams: int) -> None:
    assert streams_of(cores) == streams


@pytest.mark.parametrize(("cores", "threads"), [(1, 1), (4, 1), (16, 4), (18, 5)])
def test_posts_one_by_one_have_one_stream_with_the_threads_of_one(cores: int, threads: int) -> None:
    found = settings_of({"text": "fp32"}, cores, one_by_one=True)["text"]
    assert (found[STREAMS], found[THREADS]) == (1, threads)


def test_each_graph_has_its_own_precision() -> None:
    found = settings_of({"text": "bf16", "image": "fp32"}, 2)
    precisions = dict.fromkeys(("text", "rows", "row"), ov.Type.bf16) | dict.fromkeys(("image", "images"), ov.Type.f32)
    assert {name: entry[PRECISION] for name, entry in found.items()} == precisions
    cores = {name: (entry[STREAMS], entry[THREADS]) for name, entry in found.items()}
    assert cores == {"text": (2, 2), "rows": (2, 2), "row": (1, 1), "image": (2, 2), "images": (2, 2)}
