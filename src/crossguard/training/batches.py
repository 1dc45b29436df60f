"""Posts to the tensors of a batch; texts and pictures through the preprocessing that serves, too."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from crossguard.preprocessing.text import pad
from crossguard.training.augment import augment_image, disguise, random_for
from crossguard.training.examples import Examples
from crossguard.training.pixels import PixelCache
from crossguard.training.recipe import Recipe
from crossguard.training.tokenizers import MaskingEncoder


@dataclass(frozen=True, slots=True)
class Tensors:
    """A batch of n posts; the rows of an absent modality hold padding.

    Attributes:
        input_ids: int64 (n, length); None when no post has text.
        attention_mask: int64 (n, length); None when no post has text.
        pixels: uint8 (n, size, size, 3); None when no post has a picture.
        text_present: float (n,).
        image_present: float (n,).
        targets: float (n, outputs), NaN where unknown.
        unions: float (n, readouts), NaN where unknown.
        weights: float (n,).
    """

    input_ids: Tensor | None
    attention_mask: Tensor | None
    pixels: Tensor | None
    text_present: Tensor
    image_present: Tensor
    targets: Tensor
    unions: Tensor
    weights: Tensor

    def to(self, device: torch.device) -> Tensors:
        """Returns the batch on another device."""
        own: dict[str, Any] = {name: getattr(self, name) for name in self.__slots__}
        moved: dict[str, Any] = {name: None if value is None else value.to(device) for name, value in own.items()}
        return Tensors(**moved)


class Batcher:
    """Makes batches of one set of posts."""

    def __init__(self, recipe: Recipe, examples: Examples, encoder: MaskingEncoder, cache: PixelCache) -> None:
        self.examples = examples
        self._recipe = recipe
        self._encoder = encoder
        self._cache = cache
        self._pictures = [path for path in dict.fromkeys(examples.images) if path is not None and path in cache]
        self._tokens = [tokens.ids for tokens in encoder.encode(list(zip(*self._texts(), strict=True)))]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Number of tokens of each post, (n,)."""
        return np.array([len(ids) for ids in self._tokens], dtype=np.int64)

    def training(self, rows: NDArray[np.int64], epoch: int) -> Tensors:
        """Returns posts with the random changes of an epoch."""
        texts: list[tuple[int, ...]] = []
        images: list[NDArray[np.uint8] | None] = []
        for row in rows.tolist():
            random = random_for(self._recipe, epoch, row)
            ids, path = self._masked(self._noisy(row, random), random), self._picture(row)
            if path is None:
                path = self._distractor(random)
            else:
                no_text, no_image = self._dropped(random) if ids else (False, False)
                ids, path = () if no_text else ids, None if no_image else path
            texts.append(ids)
            images.append(None if path is None else self._augmented(path, random))
        return self._collate(rows, texts, images)

    def evaluation(self, rows: NDArray[np.int64]) -> Tensors:
        """Returns posts as they are served."""
        paths = [self._picture(row) for row in rows.tolist()]
        images = [None if path is None else self._cache[path] for path in paths]
        return self._collate(rows, [self._tokens[row] for row in rows.tolist()], images)

    def _texts(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        return self.examples.texts, self.examples.image_texts

    def _picture(self, row: int) -> Path | None:
        path = self.examples.images[row]
        return path if path in self._cache else None

    def _noisy(self, row: int, random: np.random.Generator) -> tuple[int, ...]:
        if random.random() >= self._recipe.text_noise or not self._tokens[row]:
            return self._tokens[row]
        text, words = disguise(self.examples.texts[row], random), self.examples.image_texts[row]
        return self._encoder.encode([(text, words)])[0].ids

    def _masked(self, ids: tuple[int, ...], random: np.random.Generator) -> tuple[int, ...]:
        if not self._recipe.mask_tokens:
            return ids
        hidden = random.random(len(ids)) < self._recipe.mask_tokens
        encoder = self._encoder
        return tuple(
            encoder.mask_id if hide and id_ not in encoder.special_ids else id_
            for id_, hide in zip(ids, hidden, strict=True)
        )

    def _distractor(self, random: np.random.Generator) -> Path | None:
        """Returns some picture for a post without one, so that a picture alone decides nothing."""
        if not self._pictures or random.random() >= self._recipe.distractors:
            return None
        return self._pictures[int(random.integers(len(self._pictures)))]

    def _augmented(self, path: Path, random: np.random.Generator) -> NDArray[np.uint8]:
        pixels = self._cache[path]
        return augment_image(pixels, self._recipe, random) if self._recipe.augment else pixels

    def _dropped(self, random: np.random.Generator) -> tuple[bool, bool]:
        """Decides which modality of a post with both is left out: the text, the picture, or neither."""
        chance = random.random()
        text = chance < self._recipe.drop_text
        return text, not text and chance < self._recipe.drop_text + self._recipe.drop_image

    def _collate(
        self, rows: NDArray[np.int64], texts: list[tuple[int, ...]], images: list[NDArray[np.uint8] | None]
    ) -> Tensors:
        ids = mask = pixels = None
        if any(texts):
            ids, mask = (torch.from_numpy(array) for array in pad(texts, self._encoder.spec))
        present = [image for image in images if image is not None]
        if present:
            blank = np.zeros_like(present[0])
            pixels = torch.from_numpy(np.stack([blank if image is None else image for image in images]))
        return Tensors(
            ids,
            mask,
            pixels,
            torch.tensor([float(bool(text)) for text in texts]),
            torch.tensor([float(image is not None) for image in images]),
            torch.from_numpy(self.examples.targets[rows]),
            torch.from_numpy(self.examples.unions[rows]),
            torch.from_numpy(self.examples.weights[rows]),
        )
