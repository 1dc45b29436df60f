"""Posts to the tensors of a batch; texts and images through the preprocessing that serves, too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from crossguard.preprocessing.text import pad
from crossguard.training.augment import augment_image, random_for
from crossguard.training.examples import Examples
from crossguard.training.pixels import PixelCache
from crossguard.training.recipe import Recipe
from crossguard.training.targets import HALF
from crossguard.training.texts import Texts
from crossguard.training.tokenizers import MaskingEncoder

Shown: TypeAlias = "NDArray[np.uint8] | NDArray[np.float32]"


@dataclass(frozen=True, slots=True)
class Tensors:
    """A batch of n posts; the rows of an absent modality hold padding."""

    input_ids: Tensor | None  # int64 (n, length); None when no post has text
    attention_mask: Tensor | None  # int64 (n, length); None when no post has text
    pixels: Tensor | None  # uint8 (n, size, size, 3); None when no post has an image, or its features are known
    image_features: Tensor | None  # float (n, width), of a frozen image encoder; else None
    text_present: Tensor  # float (n,)
    image_present: Tensor  # float (n,)
    targets: Tensor  # float (n, outputs), NaN where unknown
    unions: Tensor  # float (n, label_schemes), NaN where unknown
    weights: Tensor  # float (n, outputs)

    def to(self, device: torch.device) -> Tensors:
        """Returns the batch on another device."""
        return self._each(lambda tensor: tensor.to(device, non_blocking=True))

    def pin_memory(self) -> Tensors:
        """Returns the batch in memory that a GPU copies from in the background; for `DataLoader`."""
        return self._each(Tensor.pin_memory)

    def _each(self, change: Callable[[Tensor], Tensor]) -> Tensors:
        own: dict[str, Tensor | None] = {name: getattr(self, name) for name in self.__slots__}
        changed: dict[str, Any] = {name: None if value is None else change(value) for name, value in own.items()}
        return Tensors(**changed)


class Batcher:
    """Makes batches of one set of posts."""

    def __init__(self, recipe: Recipe, examples: Examples, encoder: MaskingEncoder, cache: PixelCache) -> None:
        self.examples = examples
        self.texts = Texts(recipe, examples, encoder)
        self._recipe = recipe
        self._images = cache.images
        self._contents = cache.contents
        self._features: dict[Path, NDArray[np.float32]] = {}
        self._distractors = [path for path in _harmless_images(examples) if path in cache.images]

    @property
    def images(self) -> list[Path]:
        """Every image that can be read, once."""
        return list(self._images)

    def fingerprint(self) -> str:
        """Returns a hash of the posts, their images and their targets."""
        return self.examples.fingerprint(self._contents)

    def pixels(self, paths: list[Path]) -> NDArray[np.uint8]:
        """Returns (n, size, size, 3)."""
        return np.stack([self._images[path] for path in paths])

    def use_features(self, features: dict[Path, NDArray[np.float32]]) -> None:
        """Takes these features in place of pixels from now on."""
        self._features = features

    def training(self, rows: NDArray[np.int64], epoch: int) -> Tensors:
        """Returns posts with the random changes of an epoch."""
        texts: list[tuple[int, ...]] = []
        images: list[Shown | None] = []
        for row in rows.tolist():
            random = random_for(self._recipe, epoch, row)
            ids, path = self.texts.training(row, epoch, random), self._image(row)
            if path is None:
                path = self._distractor(random)
            else:
                no_text, no_image = self._dropped(random) if ids else (False, False)
                ids, path = () if no_text else ids, None if no_image else path
            texts.append(ids)
            images.append(self._shown(path, random))
        return self._collate(rows, texts, images)

    def evaluation(self, rows: NDArray[np.int64]) -> Tensors:
        """Returns posts as they are served."""
        paths = [self._image(row) for row in rows.tolist()]
        images = [self._shown(path, None) for path in paths]
        return self._collate(rows, [self.texts.evaluation(row) for row in rows.tolist()], images)

    def _image(self, row: int) -> Path | None:
        path = self.examples.image_of(row)
        return path if path in self._images else None

    def _distractor(self, random: np.random.Generator) -> Path | None:
        """Returns some image for a post without one, so that an image alone decides nothing."""
        if not self._distractors or random.random() >= self._recipe.distractors:
            return None
        return self._distractors[int(random.integers(len(self._distractors)))]

    def _shown(self, path: Path | None, random: np.random.Generator | None) -> Shown | None:
        """Returns an image's features where they are known, or its pixels, changed when random numbers are given."""
        if path is None:
            return None
        if self._features:
            return self._thinned(self._features[path], random)
        pixels = self._images[path]
        return pixels if random is None or not self._recipe.augment else augment_image(pixels, self._recipe, random)

    def _thinned(self, features: NDArray[np.float32], random: np.random.Generator | None) -> NDArray[np.float32]:
        """Leaves out features by chance in training: a few thousand memes say too little about each."""
        rate = self._recipe.image_dropout
        if random is None or not rate:
            return features
        return features * (random.random(len(features), dtype=np.float32) >= rate) / np.float32(1 - rate)

    def _dropped(self, random: np.random.Generator) -> tuple[bool, bool]:
        """Decides which modality of a post with both is left out: the text, the image, or neither."""
        chance = random.random()
        text = chance < self._recipe.drop_text
        return text, not text and chance < self._recipe.drop_text + self._recipe.drop_image

    def _collate(self, rows: NDArray[np.int64], texts: list[tuple[int, ...]], images: list[Shown | None]) -> Tensors:
        ids = mask = shown = None
        present = [image for image in images if image is not None]
        # Posts that have neither may fill a batch; a model must be given something, if only padding.
        if any(texts) or not present:
            ids, mask = (torch.from_numpy(array) for array in pad(texts, self.texts.spec))
        if present:
            blank = np.zeros_like(present[0])
            shown = torch.from_numpy(np.stack([blank if image is None else image for image in images]))
        return Tensors(
            ids,
            mask,
            None if self._features else shown,
            shown if self._features else None,
            torch.tensor([float(bool(text)) for text in texts]),
            torch.tensor([float(image is not None) for image in images]),
            torch.from_numpy(self.examples.targets[rows]),
            torch.from_numpy(self.examples.unions[rows]),
            torch.from_numpy(self.examples.weights[rows]),
        )


def _harmless_images(examples: Examples) -> dict[Path | None, None]:
    """Images of posts of which nobody says that they carry a label, in order."""
    found: dict[Path | None, None] = {}
    for chunk in examples.chunks():
        answers = np.concatenate([chunk.targets, chunk.unions], axis=1)
        harmful = (np.nan_to_num(answers) > HALF).any(axis=1)
        found |= dict.fromkeys(chunk.take(np.flatnonzero(~harmful)).images)
    return found
