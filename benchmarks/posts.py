"""Posts to measure with: made here, so that anybody can repeat a run; as long and as large as those of MMHS150K."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from crossguard.records import Post

SYLLABLES = [consonant + vowel for consonant in "bdfgklmnprst" for vowel in "aeiou"]
WORDS = 4000
# MMHS150K: a cleaned tweet has 15 words, 39 % of the images carry words, and an image is 500 pixels wide.
TEXT_WORDS = 15
IMAGE_WORDS = 12
SHARE_WITH_WORDS = 0.39
WIDTH = 500
QUALITY = 85


def make_posts(folder: Path, count: int, seed: int = 0) -> list[Post]:
    """Writes `count` JPEG files and returns as many posts, each with its own text and image."""
    random = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    words = vocabulary()
    posts = []
    for index in range(count):
        path = folder / f"{index}.jpg"
        shown = _text(random, words, IMAGE_WORDS) if random.random() < SHARE_WITH_WORDS else ""
        _drawn(random, shown).save(path, quality=QUALITY)
        posts.append(Post(str(index), _text(random, words, TEXT_WORDS), str(path), shown))
    return posts


def text_only(posts: list[Post]) -> list[Post]:
    """Returns the posts without their images; words that were read from the images stay."""
    return [Post(post.id, post.text, None, post.image_text) for post in posts]


def image_only(posts: list[Post]) -> list[Post]:
    """Returns the posts without any text."""
    return [Post(post.id, "", post.image) for post in posts]


def vocabulary() -> list[str]:
    """Returns the words that posts are made of, the most frequent first."""
    random = np.random.default_rng(1)
    made = ("".join(random.choice(SYLLABLES, random.integers(1, 5))) for _ in range(4 * WORDS))
    return sorted(dict.fromkeys(made), key=len)[:WORDS]


def _text(random: np.random.Generator, words: list[str], mean: int) -> str:
    count = 1 + random.poisson(mean - 1)
    ranks = np.minimum(random.zipf(1.3, count) * random.integers(1, 9, count), len(words)) - 1
    return " ".join(words[rank] for rank in ranks)


def _drawn(random: np.random.Generator, words: str) -> Image.Image:
    """Noise of several sizes compresses like a photograph; flat colours would decode too fast."""
    height = int(random.integers(300, 600))
    total = np.zeros((height, WIDTH, 3), dtype=np.float32)
    for cells, weight in ((4, 90), (16, 40), (64, 20), (250, 8)):
        noise = Image.fromarray(random.integers(0, 256, (cells, cells, 3), dtype=np.uint8))
        total += weight / 128 * (np.asarray(noise.resize((WIDTH, height), Image.Resampling.BICUBIC), np.float32) - 128)
    image = Image.fromarray(np.clip(total + 128, 0, 255).astype(np.uint8))
    ImageDraw.Draw(image).text((20, height // 2), words, fill="white", font_size=20)
    return image
