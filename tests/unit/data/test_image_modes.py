"""Turned, transparent, deep and odd pixels as a viewer shows them."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.support.pictures import BLUE, RED, WHITE, encoded, halves, near

from crossguard.data.images import decode


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

    def test_an_odd_tag_beside_the_orientation_is_ignored(self) -> None:
        width_as_text = struct.pack(">HHI4s", 0x0100, 2, 4, b"abc\0")
        turned = struct.pack(">HHIHH", 0x0112, 3, 1, 6, 0)
        exif = b"Exif\0\0" + struct.pack(">2sHIH", b"MM", 42, 8, 2) + width_as_text + turned + bytes(4)
        assert decode(encoded(halves(), "JPEG", exif=exif))[0].size == (32, 64)

    @pytest.mark.parametrize("mode", ["RGBA", "LA", "PA", "RGBa", "La"])
    def test_transparency_lies_on_white(self, mode: str) -> None:
        assert decode(Image.new(mode, (8, 8), (0,) * len(mode)))[0].getpixel((4, 4)) == WHITE

    def test_white_letters_lie_on_black(self) -> None:
        sticker = Image.new("RGBA", (64, 32), (0, 0, 0, 0))
        sticker.paste((255, 255, 255, 255), (8, 8, 24, 24))
        assert decode(sticker)[0].getpixel((2, 2)) == (0, 0, 0)
        sticker.paste((200, 30, 30, 255), (40, 8, 56, 24))
        assert decode(sticker)[0].getpixel((2, 2)) == WHITE, "what has other colours is seen on white"
        assert decode(Image.new("RGBA", (8, 8), "white"))[0].getpixel((2, 2)) == WHITE

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
