"""Images are decoded once, and a run does not start without too many of them."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torch", reason="training belongs to crossguard[train]")

from crossguard.data.datasets.rows import Row, write_table
from crossguard.data.images import decode
from crossguard.errors import ConfigError, ImageError
from crossguard.training import pixels
from crossguard.training.examples import Examples
from crossguard.training.pixels import PixelCache, build_cache, cache_sources, check_images
from crossguard.training.recipe import Recipe, Source
from crossguard.training.sources import read_examples


def noise(size: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.random.default_rng(0).integers(0, 256, size=(size, size, 3)).astype(np.uint8)


def test_images_are_decoded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.fromarray(noise(60)).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"broken")
    paths = [tmp_path / "a.png", tmp_path / "b.png", tmp_path / "c\tof\r\n.png", tmp_path / "a.png"]
    spec = Recipe(image_size=32).image_spec()
    looked: list[object] = []

    def look(source: Path, **how: Any) -> list[Image.Image]:
        looked.append(source)
        return decode(source, **how)

    monkeypatch.setattr(pixels, "decode", look)
    first = build_cache(paths, spec, tmp_path / "cache")
    again = build_cache(paths, spec, tmp_path / "cache")
    assert len(looked) == 3
    assert np.array_equal(first.images[paths[0]], again.images[paths[0]])
    assert first.images[paths[0]].shape == (32, 32, 3)
    assert again.failures == {paths[1]: "image_not_an_image", paths[2]: "image_not_found"}
    assert paths[0] in again.images
    assert paths[1] not in again.images
    assert first.contents == again.contents == {paths[0]: hashlib.sha256(paths[0].read_bytes()).hexdigest()[:16]}

    Image.fromarray(noise(61)).save(paths[0])
    build_cache(paths, spec, tmp_path / "cache")
    assert len(looked) == 6


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="this system reserves no room in files")
def test_a_full_disk_ends_a_run_before_pixels_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.fromarray(noise(60)).save(tmp_path / "a.png")

    def reserve(_descriptor: int, _start: int, size: int) -> None:
        assert size > 32 * 32 * 3
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", reserve)
    with pytest.raises(OSError, match="No space left"):
        build_cache([tmp_path / "a.png"], Recipe(image_size=32).image_spec(), tmp_path / "cache")
    assert not any((tmp_path / "cache").iterdir())


@pytest.mark.parametrize("code", ["image_needs_extra", "image_unreadable"])
def test_what_this_machine_could_not_read_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    Image.fromarray(noise(60)).save(tmp_path / "a.png")
    paths, spec = [tmp_path / "a.png"], Recipe(image_size=32).image_spec()

    def refuse(*_: object, **__: object) -> list[Image.Image]:
        raise ImageError(code, "Install it.")

    with monkeypatch.context() as patched:
        patched.setattr(pixels, "decode", refuse)
        assert build_cache(paths, spec, tmp_path / "cache").failures == {paths[0]: code}
    (noted,) = (tmp_path / "cache").glob("*.notes.json")
    with noted.open(encoding="utf-8") as opened_by_another_process:
        assert not build_cache(paths, spec, tmp_path / "cache").failures
        assert json.load(opened_by_another_process)[0] == {str(paths[0]): code}, "as a whole, though there is a new one"


def test_sources_are_cached_apart(tmp_path: Path) -> None:
    for number in range(3):
        Image.fromarray(noise(40 + number)).save(tmp_path / f"{number}.png")
    rows = [Row(str(n), image=tmp_path / f"{n}.png", labels={"racist": 1.0}) for n in range(3)]
    write_table(rows[:2], ("racist",), "a", tmp_path / "a.parquet")
    write_table(rows[2:], ("racist",), "b", tmp_path / "b.parquet")
    recipe = Recipe(backend="compact", labels=("racist",), image_size=32, sources={"a": Source(), "b": Source()})
    examples, _ = read_examples(recipe, tmp_path)
    cache = cache_sources(examples, recipe.image_spec(), tmp_path / "cache")
    assert all(path in cache.images for path in examples.images)
    made = sorted((tmp_path / "cache").glob("*.npy"))
    cache_sources(examples.take([0, 1]), recipe.image_spec(), tmp_path / "cache")
    assert sorted((tmp_path / "cache").glob("*.npy")) == made


@pytest.fixture
def parts(tmp_path: Path) -> list[tuple[Examples, PixelCache]]:
    """Ten posts with images of source a, of which two cannot be read, and ten of source b, all readable."""
    for source in ("a", "b"):
        rows = [
            Row(f"{source}{n}", image=tmp_path / f"{source}{n}.png", labels={"racist": 1.0}, split=split)
            for n, split in enumerate(["train"] * 6 + ["val"] * 4)
        ]
        write_table(rows, ("racist",), source, tmp_path / f"{source}.parquet")
    sources = {"a": Source(), "b": Source()}
    lost = {tmp_path / "a1.png": "image_not_found", tmp_path / "a9.png": "image_not_an_image"}
    cache = PixelCache({}, lost, {})
    return [(part, cache) for part in read_examples(Recipe(labels=("racist",), sources=sources), tmp_path)]


@pytest.mark.parametrize(
    ("limit", "own", "lost", "told"),
    [
        (0.2, None, 0, None),
        (0.19, None, 0, "2 of 10 images of 'a' cannot be read, and at most 19% may be missing"),
        (0.0, 0.2, 0, None),
        (1.0, 0.1, 0, "at most 10% may be missing"),
        (0.2, None, 1, "3 of 11 images of 'a'.*1 when the table was prepared"),
    ],
)
def test_images_that_cannot_be_read_count_by_source(
    parts: list[tuple[Examples, PixelCache]], limit: float, own: float | None, lost: int, told: str | None
) -> None:
    sources = {"a": Source(max_missing_images=own), "b": Source()}
    recipe = Recipe(labels=("racist",), sources=sources, max_missing_images=limit)
    if told is None:
        check_images(recipe, parts, {"a": lost, "b": 0})
        return
    with pytest.raises(ConfigError, match=told):
        check_images(recipe, parts, {"a": lost, "b": 0})


def test_a_few_images_that_cannot_be_read_are_told(
    parts: list[tuple[Examples, PixelCache]], caplog: pytest.LogCaptureFixture
) -> None:
    recipe = Recipe(labels=("racist",), sources={"a": Source(), "b": Source()}, max_missing_images=0.5)
    check_images(recipe, parts, {"a": 0, "b": 0})
    (told,) = caplog.messages
    assert told.startswith("2 of 10 images of 'a' cannot be read; such posts keep their text: ")
    assert "a1.png (image_not_found)" in told
