"""What people do today: Pillow at full size, padding, and a PyTorch model in eager mode."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from benchmarks.subjects import Subject
from crossguard.models.pixels import PixelNormalizer
from crossguard.preprocessing.image import to_pixels
from crossguard.preprocessing.text import TextEncoder, pad
from crossguard.records import Post


class PlainLoop:
    """Scores posts as the model cards show it.

    Args:
        subject: The model and how its posts are prepared.
        tokenizer_file: The tokenizer of its bundle.
        batch: Posts at a time; 1 is the loop of the reference implementation's own batch function.
        full_length: Whether texts are padded to the longest that the model knows, as the reference does, or to the
            longest of the batch.
        dtype: What the model computes in.
    """

    def __init__(
        self,
        subject: Subject,
        tokenizer_file: Path,
        *,
        batch: int,
        full_length: bool,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        padding = "max_length" if full_length else subject.text.padding
        self._text = subject.text.model_copy(update={"padding": padding})
        self._image = subject.image
        self._batch = batch
        self._dtype = dtype
        self._masked = subject.model.architecture.reads_attention_mask
        self._model = subject.model if dtype == torch.float32 else subject.converted(dtype)
        self._texts = TextEncoder(tokenizer_file, subject.text)
        self._normalize = PixelNormalizer(subject.image.mean, subject.image.std)

    @torch.inference_mode()
    def logits(self, posts: Sequence[Post]) -> NDArray[np.float32]:
        """Returns float32 (posts, outputs); all posts must have the same modalities."""
        outputs = [self._score(posts[start : start + self._batch]) for start in range(0, len(posts), self._batch)]
        return np.concatenate(outputs)

    def _score(self, posts: Sequence[Post]) -> NDArray[np.float32]:
        ids, mask = self._tokens(posts)
        logits: Tensor = self._model(ids, mask, self._pixels(posts))["logits"]
        return logits.float().numpy()

    def _tokens(self, posts: Sequence[Post]) -> tuple[Tensor | None, Tensor | None]:
        tokens = self._texts.encode([(post.text, post.image_text) for post in posts])
        if not tokens[0].ids:
            return None, None
        ids, mask = pad([entry.ids for entry in tokens], self._text)
        return torch.from_numpy(ids), torch.from_numpy(mask) if self._masked else None

    def _pixels(self, posts: Sequence[Post]) -> Tensor | None:
        if posts[0].image is None:
            return None
        pixels = [to_pixels(Image.open(str(post.image)).convert("RGB"), self._image) for post in posts]
        normalized: Tensor = self._normalize(torch.from_numpy(np.stack(pixels)))
        return normalized.to(self._dtype)
