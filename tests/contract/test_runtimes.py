"""Every runtime gives the logits of the graphs, in the order of the rows, whatever is absent."""

from __future__ import annotations

import numpy as np
import pytest

from crossguard.bundle import Bundle
from crossguard.preprocessing.batch import Prepared, collate
from crossguard.preprocessing.windows import Window
from crossguard.records import Batch, Logits
from crossguard.runtimes.base import Runtime, run
from crossguard.runtimes.choice import create

RANDOM = np.random.default_rng(0)
RUNTIMES = ["openvino", "onnx"]


@pytest.fixture(scope="module", params=RUNTIMES)
def runtime(request: pytest.FixtureRequest, tiny_bundle: Bundle) -> Runtime:
    return create(request.param, tiny_bundle.graphs, threads=2)


def batch_of(bundle: Bundle, rows: list[tuple[int, bool]]) -> Batch:
    """A batch whose rows have texts of given lengths (0 is none) and maybe a picture."""
    posts = []
    for length, with_image in rows:
        ids = tuple(int(token) for token in RANDOM.integers(2, 40, length))
        frames = (RANDOM.integers(0, 256, (32, 32, 3), dtype=np.uint8),) if with_image else ()
        posts.append(Prepared("x", (Window(ids),) if ids else (), frames))
    return collate(posts, bundle.manifest.text, bundle.manifest.image.size)[0]


def infer(runtime: Runtime, batch: Batch, *, trim: bool = True) -> Logits:
    return run(runtime, batch, trim=trim, widths=(16, 12))


def test_rows_do_not_depend_on_their_neighbours(runtime: Runtime, tiny_bundle: Bundle) -> None:
    rows = [(int(length), bool(image)) for length, image in zip(RANDOM.integers(1, 32, 50), [0, 1] * 25, strict=True)]
    batch = batch_of(tiny_bundle, [*rows, (0, True), (1, False)])
    together = infer(runtime, batch)
    for row in range(len(batch)):
        text, image = batch.text_of[row], batch.image_of[row]
        single = Batch(
            batch.token_ids[text : text + 1] if text >= 0 else batch.token_ids[:0],
            batch.attention_mask[text : text + 1] if text >= 0 else batch.attention_mask[:0],
            batch.pixels[image : image + 1] if image >= 0 else batch.pixels[:0],
            np.array([0 if text >= 0 else -1]),
            np.array([0 if image >= 0 else -1]),
        )
        alone = infer(runtime, single)
        assert alone.values[0] == pytest.approx(together.values[row], abs=1e-4)
        assert alone.text_weight[0] == pytest.approx(together.text_weight[row], abs=1e-6)


def test_cutting_padding_changes_nothing(runtime: Runtime, tiny_bundle: Bundle) -> None:
    batch = batch_of(tiny_bundle, [(3, True), (30, False), (7, True)])
    assert infer(runtime, batch).values == pytest.approx(infer(runtime, batch, trim=False).values, abs=1e-4)


def test_runtimes_agree(tiny_bundle: Bundle) -> None:
    batch = batch_of(tiny_bundle, [(3, True), (30, False), (0, True)])
    first, second = (infer(create(name, tiny_bundle.graphs), batch) for name in RUNTIMES)
    assert first.values == pytest.approx(second.values, abs=1e-4)


def test_the_name_says_engine_and_precision(runtime: Runtime) -> None:
    assert runtime.name.endswith("(fp32)")
