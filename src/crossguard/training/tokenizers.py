"""The `tokenizer.json` of a recipe's text encoder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from crossguard.errors import ConfigError, MissingExtraError, first_line
from crossguard.models.tokenizers import first_id, read_pretrained
from crossguard.preprocessing.text import TextEncoder, TextSpec
from crossguard.training.recipe import Recipe

TINY: Final = "tiny"
# Special tokens of the tiny encoders, where `Backbone.tiny` expects them: (before, after, pad, unknown).
_TINY_SPECIAL: Final = {
    "clip": (("<start>", 97), ("<end>", 98), ("<end>", 98), ("<unk>", 0)),
    "siglip": (None, ("<end>", 1), ("<end>", 1), ("<unk>", 0)),
    "compact": (("[CLS]", 1), ("[SEP]", 2), ("[PAD]", 0), ("[UNK]", 3)),
}
_TINY_CHARACTERS: Final = "abcdefghijklmnopqrstuvwxyz0123456789"
_FIRST_CHARACTER: Final = 4


class MaskingEncoder(TextEncoder):
    """The text encoder that serves, which also knows the mask token.

    Attributes:
        mask_id: Its id.
        special_ids: Ids that are never masked.
    """

    def __init__(self, tokenizer_file: Path, spec: TextSpec) -> None:
        # Training sees the first window of the text as written, so the others need not be made.
        super().__init__(tokenizer_file, spec.model_copy(update={"windows": 1, "undisguise": False, "lines": False}))
        # The unknown token stands in for a mask that there is not.
        self.mask_id = first_id(self._tokenizer, ("[MASK]", "<mask>", "[UNK]", "<unk>"))
        added = self._tokenizer.get_added_tokens_decoder().items()
        self.special_ids = frozenset(id_ for id_, token in added if token.special)


def write_tokenizer(recipe: Recipe, path: Path) -> MaskingEncoder:
    """Writes the tokenizer of a recipe's encoder and returns what makes tokens by it."""
    if recipe.encoder_name == TINY:
        pad_id = _write_tiny(recipe.backend, path)
    else:
        from crossguard.models.compact import text_source

        with reading_pretrained(f"read the tokenizer of '{recipe.encoder_name}'"):
            text, pad_id = read_pretrained(text_source(recipe.encoder_name), lowercase=recipe.backend == "siglip")
        path.write_text(text, encoding="utf-8")
    return MaskingEncoder(path, recipe.text_spec(pad_id))


@contextmanager
def reading_pretrained(doing: str) -> Iterator[None]:
    """Says of a pretrained encoder that cannot be had what would work.

    Raises:
        MissingExtraError: The package with its weights is not installed.
        ConfigError: It is neither on the Hub nor in a folder.
    """
    try:
        yield
    except ImportError as error:
        raise MissingExtraError(f"The encoders of this recipe ({error.name}): training with them", "compact") from error
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"Cannot {doing}: {first_line(error)} Give a Hub id (with a network) or a folder as encoder_name."
        ) from None


def _write_tiny(backend: str, path: Path) -> int:
    """Writes a tokenizer of single characters."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
    from tokenizers.processors import TemplateProcessing

    before, after, pad, unknown = _TINY_SPECIAL[backend]
    special = [token for token in (before, after, pad, unknown) if token is not None]
    vocabulary = {character: _FIRST_CHARACTER + place for place, character in enumerate(_TINY_CHARACTERS)}
    tokenizer = Tokenizer(models.WordLevel({**vocabulary, **dict(special)}, unk_token=unknown[0]))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Whitespace(), pre_tokenizers.Split("", behavior="isolated")]
    )
    start = f"{before[0]} " if before else ""
    tokenizer.post_processor = TemplateProcessing(
        single=f"{start}$A {after[0]}",
        pair=f"{start}$A {after[0]} $B {after[0]}",
        special_tokens=[token for token in (before, after) if token is not None],
    )
    tokenizer.save(str(path))
    return pad[1]
