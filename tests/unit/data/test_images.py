"""Every kind of picture, good and bad, through the one decoder."""

from __future__ import annotations

import base64
import io
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageChops, ImageDraw
from PIL.PngImagePlugin import PngInfo

from crossguard.data.image_decoding import decode_bytes
from crossguard.data.images import THUMBNAIL_SIZE, DecodeOptions, ImageLimits, decode, read_image, thumbnail
from crossguard.errors import ImageError

RED, BLUE, WHITE = (255, 0, 0), (0, 0, 255), (255, 255, 255)


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def halves(size: tuple[int, int] = (64, 32)) -> Image.Image:
    """Left half red, right half blue."""
    image = Image.new("RGB", size, RED)
    image.paste(BLUE, (size[0] // 2, 0, *size))
    return image


def near(pixel: Any, colour: tuple[int, int, int], tolerance: int = 12) -> bool:
    return all(abs(int(a) - b) <= tolerance for a, b in zip(pixel, colour, strict=True))


def reason(source: Any, **options: Any) -> str:
    with pytest.raises(ImageError) as caught:
        decode(source, **options)
    assert "\n" not in str(caught.value)
    return caught.value.code


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "AVIF"])
def test_formats(kind: str) -> None:
    (frame,) = decode(encoded(halves(), kind))
    assert (frame.mode, frame.size) == ("RGB", (64, 32))
    assert near(frame.getpixel((8, 16)), RED)
    assert near(frame.getpixel((56, 16)), BLUE)


# 64 x 32, left half red, right half blue, written once with libheif.
HEIC = base64.b64decode(
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAX1tZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAAAAAAACJpbG9jAA"
    "AAAERAAAEAAQAAAAABoQABAAAAAAAAAEMAAAAjaWluZgAAAAAAAQAAABVpbmZlAgAAAAABAABodmMxAAAAAA5waXRtAAAAAAABAAAA/WlwcnAA"
    "AADdaXBjbwAAAHZodmNDAQNwAAAAkAAAAAAAHvAA/P34+AAADwNgAAEAGEABDAH//wNwAAADAJAAAAMAAAMAHroCQGEAAQAqQgEBA3AAAAMAkA"
    "AAAwAAAwAeoCCBBZbq5Ka5uAhoMCAAAAMDIAAAAwAhYgABAAZEAcFzwIkAAAATY29scm5jbHgAAQANAAaAAAAAFGlzcGUAAAAAAAAAQAAAAEAA"
    "AAAoY2xhcAAAAEAAAAABAAAAIAAAAAEAAAAAAAAAAv///+AAAAACAAAAEHBpeGkAAAAAAwgICAAAABhpcG1hAAAAAAAAAAEAAQWBAgMFhAAAAE"
    "ttZGF0AAAAPygBr1jm9Oq//+c7v/8qPSH2JRfX/+Kr1X9RO0/8YSVJLUGhOEOoU1kV9AH/X9IQtIF+6STPHCOH8N3q7MGiFA=="
)


def test_heic() -> None:
    pytest.importorskip("pi_heif")
    (frame,) = decode(HEIC)
    assert (frame.mode, frame.size) == ("RGB", (64, 32))
    assert near(frame.getpixel((8, 16)), RED, 25)
    assert near(frame.getpixel((56, 16)), BLUE, 25)


def test_heic_without_its_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pi_heif", None)
    with pytest.raises(ImageError, match=r"pip install 'crossguard\[heif\]'") as caught:
        decode_bytes(HEIC, "the image", DecodeOptions())
    assert caught.value.code == "image_needs_extra"


