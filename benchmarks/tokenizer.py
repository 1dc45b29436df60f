"""Tokenizers for models that have none at hand: about 1.3 tokens a word, and the special tokens of the family."""

from __future__ import annotations

from dataclasses import dataclass

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from benchmarks.posts import SYLLABLES, vocabulary

WHOLE_WORDS = 2000
FIRST = 1000


@dataclass(frozen=True)
class Specials:
    """Token ids that a family of models wants at the start (or None), between two texts (or None), and at the end."""

    start: int | None
    middle: int | None
    end: int
    pad: int


def make_tokenizer(specials: Specials) -> Tokenizer:
    """Builds a WordPiece tokenizer for the words of `benchmarks.posts`."""
    names = {"[UNK]": FIRST - 1, "[PAD]": specials.pad, "[END]": specials.end}
    if specials.start is not None:
        names["[START]"] = specials.start
    pieces = [*vocabulary()[:WHOLE_WORDS], *SYLLABLES, *(f"##{syllable}" for syllable in SYLLABLES)]
    ids = names | {piece: FIRST + index for index, piece in enumerate(dict.fromkeys(pieces))}
    tokenizer = Tokenizer(models.WordPiece(ids, unk_token="[UNK]"))  # noqa: S106 - not a password
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    start = "" if specials.start is None else "[START] "
    middle = "" if specials.middle is None else " [END]"
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{start}$A [END]",
        pair=f"{start}$A{middle} $B [END]",
        special_tokens=[(name, number) for name, number in names.items() if name in {"[START]", "[END]"}],
    )
    return tokenizer
