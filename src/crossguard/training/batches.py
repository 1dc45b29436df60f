"""Posts to the tensors of a batch; texts and images through the preprocessing that serves, too."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import get_all_start_methods
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from crossguard.preprocessing.text import pad
from crossguard.training.augment import augment_image, dilute, disguise, random_for
from crossguard.training.examples import Examples
from crossguard.training.parallel import divided
from crossguard.training.pixels import PixelCache
from crossguard.training.recipe import Recipe
from crossguard.training.tokenizers import MaskingEncoder

Ids: TypeAlias = "NDArray[np.int32]"
Shown: TypeAlias = "NDArray[np.uint8] | NDArray[np.float32]"
POSITIVE = 0.5
KNOWN_HARMLESS = 5
MOST_FILLERS = 2
NOISE = 1
SHORTEST_FILLER, LONGEST_FILLER = 12, 140


@dataclass(frozen=True, slots=True)
class Tensors:
    """A batch of n posts; the rows of an absent modality hold padding.

    Attributes:
        input_ids: int64 (n, length); None when no post has text.
        attention_mask: int64 (n, length); None when no post has text.
        pixels: uint8 (n, size, size, 3); None when no post has an image, or its features are known.
        image_features: float (n, width), of a frozen image encoder; else None.
        text_present: float (n,).
        image_present: float (n,).
        targets: float (n, outputs), NaN where unknown.
        unions: float (n, label_schemes), NaN where unknown.
        weights: float (n, outputs).
    """

    input_ids: Tensor | None
    attention_mask: Tensor | None
    pixels: Tensor | None
    image_features: Tensor | None
    text_present: Tensor
    image_present: Tensor
    targets: Tensor
    unions: Tensor
    weights: Tensor

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


@dataclass(frozen=True, slots=True)
class _Changes:
    """The tokens of those of some rows whose text an epoch changes."""

    rows: frozenset[int]
    tokens: dict[int, Ids]


class Batcher:
    """Makes batches of one set of posts."""

    def __init__(self, recipe: Recipe, examples: Examples, encoder: MaskingEncoder, cache: PixelCache) -> None:
        self.examples = examples
        self._recipe = recipe
        self._encoder = encoder
        self._cache = cache
        self._features: dict[Path, NDArray[np.float32]] = {}
        self._distractors = _harmless_images(examples, cache)
        self._fillers = _harmless_texts(examples) if recipe.dilution else []
        self._changes: dict[int, _Changes] = {}
        # One array for all posts: worker processes share it, and it takes a tenth of the memory of lists.
        lengths, tokens = zip(*divided(self._tokenized, range(len(examples))), strict=True)
        self._ends = np.cumsum(np.concatenate([[0], *lengths]), dtype=np.int64)
        self._tokens = np.concatenate(tokens)

    @property
    def images(self) -> list[Path]:
        """Every image that can be read, once."""
        return [path for path in dict.fromkeys(_images(self.examples)) if path in self._cache]

    def pixels(self, paths: list[Path]) -> NDArray[np.uint8]:
        """Returns (n, size, size, 3)."""
        return np.stack([self._cache[path] for path in paths])

    def use_features(self, features: dict[Path, NDArray[np.float32]]) -> None:
        """Takes these features in place of pixels from now on."""
        self._features = features

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Number of tokens of each post as it is served, (n,)."""
        return np.diff(self._ends)

    def lengths_in(self, epoch: int, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Returns the number of tokens of each post, (n,), of these rows with the changes of an epoch.

        Batches are filled by it: one lengthened text among short ones would have all of them padded to its length.
        """
        lengths = self.lengths
        changed = self._changed(epoch, np.unique(rows).tolist())
        lengths[list(changed)] = [len(ids) for ids in changed.values()]
        return lengths

    def forget(self, epoch: int) -> None:
        """Drops the texts of an epoch that is over."""
        self._changes.pop(epoch, None)

    def training(self, rows: NDArray[np.int64], epoch: int) -> Tensors:
        """Returns posts with the random changes of an epoch."""
        texts: list[tuple[int, ...]] = []
        images: list[Shown | None] = []
        for row in rows.tolist():
            random = random_for(self._recipe, epoch, row)
            ids, path = self._masked(self._noisy(row, epoch), random), self._image(row)
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
        return self._collate(rows, [self._tokens_of(row) for row in rows.tolist()], images)

    def _image(self, row: int) -> Path | None:
        path = self.examples.image_of(row)
        return path if path in self._cache else None

    def _noisy(self, row: int, epoch: int) -> tuple[int, ...]:
        changed = self._changed(epoch, [row]).get(row)
        return self._tokens_of(row) if changed is None else tuple(changed.tolist())

    def _tokens_of(self, row: int) -> tuple[int, ...]:
        return tuple(self._tokens[self._ends[row] : self._ends[row + 1]].tolist())

    def _changed(self, epoch: int, rows: Sequence[int]) -> dict[int, Ids]:
        """Returns the tokens of those of the posts whose text an epoch changes; many at once are done faster."""
        known = self._changes.get(epoch)
        if known is None or not known.rows.issuperset(rows):
            found = {row: ids for part in divided(lambda part: self._change(part, epoch), rows) for row, ids in part}
            known = self._changes[epoch] = _Changes(frozenset(rows), found)
        return known.tokens

    def _change(self, rows: Sequence[int], epoch: int) -> list[tuple[int, Ids]]:
        texts = {row: text for row in rows if (text := self._changed_text(row, epoch)) is not None}
        return list(zip(texts, self._encoded(texts.values()), strict=True))

    def _tokenized(self, rows: Sequence[int]) -> tuple[list[int], Ids]:
        """Returns how many tokens each of these posts has, and all of them."""
        encoded = self._encoded(map(self.examples.words_of, rows))
        return list(map(len, encoded)), np.concatenate([*encoded, np.zeros(0, dtype=np.int32)])

    def _encoded(self, words: Iterable[tuple[str, str]]) -> list[Ids]:
        return [np.array(tokens.ids, dtype=np.int32) for tokens in self._encoder.encode(list(words))]

    def _changed_text(self, row: int, epoch: int) -> tuple[str, str] | None:
        """Returns a post's words, disguised or diluted; None where they stay as they are."""
        if self._ends[row] == self._ends[row + 1] or not (self._recipe.text_noise or self._recipe.dilution):
            return None
        random = random_for(self._recipe, epoch, row, NOISE)
        noise, diluted = random.random(2) < (self._recipe.text_noise, self._recipe.dilution)
        text, words = self.examples.words_of(row)
        if not (noise or diluted):
            return None
        if noise:
            text, words = (disguise(text, random), words) if text else (text, disguise(words, random))
        if diluted and text and self._fillers:
            fillers = random.integers(len(self._fillers), size=int(random.integers(1, MOST_FILLERS + 1)))
            text = dilute(text, " ".join(self._fillers[filler] for filler in fillers), random)
        return text, words

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
        pixels = self._cache[path]
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
        if any(texts):
            ids, mask = (torch.from_numpy(array) for array in pad(texts, self._encoder.spec))
        present = [image for image in images if image is not None]
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


def _images(examples: Examples) -> Iterator[Path]:
    return (path for chunk in examples.chunks() for path in chunk.images if path is not None)


def _harmless_images(examples: Examples, cache: PixelCache) -> list[Path]:
    """Images of posts without a known positive target."""
    found: dict[Path, None] = {}
    for chunk in examples.chunks():
        harmful = (np.nan_to_num(chunk.targets) > POSITIVE).any(axis=1)
        found |= dict.fromkeys(_images(chunk.take(np.flatnonzero(~harmful))))
    return [path for path in found if path in cache]


def _harmless_texts(examples: Examples) -> list[str]:
    """Short texts of posts whose targets are all known not to hold, as far as they are known, and some are."""
    found: list[str] = []
    for chunk in examples.chunks():
        known = (chunk.targets == 0).sum(axis=1) >= KNOWN_HARMLESS
        harmless = (np.nan_to_num(chunk.targets) == 0).all(axis=1) & known
        texts = (text for (text, _), fine in zip(chunk.words, harmless, strict=True) if fine)
        found += (text for text in texts if SHORTEST_FILLER <= len(text) <= LONGEST_FILLER)
    return found


class BatchData(Dataset[Tensors]):
    """The batches of one epoch, or of a measurement, for `DataLoader`."""

    def __init__(self, batcher: Batcher, epoch: int | None) -> None:
        """Says what to make of posts: with the random changes of an epoch, or as they are served when None."""
        self._batcher = batcher
        self._epoch = epoch

    def __getitems__(self, rows: NDArray[np.int64]) -> Tensors:
        """Returns a batch of posts, by their rows."""
        return self._batcher.evaluation(rows) if self._epoch is None else self._batcher.training(rows, self._epoch)


def load_batches(
    batcher: Batcher, plan: Sequence[NDArray[np.int64]], epoch: int | None, workers: int, *, pin: bool = False
) -> Iterator[Tensors]:
    """Yields the planned batches in order, the same ones whatever the number of workers.

    They get the random changes of the epoch, or are as they are served when it is None. Workers need `fork`, through
    which they share texts, pixels and tokens with this process.
    """
    forks = workers if "fork" in get_all_start_methods() else 0
    loader: DataLoader[Tensors] = DataLoader(
        BatchData(batcher, epoch),
        batch_sampler=plan,  # type: ignore[arg-type] # rows as an array, not as a list
        collate_fn=_as_it_is,
        num_workers=forks,
        multiprocessing_context="fork" if forks else None,
        pin_memory=pin,
    )
    return iter(loader)


def _as_it_is(batch: Any) -> Any:
    return batch