class TestSources:
    def test_relative_path_starts_at_the_base(self, tmp_path: Path) -> None:
        (tmp_path / "deep").mkdir()
        halves().save(tmp_path / "deep" / "a.png")
        assert decode("deep/a.png", base=tmp_path)[0].size == (64, 32)
        assert decode(tmp_path / "deep" / "a.png", base=Path("/nowhere"))[0].size == (64, 32)

    def test_data_urls(self) -> None:
        png = encoded(halves(), "PNG")
        packed = base64.b64encode(png).decode()
        escaped = "".join(f"%{byte:02x}" for byte in png)
        for url in (
            f"data:image/png;base64,{packed}",
            f"DATA:image/png;charset=x;BASE64,{packed.rstrip('=')}",
            f"data:;base64,{packed[:20]}\n {packed[20:]}",
            f"data:image/png,{escaped}",
        ):
            assert decode(url)[0].tobytes() == halves().tobytes()

    @pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
    def test_bytes(self, kind: Any) -> None:
        assert decode(kind(encoded(halves(), "PNG")))[0].tobytes() == halves().tobytes()

    def test_pil_image_is_left_as_it_was(self) -> None:
        image = halves().convert("P")
        assert decode(image)[0].mode == "RGB"
        assert image.mode == "P"

    @pytest.mark.parametrize("shape", [(4, 6), (4, 6, 1), (4, 6, 3), (4, 6, 4)])
    def test_arrays(self, shape: tuple[int, ...]) -> None:
        (frame,) = decode(np.full(shape, 255, np.uint8))
        assert (frame.mode, frame.size) == ("RGB", (6, 4))
        assert frame.getpixel((0, 0)) == WHITE

    def test_array_view_with_strides(self) -> None:
        array = np.asarray(halves())[::2, ::-1]
        assert near(decode(array)[0].getpixel((0, 0)), BLUE, 0)

    @pytest.mark.parametrize("shape", [(4,), (4, 6, 2), (4, 6, 5), (1, 4, 6, 3), (0, 6, 3), ()])
    def test_array_of_a_wrong_shape(self, shape: tuple[int, ...]) -> None:
        assert reason(np.zeros(shape, np.uint8)) == "image_bad_array"

    def test_array_of_a_wrong_type_says_how_to_convert(self) -> None:
        with pytest.raises(ImageError, match=r"\(array \* 255\)\.astype\('uint8'\)"):
            decode(np.zeros((4, 6, 3), np.float32))

    def test_something_else(self) -> None:
        assert reason(12) == "image_bad_type"

    @pytest.mark.parametrize(
        "url", ["http://169.254.169.254/x.png", "https://e.org/x.png", "file:///etc/passwd", "s3://b/k"]
    )
    def test_network_is_never_asked(self, url: str) -> None:
        assert reason(url) == "image_url_not_allowed"


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
        assert decode(data + b"trailing \xff\xd9")[0].size == (100, 75)

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
        head = b"GIF89a" + struct.pack("<HH", 1, 1) + b"\x80\0\0" + b"\0" * 6
        frame = b"," + struct.pack("<HHHH", 0, 0, 13_000, 13_000) + b"\0\x02\x02\x44\x01\0"
        assert reason(head + frame + b";") == "image_too_many_pixels"

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
        gif = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=10)
        assert reason(gif, limits=ImageLimits(max_frames=11)) == "image_too_many_frames"
        assert len(decode(gif, ImageLimits(max_frames=12))) == 4

    def test_enormous_frame_count_is_refused_at_once(self) -> None:
        head = b"GIF89a" + struct.pack("<HH", 4, 4) + b"\x80\0\0" + b"\0" * 6
        frame = b"," + struct.pack("<HHHH", 0, 0, 1, 1) + b"\0\x02\x02\x44\x01\0"
        assert reason(head + frame * 1_000_000 + b";") == "image_too_many_frames"

    def test_pixels_over_all_frames(self) -> None:
        frames = [Image.new("L", (10, 10), index) for index in range(5)]
        webp = encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True)
        assert reason(webp, limits=ImageLimits(max_animation_pixels=499)) == "image_too_many_pixels"


