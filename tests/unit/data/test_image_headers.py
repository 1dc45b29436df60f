"""What the first bytes of a file say, held against Pillow, and against files that lie."""

from __future__ import annotations

import io

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from tests.support.pictures import encoded, halves

from crossguard.data.image_headers import Header, gif_header, read_header, without_bulk

SIZE = (70, 30)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("JPEG", {}),
        ("PNG", {}),
        ("GIF", {}),
        ("WEBP", {}),
        ("WEBP", {"lossless": True}),
        ("WEBP", {"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\0"}),
    ],
)
def test_the_size_is_that_of_the_image(kind: str, options: dict[str, object]) -> None:
    header = read_header(encoded(halves(SIZE), kind, **options), 10)
    assert header is not None
    assert (header.kind, header.width, header.height, header.frames) == (kind, *SIZE, 1)
    assert header.pixels == 70 * 30


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_frames_are_counted(kind: str) -> None:
    frames = [Image.new("RGB", SIZE, (shade, 0, 0)) for shade in (0, 80, 160)]
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], duration=50)
    header = read_header(data, 10)
    assert header is not None
    assert header.frames == 3


def test_counting_the_frames_of_a_gif_ends_behind_the_limit() -> None:
    frames = [Image.new("RGB", SIZE, (shade, 0, 0)) for shade in range(0, 200, 20)]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    header = read_header(data, 4)
    assert header is not None
    assert header.frames == 5
    assert gif_header(data, 100, max_blocks=3) is None


def test_only_a_progressive_jpeg_has_more_passes() -> None:
    data = encoded(halves(SIZE), "JPEG")
    plain, progressive = (read_header(encoded(halves(SIZE), "JPEG", progressive=yes), 1) for yes in (False, True))
    assert plain == Header("JPEG", *SIZE, scan=data.find(b"\xff\xda"))
    assert progressive is not None
    assert progressive.scans > 2
    assert 2 <= progressive.coefficients <= 6


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP"])
def test_a_file_that_is_cut_never_fails_otherwise_than_by_none(kind: str) -> None:
    data = encoded(halves(SIZE), kind)
    for end in range(min(len(data), 400)):
        header = read_header(data[:end], 10)
        assert header is None or header.kind == kind


def test_a_jpeg_of_endless_segments_is_left_undecided() -> None:
    assert read_header(b"\xff\xd8" + b"\xff\xe0\x00\x02" * 300 + encoded(halves(SIZE), "JPEG")[2:], 1) is None


def test_a_png_loses_its_bulk_and_none_of_its_pixels() -> None:
    notes = PngInfo()
    notes.add_text("short", "kept")
    notes.add_text("long", "x" * 100_000, zip=True)
    notes.add_itxt("packed", "y" * 100_000, zip=True)
    data = encoded(halves(SIZE), "PNG", pnginfo=notes, icc_profile=b"profile" * 100)
    lean = without_bulk(data)
    assert len(lean) < len(data)
    with Image.open(io.BytesIO(lean)) as image:
        image.load()
        assert image.info == {"short": "kept"}
        assert image.convert("RGB").tobytes() == halves(SIZE).tobytes()
    jpeg = encoded(halves(SIZE), "JPEG")
    assert without_bulk(jpeg) is jpeg
    plain = encoded(halves(SIZE), "PNG")
    assert without_bulk(plain) is plain
