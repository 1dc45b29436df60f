"""Damaged, cut, hostile and costly files, and JPEGs that are decoded at a smaller scale."""

from __future__ import annotations

import base64
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from tests.support.hostile_images import PNG, chunk, gif
from tests.support.pictures import HEIC, encoded, halves, reason

from crossguard.data.image_limits import ImageLimits
from crossguard.data.images import decode
from crossguard.errors import ImageError


class TestBadInput:
    def test_missing_file(self, tmp_path: Path) -> None:
        assert reason(tmp_path / "none.png") == "image_not_found"
        (tmp_path / "file").write_bytes(b"x")
        assert reason(tmp_path / "file" / "none.png") == "image_not_found"

    def test_path_with_nul(self) -> None:
        assert reason("a\0b.png") == "image_not_found"

    def test_path_too_long(self) -> None:
        assert reason("a" * 5000) == "image_unreadable"

    def test_directory(self, tmp_path: Path) -> None:
        assert reason(tmp_path) == "image_is_directory"
        assert reason("") == "image_is_directory"

    def test_pipe_does_not_block(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe.png")
        assert reason(tmp_path / "pipe.png") == "image_not_a_file"

    def test_device_does_not_run_for_ever(self) -> None:
        assert reason("/dev/zero") == "image_not_a_file"

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
    def test_unreadable(self, tmp_path: Path) -> None:
        (tmp_path / "a.png").write_bytes(b"x")
        (tmp_path / "a.png").chmod(0)
        assert reason(tmp_path / "a.png") == "image_unreadable"

    def test_empty(self, tmp_path: Path) -> None:
        (tmp_path / "a.png").touch()
        assert reason(tmp_path / "a.png") == "image_empty"
        assert reason(b"") == "image_empty"
        assert reason("data:image/png;base64,") == "image_empty"

    @pytest.mark.parametrize(
        ("data", "guess"),
        [
            (b"hello", "Not an image"),
            (b"  <!DOCTYPE html><html>", "looks like a web page"),
            (b"<svg xmlns=''/>", "looks like an SVG"),
            (b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom", "looks like a video"),
            (b"version https://git-lfs.github.com/spec/v1", "git lfs pull"),
            (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "Not an image"),
        ],
    )
    def test_not_an_image(self, data: bytes, guess: str) -> None:
        with pytest.raises(ImageError, match=guess) as caught:
            decode(data)
        assert caught.value.code == "image_not_an_image"

    @pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "TIFF", "BMP", "WEBP"])
    def test_truncated_is_told_at_every_length(self, kind: str) -> None:
        rng = np.random.default_rng(0)
        data = encoded(Image.fromarray(rng.integers(0, 255, (24, 24, 3), dtype=np.uint8)), kind)
        reasons = set()
        for length in range(1, len(data), max(1, len(data) // 60)):
            try:
                assert decode(data[:length])[0].size == (24, 24)
            except ImageError as error:
                reasons.add(error.code)
        assert "image_truncated" in reasons or "image_broken" in reasons
        assert reasons <= {"image_truncated", "image_broken", "image_not_an_image"}

    def test_truncated_jpeg(self) -> None:
        assert reason(encoded(halves((400, 400)), "JPEG")[:-200]) == "image_truncated"
        assert reason(encoded(halves((400, 400)), "JPEG")[:-200], size_hint=64) == "image_truncated"

    @pytest.mark.parametrize("options", [{}, {"subsampling": 0}, {"progressive": True}, {"restart_marker_rows": 1}])
    @pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
    @pytest.mark.parametrize("size_hint", [None, 50])
    def test_truncated_jpeg_with_a_proper_end(self, options: dict[str, Any], mode: str, size_hint: int | None) -> None:
        rng = np.random.default_rng(0)
        noise = Image.fromarray(rng.integers(0, 255, (30, 40, 3), dtype=np.uint8)).resize((400, 300)).convert(mode)
        data = encoded(noise, "JPEG", **options)
        assert decode(data, size_hint=size_hint)
        first = data.find(b"\xff\xda")
        second = data.find(b"\xff\xda", first + 2) if "progressive" in options else len(data)
        for part in (0.1, 0.5, 0.9):
            cut = data[: int(first + (second - first) * part)]
            cut = cut.removesuffix(b"\xff")
            assert reason(cut + b"\xff\xd9", size_hint=size_hint) == "image_truncated"

    @pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
    @pytest.mark.parametrize("progressive", [True, False])
    def test_grey_jpeg_is_whole(self, mode: str, progressive: bool) -> None:
        data = encoded(
            Image.new(mode, (100, 75), (128,) * len(mode) if mode != "L" else 128), "JPEG", progressive=progressive
        )
        assert decode(data)[0].size == (100, 75)
        assert decode(data[:-2] + b"\xff\xff\xff\xd9")[0].size == (100, 75), "bytes that fill up before a marker"
        assert decode(data + b"trailing \xff\xd9")[0].size == (100, 75)

    @pytest.mark.parametrize("progressive", [True, False])
    @pytest.mark.parametrize("size_hint", [None, 50])
    def test_a_jpeg_with_a_thumbnail_is_looked_at_behind_it(self, progressive: bool, size_hint: int | None) -> None:
        """As cameras write it: a small JPEG in a segment before the data of the photo."""
        rng = np.random.default_rng(0)
        photo = Image.fromarray(rng.integers(0, 255, (30, 40, 3), dtype=np.uint8)).resize((400, 300))
        photo.paste((128, 128, 128), (300, 200, 400, 300))
        small = encoded(photo.resize((80, 60)), "JPEG")
        segment = b"\xff\xed" + (len(small) + 2).to_bytes(2, "big") + small
        data = encoded(photo, "JPEG", progressive=progressive)
        whole = data[:2] + segment + data[2:]
        assert decode(whole, size_hint=size_hint)[0].size == decode(data, size_hint=size_hint)[0].size
        first = whole.find(b"\xff\xda", len(segment))
        cut = whole[: first + (whole.find(b"\xff\xda", first + 2) - first if progressive else len(data)) // 2]
        assert reason(cut.removesuffix(b"\xff") + b"\xff\xd9", size_hint=size_hint) == "image_truncated"

    def test_flipped_bytes_never_escape_as_other_errors(self) -> None:
        rng = np.random.default_rng(3)
        good = [encoded(halves(), kind) for kind in ("JPEG", "PNG", "GIF", "TIFF", "WEBP", "BMP", "AVIF")] + [HEIC]
        refused = 0
        for data in good * 30:
            bad = bytearray(data)
            for _ in range(4):
                bad[rng.integers(len(bad))] = rng.integers(256)
            try:
                decode(bytes(bad), ImageLimits(max_pixels=1_000_000))
            except ImageError:
                refused += 1
        assert refused > 0

    @pytest.mark.parametrize("url", ["data:image/png;base64", "data:image/png;base64,@@@@", "data:;base64,A"])
    def test_bad_data_url(self, url: str) -> None:
        assert reason(url) == "image_bad_data_url"


class TestLimits:
    def test_bytes(self, tmp_path: Path) -> None:
        limits = ImageLimits(max_bytes=100)
        path = tmp_path / "a.bmp"
        halves().save(path)
        data = path.read_bytes()
        url = f"data:image/bmp;base64,{base64.b64encode(data).decode()}"
        for source in (path, data, url):
            assert reason(source, limits=limits) == "image_too_large"

    def test_pixels(self) -> None:
        limits = ImageLimits(max_pixels=64 * 32 - 1)
        for source in (encoded(halves(), "PNG"), halves(), np.asarray(halves())):
            assert reason(source, limits=limits) == "image_too_many_pixels"
        assert decode(encoded(halves(), "PNG"), ImageLimits(max_pixels=64 * 32))

    def test_side(self) -> None:
        for size in ((70_000, 1), (1, 70_000)):
            for source in (encoded(Image.new("1", size), "PNG"), Image.new("1", size), np.zeros(size, np.uint8)):
                assert reason(source) == "image_side_too_long"
        assert decode(encoded(Image.new("1", (65_535, 1)), "PNG"))[0].size == (65_535, 1)

    @pytest.mark.parametrize(
        ("mode", "kind", "options"),
        [
            ("RGB", "JPEG", {}),
            ("RGB", "JPEG", {"progressive": True}),
            ("RGBA", "PNG", {}),
            ("F", "TIFF", {}),
            ("1", "PNG", {}),
            ("RGB", "WEBP", {}),
            ("P", "GIF", {}),
        ],
    )
    def test_memory_is_bounded_in_bytes(self, mode: str, kind: str, options: dict[str, Any]) -> None:
        data = encoded(Image.new(mode, (500, 400)), kind, **options)
        assert reason(data, limits=ImageLimits(max_decoded_bytes=700_000)) == "image_needs_memory"
        assert decode(data, ImageLimits(max_decoded_bytes=200_000 * 19))

    def test_scaled_jpeg_takes_little_memory(self) -> None:
        data = encoded(halves((4000, 3000)), "JPEG")
        limits = ImageLimits(max_decoded_bytes=4_000_000)
        assert reason(data, limits=limits) == "image_needs_memory"
        assert decode(data, limits, size_hint=224)[0].size == (500, 375)

    def test_scans_of_a_progressive_jpeg(self) -> None:
        data = encoded(halves(), "JPEG", progressive=True)
        scans = data.count(b"\xff\xda")
        assert scans > 5
        assert decode(data, ImageLimits(max_scans=scans))
        assert reason(data, limits=ImageLimits(max_scans=scans - 1)) == "image_too_many_scans"
        assert decode(encoded(halves(), "JPEG"), ImageLimits(max_scans=1))

    def test_a_frame_larger_than_its_gif(self) -> None:
        assert reason(gif(1, 13_000)) == "image_too_many_pixels"

    @pytest.mark.parametrize("kind", ["icc", "tEXt", "zTXt", "iTXt", "compressed iTXt"])
    def test_bulk_of_a_png_is_no_damage(self, kind: str) -> None:
        text = "a" * 3_000_000
        info = PngInfo()
        options: dict[str, Any] = {}
        if kind == "icc":
            options["icc_profile"] = bytes(3_000_000)
        elif "i" in kind:
            info.add_itxt("Comment", text, zip=kind.startswith("compressed"))
        else:
            info.add_text("Comment", text, zip=kind == "zTXt")
        data = encoded(halves(), "PNG", pnginfo=info, **options)
        assert decode(data)[0].tobytes() == halves().tobytes()

    @pytest.mark.parametrize("side", [9_000, 10_000, 30_000, 2**31 - 1])
    def test_decompression_bomb_is_not_decoded(self, side: int) -> None:
        assert reason(_png_bomb(side)) == "image_too_many_pixels"

    def test_too_many_frames(self) -> None:
        frames = [Image.new("L", (2, 2), index * 20) for index in range(12)]
        data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=10)
        assert reason(data, limits=ImageLimits(max_frames=11)) == "image_too_many_frames"
        assert len(decode(data, ImageLimits(max_frames=12))) == 4

    def test_enormous_frame_count_is_refused_at_once(self) -> None:
        assert reason(gif(4, 1, 1_000_000)) == "image_too_many_frames"

    def test_pixels_over_all_frames(self) -> None:
        frames = [Image.new("L", (10, 10), index) for index in range(5)]
        webp = encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True)
        assert reason(webp, limits=ImageLimits(max_animation_pixels=499)) == "image_too_many_pixels"


def _png_bomb(side: int) -> bytes:
    """A few bytes of PNG that claim a huge picture."""

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return PNG + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


class TestSizeHint:
    @pytest.mark.parametrize(
        ("hint", "size"), [(None, (800, 1200)), (100, (100, 150)), (101, (200, 300)), (900, (800, 1200))]
    )
    def test_smallest_scale_that_is_large_enough(self, hint: int | None, size: tuple[int, int]) -> None:
        (frame,) = decode(encoded(halves((800, 1200)), "JPEG"), size_hint=hint)
        assert frame.size == size

    def test_others_are_exact(self) -> None:
        assert decode(encoded(halves((800, 600)), "PNG"), size_hint=10)[0].size == (800, 600)


@pytest.mark.parametrize("size", [(0, 5), (5, 0), (0, 0)])
def test_an_image_without_pixels_is_none(size: tuple[int, int]) -> None:
    with pytest.raises(ImageError, match="has no pixels") as caught:
        decode(Image.new("RGB", size))
    assert caught.value.code == "image_broken"
