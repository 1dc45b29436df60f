"""What an image may be given as, and what is never read."""

from __future__ import annotations

import base64
import io
import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.support.pictures import BLUE, WHITE, encoded, halves, near, reason

from crossguard.data.image_limits import ImageLimits
from crossguard.data.image_sources import as_image, read_encoded
from crossguard.data.images import decode
from crossguard.errors import ImageError


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

    def test_a_file_that_cannot_be_rewound(self) -> None:
        reader, writer = os.pipe()
        with os.fdopen(writer, "wb") as sink:
            sink.write(encoded(halves(), "PNG"))
        with os.fdopen(reader, "rb") as stream:
            assert as_image(stream) == encoded(halves(), "PNG")

    def test_a_file_is_read_from_its_beginning(self) -> None:
        stream = io.BytesIO(encoded(halves(), "PNG"))
        assert as_image(stream) == as_image(stream) == encoded(halves(), "PNG")

    @pytest.mark.parametrize("kind", ["PNG", "GIF"])
    def test_a_pil_image_that_several_threads_decode(self, kind: str) -> None:
        rng = np.random.default_rng(0)
        frames = [Image.fromarray(rng.integers(0, 255, (300, 400, 3), dtype=np.uint8)) for _ in range(6)]
        data = encoded(frames[0], kind, save_all=kind == "GIF", append_images=frames[1:] if kind == "GIF" else [])
        expected = [frame.tobytes() for frame in decode(data)]
        for _ in range(5):
            with Image.open(io.BytesIO(data)) as image, ThreadPoolExecutor(8) as pool:
                assert all([f.tobytes() for f in found] == expected for found in pool.map(decode, [image] * 8))

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

    def test_a_path_of_windows_is_told(self) -> None:
        with pytest.raises(
            ImageError, match=r"No such image: 'images.a.png'. Only Windows separates folders by backslash"
        ):
            decode("images\\a.png")

    def test_half_a_character_is_no_defect_of_ours(self) -> None:
        assert reason("data:;base64,\ud83d") == "image_bad_data_url"
        assert reason("data:,\ud83d") == "image_not_an_image"

    def test_a_name_in_place_of_base64_is_told(self) -> None:
        with pytest.raises(ImageError, match="Encode the bytes of the image, and not its name"):
            decode("data:;base64,meme.jpg")


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("file:///photos/a.jpg", "Give the path alone, without file://"),
        ("~/a.jpg", "Write the folder out in place of ~"),
        ("/9j/4AAQSkZJRgABAQAAAQABAAD", "written as data: URLs"),
        ("iVBORw0KGgoAAAANSUhEUgAA" + "A" * 5000, "written as data: URLs"),
    ],
)
def test_what_is_nearly_a_path_is_told_how_it_is_written(source: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=re.escape(told)):
        read_encoded(source, ImageLimits(), tmp_path)


def test_a_limit_is_told_as_it_was_set(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"x" * 3000)
    url = f"data:;base64,{'A' * 10_000}"
    for source, size in ((str(path), "3,000"), (b"x" * 3000, "3,000"), (url, "at least 3,337")):
        with pytest.raises(ImageError, match=rf"^An image may have 2,048 bytes; .* has {size}\.$"):
            read_encoded(source, ImageLimits(max_bytes=2048))
