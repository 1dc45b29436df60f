from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
import pytest
from PIL import Image
from tests.support.pictures import encoded

from crossguard.bundle import Bundle
from crossguard.data.image_limits import ImageLimits
from crossguard.errors import ConfigError
from crossguard.preparation import PixelMode, Preparation
from crossguard.preprocessing.image import to_pixels
from crossguard.preprocessing.text import TextEncoder, Tokens
from crossguard.records import Post


def photograph() -> bytes:
    small = Image.fromarray(np.random.default_rng(0).integers(0, 256, (12, 16, 3), dtype=np.uint8))
    return encoded(small.resize((640, 480), Image.Resampling.BICUBIC), "JPEG")


@pytest.mark.parametrize("mode", ["exact", "fast"])
def test_exact_pixels_are_those_of_the_reference_and_fast_ones_are_near(tiny_bundle: Bundle, mode: PixelMode) -> None:
    photo = photograph()
    reference = to_pixels(Image.open(io.BytesIO(photo)).convert("RGB"), tiny_bundle.manifest.image)
    preparation = Preparation(tiny_bundle, ImageLimits(), pixels=mode)
    pixels = preparation.prepare(Post("1", image=photo)).frames[0]
    difference = np.abs(pixels.astype(int) - reference)
    if mode == "exact":
        assert difference.max() == 0
    else:
        assert 0 < difference.mean() < 3


def test_an_unknown_pixel_mode_gets_a_suggestion(tiny_bundle: Bundle) -> None:
    with pytest.raises(ConfigError, match="Did you mean 'exact'"):
        Preparation(tiny_bundle, ImageLimits(), pixels="exct")  # type: ignore[arg-type]


def test_a_text_is_tokenised_once_however_many_images_there_are(
    tiny_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, str]] = []
    encode = TextEncoder.encode

    def noted(self: TextEncoder, texts: Sequence[tuple[str, str]]) -> list[Tokens]:
        seen.extend(texts)
        return encode(self, texts)

    monkeypatch.setattr(TextEncoder, "encode", noted)
    post = Post("a", "hello you", image_text="good morning", more_images=(photograph(),) * 3)
    assert len(Preparation(tiny_bundle, ImageLimits()).prepare(post).frames) == 3
    assert seen == [("hello you", "good morning")]
