"""Random changes of images and texts in training; each depends on the seed, the epoch and the post alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from crossguard.training.recipe import Recipe

JITTER: Final = 0.2
LUMA: Final = np.array([0.299, 0.587, 0.114], dtype=np.float32)
SHORTEST_WORD: Final = 4
LONGEST_JOINED: Final = 10
JOINED: Final = 0.12
SOME_WORDS: Final = 0.4
LOOKALIKES: Final = {
    "a": "@4", "b": "8", "e": "3", "g": "96", "i": "1!|", "l": "1|", "o": "0", "s": "$5", "t": "7+", "u": "v", "z": "2",
}  # fmt: skip

Pixels = NDArray[np.uint8]
Change: TypeAlias = Callable[[str, np.random.Generator], str]


def random_for(recipe: Recipe, epoch: int, row: int, *purpose: int) -> np.random.Generator:
    """Returns the random numbers of one post in one epoch for one purpose, whichever process asks."""
    return np.random.default_rng([recipe.seed, epoch, row, *purpose])


def augment_image(pixels: Pixels, recipe: Recipe, random: np.random.Generator) -> Pixels:
    """Crops, and as the recipe says mirrors and recolours.

    Returns:
        (image_size, image_size, 3).
    """
    pixels = _crop(pixels, recipe, random)
    if recipe.horizontal_flip and random.random() < 0.5:  # noqa: PLR2004 half of them
        pixels = pixels[:, ::-1]
    return _jitter(pixels, random) if recipe.color_jitter else pixels


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
    """Disguises a text as people do to evade filters: look-alikes, gaps, stars, swapped and repeated letters.

    One way per text, on one or two words or on all long ones, as filters are evaded word by word or wholesale.
    """
    words = text.split()
    places = [place for place, word in enumerate(words) if sum(map(str.isalpha, word)) >= SHORTEST_WORD]
    if not places:
        return text
    if random.random() < JOINED:
        return joined(words, random)
    some = random.random() < SOME_WORDS
    count = min(len(places), int(random.integers(1, 3))) if some else len(places)
    change = _CHANGES[int(random.integers(len(_CHANGES)))]
    for place in random.choice(places, size=count, replace=False):
        words[place] = change(words[place], random)
    return " ".join(words)


def joined(words: list[str], random: np.random.Generator) -> str:
    """Writes all words, or runs of up to four of them, without spaces."""
    if random.random() < 0.4 and len(words) <= LONGEST_JOINED:  # noqa: PLR2004 of short texts, two of five
        return "".join(word.capitalize() if random.random() < 0.2 else word for word in words)  # noqa: PLR2004
    parts, start = [], 0
    while start < len(words):
        size = int(random.integers(1, 5))
        parts.append("".join(words[start : start + size]))
        start += size
    return " ".join(parts)


def dilute(text: str, harmless: str, random: np.random.Generator) -> str:
    """Puts harmless words before a text, after it, or on both sides; the text stays in one piece."""
    words = harmless.split()
    cut = int(random.integers(0, len(words) + 1))
    kind = random.random()
    before, after = (words, []) if kind < 0.4 else ([], words) if kind < 0.8 else (words[:cut], words[cut:])  # noqa: PLR2004
    return " ".join([*before, text, *after])


def _look_alike(word: str, random: np.random.Generator) -> str:
    rate = random.uniform(0.3, 1)

    def changed(letter: str) -> str:
        others = LOOKALIKES.get(letter.lower(), "")
        return _one_of(others, random) if others and random.random() < rate else letter

    return "".join(changed(letter) for letter in word)


def _vowels(word: str, random: np.random.Generator) -> str:
    """Stars out, or leaves out, the inner vowels."""
    sign = str(random.choice(["*", "", "-", "x", "_"]))
    return word[0] + "".join(sign if letter in "aeiouAEIOU" else letter for letter in word[1:])


def _spaced(word: str, random: np.random.Generator) -> str:
    return str(random.choice([" ", ".", "-", "_", "*", "/", " . "])).join(word)


def _stretch(word: str, random: np.random.Generator) -> str:
    """Writes every letter twice or three times."""
    times = int(random.integers(2, 4))
    return "".join(letter * times for letter in word)


def _swap(word: str, random: np.random.Generator) -> str:
    place = _inner(word, random)
    return word[:place] + word[place + 1] + word[place] + word[place + 2 :]


def _at_one(change: Change) -> Change:
    """Changes one inner letter."""

    def changed(word: str, random: np.random.Generator) -> str:
        place = _inner(word, random)
        return word[:place] + change(word[place], random) + word[place + 1 :]

    return changed


def _inner(word: str, random: np.random.Generator) -> int:
    return int(random.integers(1, len(word) - 1))


def _one_of(signs: str, random: np.random.Generator) -> str:
    return str(random.choice(list(signs)))


_STAR: Final = _at_one(lambda _, random: _one_of("*#%.-", random))
_GAP: Final = _at_one(lambda letter, random: _one_of(" .-*/", random) + letter)
_DROP: Final = _at_one(lambda _, __: "")
_DOUBLE: Final = _at_one(lambda letter, random: letter * (1 + int(random.integers(1, 4))))
_WRONG_KEY: Final = _at_one(lambda _, random: _one_of("abcdefghijklmnopqrstuvwxyz", random))
_CHANGES: Final = (
    *(_look_alike,) * 3, _vowels, _STAR, _GAP, _GAP, _spaced, _DROP, _DROP, _DOUBLE, _stretch, _swap, _swap, _WRONG_KEY,
)  # fmt: skip