def _png_bomb(side: int) -> bytes:
    """A few bytes of PNG that claim a huge picture."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def greys(kind: str, *shades: int) -> bytes:
    """An animation of one grey per frame."""
    frames = [Image.new("RGB", (16, 16), (shade,) * 3) for shade in shades]
    # Pillow joins equal frames unless each has its own duration.
    durations = [50 + 10 * (index % 2) for index in range(len(frames))]
    return encoded(frames[0], kind, save_all=True, append_images=frames[1:], duration=durations)


class TestAnimations:
    @pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "AVIF"])
    def test_frames_of_a_fade_span_it(self, kind: str) -> None:
        frames = decode(greys(kind, *range(0, 200, 20)), frames=4)
        assert [frame.mode for frame in frames] == ["RGB"] * 4
        seen = [int(np.asarray(frame)[8, 8, 0]) for frame in frames]
        assert seen == sorted(seen)
        assert (seen[0], seen[-1]) == pytest.approx((0, 180), abs=6)
        assert np.diff(seen).min() >= 30

    @pytest.mark.parametrize("place", [1, 17, 48])
    def test_a_frame_that_differs_is_looked_at_wherever_it_stands(self, place: int) -> None:
        shades = [100 + index % 7 for index in range(50)]
        shades[place] = 250
        seen = [int(np.asarray(frame)[8, 8, 0]) for frame in decode(greys("PNG", *shades), frames=4)]
        assert max(seen) == 250

    def test_a_line_of_words_is_a_difference(self) -> None:
        frames = [Image.effect_noise((320, 240), 20).convert("RGB")] * 30
        shown = frames[0].copy()
        ImageDraw.Draw(shown).text((90, 200), "A LINE OF WORDS", fill="white")
        noisy = [ImageChops.offset(frame, index % 3) for index, frame in enumerate(frames)]
        noisy[11] = shown
        data = encoded(noisy[0], "PNG", save_all=True, append_images=noisy[1:])
        assert any(frame.tobytes() == shown.tobytes() for frame in decode(data, frames=4))

    def test_frames_that_are_equal_are_looked_at_once(self) -> None:
        options = DecodeOptions(frames=4)
        still = read_image(greys("PNG", 10, 10, 200, 10, 200), options)
        assert [frame.getpixel((0, 0)) for frame in still.frames] == [(10, 10, 10), (200, 200, 200)]
        assert not still.sampled
        assert read_image(greys("PNG", 10, 30, 50, 70, 90), options).sampled

    def test_one_frame_is_the_first(self) -> None:
        pictures = [Image.new("L", (8, 8), grey) for grey in (10, 200)]
        data = encoded(pictures[0], "GIF", save_all=True, append_images=pictures[1:])
        assert decode(data, frames=1)[0].getpixel((0, 0)) == (10, 10, 10)

    def test_pil_animation_stays_where_it_was(self) -> None:
        pictures = [Image.new("L", (8, 8), grey) for grey in (10, 100, 200)]
        opened = Image.open(io.BytesIO(encoded(pictures[0], "GIF", save_all=True, append_images=pictures[1:])))
        opened.seek(1)
        assert len(decode(opened)) == 3
        assert opened.tell() == 1

    def test_pages_of_a_tiff_are_no_animation(self) -> None:
        data = encoded(halves(), "TIFF", save_all=True, append_images=[Image.new("RGB", (9, 9))])
        assert [frame.size for frame in decode(data)] == [(64, 32)]

    def test_cut_animation(self) -> None:
        rng = np.random.default_rng(0)
        pictures = [Image.fromarray(rng.integers(0, 255, (32, 32), dtype=np.uint8)) for _ in range(6)]
        data = encoded(pictures[0], "PNG", save_all=True, append_images=pictures[1:])
        assert reason(data[: len(data) // 2]) in {"image_truncated", "image_broken"}


class TestLooksAsAViewerShowsIt:
    @pytest.mark.parametrize("orientation", range(1, 9))
    @pytest.mark.parametrize("size_hint", [None, 16])
    def test_exif_orientation(self, orientation: int, size_hint: int | None) -> None:
        upright = halves((128, 64))
        turned = {1: None, 2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}[orientation]
        stored = upright if turned is None else upright.transpose(Image.Transpose(turned))
        exif = Image.Exif()
        exif[0x0112] = orientation
        (frame,) = decode(encoded(stored, "JPEG", exif=exif), size_hint=size_hint)
        assert frame.width == 2 * frame.height
        assert near(frame.getpixel((2, frame.height // 2)), RED)
        assert near(frame.getpixel((frame.width - 3, frame.height // 2)), BLUE)

    @pytest.mark.filterwarnings("ignore:Corrupt EXIF data")  # Pillow says so, and goes on
    def test_broken_exif_is_ignored(self) -> None:
        data = encoded(halves(), "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff garbage")
        assert decode(data)[0].size == (64, 32)

    @pytest.mark.parametrize("mode", ["RGBA", "LA", "PA", "RGBa", "La"])
    def test_transparency_lies_on_white(self, mode: str) -> None:
        assert decode(Image.new(mode, (8, 8), (0,) * len(mode)))[0].getpixel((4, 4)) == WHITE

    def test_half_transparent(self) -> None:
        pixel = decode(Image.new("RGBA", (4, 4), (255, 0, 0, 128)))[0].getpixel((1, 1))
        assert near(pixel, (255, 127, 127), 1)

    @pytest.mark.parametrize("mode", ["P", "L", "RGB", "1"])
    def test_transparent_colour_of_a_png(self, mode: str) -> None:
        image = Image.new(mode, (8, 8), 0)
        transparent = (0, 0, 0) if mode == "RGB" else 0
        (frame,) = decode(encoded(image, "PNG", transparency=transparent))
        assert frame.getpixel((4, 4)) == WHITE

    def test_cmyk(self) -> None:
        (frame,) = decode(encoded(halves().convert("CMYK"), "JPEG"))
        assert near(frame.getpixel((8, 16)), RED)

    @pytest.mark.parametrize("mode", ["1", "L", "P", "YCbCr", "HSV", "LAB", "RGBX"])
    def test_other_modes(self, mode: str) -> None:
        source = Image.new("RGB", (8, 8), "white").convert(mode)
        assert near(decode(source)[0].getpixel((4, 4)), WHITE, 2)

    def test_16_bit_grey_is_scaled_not_clipped(self) -> None:
        ramp = np.array([[0, 257 * 64, 257 * 128, 65535]], np.uint16)
        (frame,) = decode(encoded(Image.fromarray(ramp), "PNG"))
        assert np.asarray(frame)[0, :4, 0].tolist() == [0, 64, 128, 255]

    @pytest.mark.parametrize(
        ("values", "expected"),
        [
            (np.array([[0.0, 0.5, 1.0]], np.float32), [0, 128, 255]),
            (np.array([[0.0, 100.0, 255.0]], np.float32), [0, 100, 255]),
            (np.array([[-1.0, 0.0, 1.0]], np.float32), [0, 128, 255]),
            (np.array([[0, 65535, 257]], np.int32), [0, 255, 1]),
            (np.array([[0.0, np.nan, 1.0]], np.float32), [0, 0, 255]),
            (np.array([[0, 1_000_000, 500_000]], np.int32), [0, 255, 128]),
        ],
    )
    def test_floats_and_deep_integers(self, values: Any, expected: list[int]) -> None:
        (frame,) = decode(Image.fromarray(values))
        assert np.asarray(frame)[0, :3, 0].tolist() == expected


class TestSizeHint:
    @pytest.mark.parametrize(
        ("hint", "size"), [(None, (800, 1200)), (100, (100, 150)), (101, (200, 300)), (900, (800, 1200))]
    )
    def test_smallest_scale_that_is_large_enough(self, hint: int | None, size: tuple[int, int]) -> None:
        (frame,) = decode(encoded(halves((800, 1200)), "JPEG"), size_hint=hint)
        assert frame.size == size

    def test_others_are_exact(self) -> None:
        assert decode(encoded(halves((800, 600)), "PNG"), size_hint=10)[0].size == (800, 600)


@pytest.mark.data
def test_real_pictures(shared_data: Path) -> None:
    paths = sorted((shared_data / "MMHS150K" / "img_resized").glob("*.jpg"))
    assert paths
    for path in paths:
        (exact,), (fast,) = decode(path), decode(path, size_hint=224)
        assert min(fast.size) >= 224
        difference = np.asarray(exact.resize((224, 224)), np.float32) - np.asarray(fast.resize((224, 224)), np.float32)
        assert np.abs(difference).mean() < 4.0


@pytest.mark.parametrize(("size", "expected"), [((1000, 500), (360, 180)), ((50, 80), (50, 80))])
def test_a_picture_becomes_a_small_jpeg_of_the_same_shape(size: tuple[int, int], expected: tuple[int, int]) -> None:
    buffer = io.BytesIO()
    Image.new("RGBA", size, (200, 30, 30, 255)).save(buffer, "PNG")
    head, _, data = thumbnail(buffer.getvalue()).partition(",")
    assert head == "data:image/jpeg;base64"
    small = Image.open(io.BytesIO(base64.b64decode(data)))
    assert (small.format, small.size) == ("JPEG", expected)
    assert small.size[0] <= THUMBNAIL_SIZE[0]


def test_what_is_no_picture_is_said() -> None:
    with pytest.raises(ImageError):
        thumbnail(b"no picture")
