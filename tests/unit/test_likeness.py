"""What counts as a near-duplicate, and what does not."""

from __future__ import annotations

import io
import random
from itertools import combinations

import numpy as np
import pytest
from PIL import Image, ImageDraw
from tests.support.pictures import encoded

from crossguard.likeness import Likeness, describe, image_hash

POST = "These people should all go back to where they came from, every single one of them"


def of(text: str, *images: Image.Image) -> Likeness:
    found = describe(text, [image_hash(jpeg(image)) for image in images])
    assert found is not None
    return found


def jpeg(image: Image.Image, quality: int = 85) -> bytes:
    return encoded(image.convert("RGB"), "JPEG", quality=quality)


def scene(seed: int) -> Image.Image:
    """An image with large shapes."""
    chance = random.Random(seed)  # noqa: S311 - shapes
    image = Image.new("RGB", (400, 300), (chance.randrange(256), 90, 120))
    draw = ImageDraw.Draw(image)
    for _ in range(12):
        x, y, size = chance.randrange(400), chance.randrange(300), chance.randrange(30, 160)
        draw.ellipse((x, y, x + size, y + size), fill=tuple(chance.randrange(256) for _ in range(3)))
    return image


@pytest.mark.parametrize(
    "text",
    [
        POST.upper(),
        f"{POST}!!! https://spam.example/1 @somebody 42",
        POST.replace("should", "shooould"),
        POST.replace("every single", "each and every single"),
        *(POST.replace("e", f"e{sign}").replace("s", f"{sign}s") for sign in ("\u200b", "\u00ad", "\ufe0f", "\u0301")),
    ],
)
def test_what_spammers_vary_does_not_count(text: str) -> None:
    assert of(POST).near(of(text))
    assert set(of(POST).bands) & set(of(text).bands)


@pytest.mark.parametrize("text", ["Those people are welcome to stay with us", "These people", POST[:40]])
def test_other_words_are_no_near_duplicates(text: str) -> None:
    assert not of(POST).near(of(text))


def test_an_image_survives_scaling_and_recompression_and_no_more() -> None:
    first = scene(1)
    smaller = Image.open(io.BytesIO(jpeg(first.resize((160, 120)), quality=30)))
    assert of("", first).near(of("", smaller))
    assert set(of("", first).bands) & set(of("", smaller).bands)
    assert not any(of("", first).near(of("", scene(seed))) for seed in range(2, 12))
    assert not of("", first).near(of(POST, first))
    assert not of(POST, first).near(of(POST))


def lettering(text: str) -> Image.Image:
    image = Image.new("RGB", (600, 400), "white")
    ImageDraw.Draw(image).text((30, 150), text, fill="black", font_size=32)
    return image


def test_images_with_little_on_them_are_not_all_alike() -> None:
    texts = ["I love you all my friends", "Bread for all who come tonight", "Happy birthday dear mum", "hi", "bye"]
    images = [*map(lettering, texts), *(Image.new("RGB", (600, 400), colour) for colour in ("black", "white", "navy"))]
    for first, second in combinations(images, 2):
        assert not of("", first).near(of("", second))
    for image in images:
        assert of("", image).near(of("", image.copy()))
        assert set(of("", image).bands) & set(of("", image.copy()).bands)


def test_bands_find_nearly_all_pairs() -> None:
    chance = random.Random(0)  # noqa: S311 - words
    words = ["".join(chance.choices("abcdefghijklmnoprstuvwy", k=6)) for _ in range(2000)]
    found = []
    for _ in range(200):
        first = chance.choices(words, k=20)
        second = [chance.choice(words) if place == 7 else word for place, word in enumerate(first)]
        one, other = of(" ".join(first)), of(" ".join(second))
        assert one.near(other)
        found.append(bool(set(one.bands) & set(other.bands)))
    assert np.mean(found) > 0.97


def test_nothing_to_compare_is_none() -> None:
    assert describe(" 123 !!! https://x.example", []) is None
    assert of("a").near(of("A"))
