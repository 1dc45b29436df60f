"""Random changes of pictures and texts in training; each depends on the seed, the epoch and the post alone."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from crossguard.training.recipe import Recipe

JITTER: Final = 0.2
LUMA: Final = np.array([0.299, 0.587, 0.114], dtype=np.float32)
SHORTEST_WORD: Final = 4
LOOKALIKES: Final = {"a": "@4", "e": "3", "i": "1!", "o": "0", "s": "$5", "t": "7", "g": "9", "u": "v"}

Pixels = NDArray[np.uint8]


def random_for(recipe: Recipe, epoch: int, row: int) -> np.random.Generator:
    """Returns the random numbers of one post in one epoch, whichever process asks."""
    return np.random.default_rng([recipe.seed, epoch, row])


def augment_image(pixels: Pixels, recipe: Recipe, random: np.random.Generator) -> Pixels:
    """Crops, and as the recipe says mirrors and recolours.

    Args:
        pixels: (cached size, cached size, 3), at least as large as the model's input.
        recipe: What is allowed.
        random: Of this post.

    Returns:
        (image_size, image_size, 3).
    """
    pixels = _crop(pixels, recipe, random)
    if recipe.horizontal_flip and random.random() < 0.5:  # noqa: PLR2004 half of them
        pixels = pixels[:, ::-1]
    return _jitter(pixels, random) if recipe.color_jitter else pixels


def cached_size(recipe: Recipe) -> int:
    """Returns the size at which training pictures are cached, so that the smallest crop needs no enlarging."""
    return round(recipe.image_size / recipe.aug_scale_min**0.5) if recipe.augment else recipe.image_size


def _crop(pixels: Pixels, recipe: Recipe, random: np.random.Generator) -> Pixels:
    from PIL import Image

    whole = pixels.shape[0]
    side = whole * random.uniform(recipe.aug_scale_min, recipe.aug_scale_max) ** 0.5
    left, top = random.uniform(0, whole - side, size=2)
    size = (recipe.image_size, recipe.image_size)
    box = (left, top, left + side, top + side)
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR, box=box))


def _jitter(pixels: Pixels, random: np.random.Generator) -> Pixels:
    brightness, contrast, saturation = random.uniform(1 - JITTER, 1 + JITTER, size=3).astype(np.float32)
    image = pixels.astype(np.float32) * brightness
    mean = (image @ LUMA).mean()
    image = (image - mean) * contrast + mean
    grey = (image @ LUMA)[..., None]
    return np.asarray(np.clip((image - grey) * saturation + grey, 0, 255), dtype=np.uint8)


def disguise(text: str, random: np.random.Generator) -> str:
    """Disguises one or two words as people do to evade filters: look-alikes, gaps, stars, swapped letters."""
    words = text.split()
    places = [place for place, word in enumerate(words) if len(word) >= SHORTEST_WORD and word.isalpha()]
    if not places:
        return text
    for place in random.choice(places, size=min(len(places), int(random.integers(1, 3))), replace=False):
        change = _CHANGES[int(random.integers(len(_CHANGES)))]
        words[place] = change(words[place], random)
    return " ".join(words)


def _look_alike(word: str, random: np.random.Generator) -> str:
    def changed(letter: str) -> str:
        others = LOOKALIKES.get(letter.lower(), "")
        return str(random.choice(list(others))) if others and random.random() < 0.5 else letter  # noqa: PLR2004

    return "".join(changed(letter) for letter in word)


def _star(word: str, random: np.random.Generator) -> str:
    place = _inner(word, random)
    return f"{word[:place]}*{word[place + 1 :]}"


def _gap(word: str, random: np.random.Generator) -> str:
    place = _inner(word, random)
    return f"{word[:place]} {word[place:]}"


def _spaced(word: str, random: np.random.Generator) -> str:  # noqa: ARG001 one signature for all changes
    return " ".join(word)


def _drop(word: str, random: np.random.Generator) -> str:
    place = _inner(word, random)
    return word[:place] + word[place + 1 :]


def _double(word: str, random: np.random.Generator) -> str:
    place = _inner(word, random)
    return word[:place] + word[place] + word[place:]


def _swap(word: str, random: np.random.Generator) -> str:
    place = _inner(word, random)
    return word[:place] + word[place + 1] + word[place] + word[place + 2 :]


def _inner(word: str, random: np.random.Generator) -> int:
    return int(random.integers(1, len(word) - 1))


_CHANGES: Final = (_look_alike, _look_alike, _star, _gap, _spaced, _drop, _double, _swap)
