"""The texts of a set of posts as tokens: as they are served, and with the changes of an epoch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from crossguard.preprocessing.text import TextSpec
from crossguard.training.augment import dilute, disguise, random_for
from crossguard.training.examples import Examples
from crossguard.training.forks import divided
from crossguard.training.recipe import Recipe
from crossguard.training.tokenizers import MaskingEncoder

Ids: TypeAlias = "NDArray[np.int32]"
KNOWN_HARMLESS: Final = 5
MOST_FILLERS: Final = 2
NOISE: Final = 1
SHORTEST_FILLER, LONGEST_FILLER = 12, 140


class Texts:
    """The tokens of one set of posts.

    Attributes:
        spec: How they are padded.
        cut: (n,), bool; which of them are longer than one window, the only one that is read.
    """

    def __init__(self, recipe: Recipe, examples: Examples, encoder: MaskingEncoder) -> None:
        self.spec: TextSpec = encoder.spec
        self._recipe = recipe
        self._examples = examples
        self._encoder = encoder
        self._fillers = _harmless_texts(examples, len(recipe.labels)) if recipe.dilution else []
        self._changes: dict[int, dict[int, Ids | None]] = {}  # by epoch and row; None where a text stays as it is
        # One array for all posts: worker processes share it, and it takes a tenth of the memory of lists.
        lengths, cut, tokens = zip(*divided(self._tokenized, range(len(examples))), strict=True)
        self.cut = np.concatenate(cut)
        self._ends = np.cumsum(np.concatenate([[0], *lengths]), dtype=np.int64)
        self._tokens = np.concatenate(tokens)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Number of tokens of each post as it is served, (n,)."""
        return np.diff(self._ends)

    def lengths_in(self, epoch: int, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Returns the number of tokens of each post, (n,), of these rows with the changes of an epoch.

        Batches are filled by it: one lengthened text among short ones would have all of them padded to its length.
        """
        lengths = self.lengths
        for row, ids in self._changed(epoch, np.unique(rows).tolist()).items():
            if ids is not None:
                lengths[row] = len(ids)
        return lengths

    def forget(self, epoch: int) -> None:
        """Drops the texts of an epoch that is over."""
        self._changes.pop(epoch, None)

    def training(self, row: int, epoch: int, random: np.random.Generator) -> tuple[int, ...]:
        """Returns the tokens of a post with the changes of an epoch, some of them hidden."""
        changed = self._changed(epoch, [row]).get(row)
        return self._masked(self.evaluation(row) if changed is None else tuple(changed.tolist()), random)

    def evaluation(self, row: int) -> tuple[int, ...]:
        """Returns the tokens of a post as it is served."""
        return tuple(self._tokens[self._ends[row] : self._ends[row + 1]].tolist())

    def _changed(self, epoch: int, rows: Sequence[int]) -> dict[int, Ids | None]:
        """Returns the tokens of posts whose text an epoch changes, these among them; many at once are done faster."""
        if not (self._recipe.text_noise or self._recipe.dilution):
            return {}
        known = self._changes.get(epoch, {})
        if not known.keys() >= set(rows):
            known = dict.fromkeys(rows)
            for part in divided(lambda part: self._change(part, epoch), rows):
                known.update(part)
            self._changes[epoch] = known
        return known

    def _change(self, rows: Sequence[int], epoch: int) -> list[tuple[int, Ids]]:
        texts = {row: text for row in rows if (text := self._changed_text(row, epoch)) is not None}
        found = self._encoder.encode(list(texts.values()))
        return [(row, np.array(tokens.ids, dtype=np.int32)) for row, tokens in zip(texts, found, strict=True)]

    def _tokenized(self, rows: Sequence[int]) -> tuple[list[int], NDArray[np.bool_], Ids]:
        """Returns how many tokens each of these posts has, which posts were cut, and all tokens."""
        found = self._encoder.encode([self._examples.words_of(row) for row in rows])
        cut = np.array([tokens.truncated for tokens in found], dtype=np.bool_)
        ids = [np.array(tokens.ids, dtype=np.int32) for tokens in found]
        return list(map(len, ids)), cut, np.concatenate([*ids, np.zeros(0, dtype=np.int32)])

    def _changed_text(self, row: int, epoch: int) -> tuple[str, str] | None:
        """Returns a post's words, disguised or diluted; None where they stay as they are."""
        if self._ends[row] == self._ends[row + 1]:
            return None
        random = random_for(self._recipe, epoch, row, NOISE)
        noise, diluted = random.random(2) < (self._recipe.text_noise, self._recipe.dilution)
        text, words = self._examples.words_of(row)
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


def _harmless_texts(examples: Examples, labels: int) -> list[str]:
    """Short texts of posts whose known targets are all 0, and at least five, or as many as there are labels."""
    found: list[str] = []
    for chunk in examples.chunks():
        known = (chunk.targets == 0).sum(axis=1) >= min(KNOWN_HARMLESS, labels)
        harmless = (np.nan_to_num(chunk.targets) == 0).all(axis=1) & known
        texts = (text for (text, _), fine in zip(chunk.words, harmless, strict=True) if fine)
        found += (text for text in texts if SHORTEST_FILLER <= len(text) <= LONGEST_FILLER)
    return found
