"""Text to token ids, as a bundle says."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from crossguard.preprocessing.normalization import NormalizerName, normalize
from crossguard.strict import StrictModel

if TYPE_CHECKING:
    from tokenizers import Encoding

# No token is longer than this many characters on average, so the rest of a very long text can never be seen.
CHARACTERS_PER_TOKEN = 24


class TextSpec(StrictModel):
    """How a bundle wants its text.

    Attributes:
        max_length: Tokens at most, special tokens included.
        padding: `longest` (of the batch) or `max_length` (SigLIP was trained on full length and has no mask).
        pad_id: Token id of padding.
        attention_mask: Whether the text graph takes a mask.
        normalization: Which normaliser cleans the raw text.
        image_text: What to do with words read from the picture: `pair` (second segment), `append`, or `ignore`.
    """

    max_length: int = Field(ge=4, le=8192)
    padding: Literal["longest", "max_length"] = "longest"
    pad_id: int = Field(default=0, ge=0)
    attention_mask: bool = True
    normalization: NormalizerName = "none"
    image_text: Literal["pair", "append", "ignore"] = "append"


@dataclass(frozen=True, slots=True)
class Tokens:
    """The token ids of one text.

    Attributes:
        ids: Not padded, special tokens included; empty when the post has no text.
        truncated: Whether text was left out because it was too long.
    """

    ids: tuple[int, ...]
    truncated: bool


class TextEncoder:
    """Turns texts into token ids with the tokenizer of a bundle."""

    def __init__(self, tokenizer_file: Path, spec: TextSpec) -> None:
        from tokenizers import Tokenizer

        self.spec = spec
        self._tokenizer = Tokenizer.from_file(str(tokenizer_file))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(spec.max_length)

    def encode(self, texts: list[tuple[str, str]]) -> list[Tokens]:
        """Tokenises pairs of (text, image_text); a pair with no visible character gives no ids."""
        cleaned = [self._clean(text, image_text) for text, image_text in texts]
        inputs = [self._input(text, image_text) for text, image_text, _ in cleaned]
        present = [index for index, entry in enumerate(inputs) if entry is not None]
        encodings = self._tokenizer.encode_batch([inputs[index] for index in present])
        tokens = [Tokens((), truncated=False)] * len(texts)
        for index, encoding in zip(present, encodings, strict=True):
            tokens[index] = Tokens(tuple(encoding.ids), cleaned[index][2] or _overflowed(encoding))
        return tokens

    def _clean(self, text: str, image_text: str) -> tuple[str, str, bool]:
        limit = self.spec.max_length * CHARACTERS_PER_TOKEN
        cut = len(text) > limit or len(image_text) > limit
        text, image_text = (normalize(part[:limit], self.spec.normalization) for part in (text, image_text))
        return text, image_text, cut

    def _input(self, text: str, image_text: str) -> str | tuple[str, str] | None:
        if not image_text or self.spec.image_text == "ignore":
            return text or None
        if self.spec.image_text == "pair":
            return (text, image_text)
        return f"{text} {image_text}".strip()


def pad(rows: list[tuple[int, ...]], spec: TextSpec, multiple: int = 1) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pads token ids to one length, a multiple of `multiple` where the model knows that many tokens.

    Returns:
        ids and mask, int64, (rows, length); length 0 rows are not allowed.
    """
    length = spec.max_length if spec.padding == "max_length" else max((len(row) for row in rows), default=0)
    length = min(-(-length // multiple) * multiple, max(length, spec.max_length))
    ids = np.full((len(rows), length), spec.pad_id, dtype=np.int64)
    mask = np.zeros((len(rows), length), dtype=np.int64)
    for index, row in enumerate(rows):
        ids[index, : len(row)] = row
        mask[index, : len(row)] = 1
    return ids, mask


def _overflowed(encoding: Encoding) -> bool:
    return len(encoding.overflowing) > 0
