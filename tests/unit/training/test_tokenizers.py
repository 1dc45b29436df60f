"""The tokenizer of a recipe: written for its encoder, never masked where it must not be, missed in a line."""

from __future__ import annotations

from pathlib import Path

import pytest
from tokenizers import Tokenizer

pytest.importorskip("torch", reason="training belongs to crossguard[train]")

from crossguard.errors import ConfigError, MissingExtraError
from crossguard.training.recipe import Recipe
from crossguard.training.tokenizers import MaskingEncoder, reading_pretrained, write_tokenizer


@pytest.mark.parametrize(
    ("backend", "ids"), [("clip", [97, 4, 5, 0, 98]), ("siglip", [4, 5, 0, 1]), ("compact", [1, 4, 5, 3, 2])]
)
def test_the_tiny_tokenizer_ends_as_its_encoder_expects(tmp_path: Path, backend: str, ids: list[int]) -> None:
    write_tokenizer(
        Recipe.model_validate({"backend": backend, "encoder_name": "tiny", "max_text_length": 64}),
        tmp_path / "tokenizer.json",
    )
    assert Tokenizer.from_file(str(tmp_path / "tokenizer.json")).encode("Ab?").ids == ids


def test_special_tokens_and_the_mask_are_known(tmp_path: Path) -> None:
    recipe = Recipe(backend="compact", encoder_name="tiny")
    spec = write_tokenizer(recipe, tmp_path / "tokenizer.json").spec
    tokenizer = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    tokenizer.add_special_tokens(["[CLS]", "[SEP]", "[PAD]", "[MASK]"])
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    encoder = MaskingEncoder(tmp_path / "tokenizer.json", spec)
    assert encoder.mask_id == tokenizer.token_to_id("[MASK]")
    assert encoder.special_ids == {0, 1, 2, encoder.mask_id}


def test_an_encoder_that_cannot_be_had_is_told_in_a_line() -> None:
    found = "Cannot read it: no such repository Give a Hub id"
    with pytest.raises(ConfigError, match=found) as told, reading_pretrained("read it"):
        raise OSError("no such repository\nand much more")
    assert "much more" not in str(told.value)
    with pytest.raises(MissingExtraError, match="gt_all"), reading_pretrained("read it"):
        raise ImportError("none", name="gt_all")
