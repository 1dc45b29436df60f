"""A tokenizer that knows no words is refused, whatever transformers makes of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("transformers", reason="tokenizers of encoders need crossguard[train]")

from crossguard.models.tokenizers import read_pretrained
from crossguard.training.recipe import Recipe
from crossguard.training.tokenizers import write_tokenizer


def clip_folder(folder: Path) -> Path:
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model_type": "clip"}))
    return folder


def test_a_folder_without_tokenizer_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no tokenizer"):
        read_pretrained(str(clip_folder(tmp_path / "encoder")), lowercase=False)


def test_a_tokenizer_without_words_is_refused(tmp_path: Path) -> None:
    folder = clip_folder(tmp_path / "encoder")
    (folder / "vocab.json").write_text(json.dumps({"<|startoftext|>": 0, "<|endoftext|>": 1}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    with pytest.raises(ValueError, match="knows no words"):
        read_pretrained(str(folder), lowercase=False)


def test_a_whole_folder_is_written_with_its_words(tmp_path: Path) -> None:
    folder = clip_folder(tmp_path / "encoder")
    write_tokenizer(Recipe(encoder_name="tiny"), folder / "tokenizer.json")
    special = {"pad_token": "<end>", "unk_token": "<unk>", "tokenizer_class": "PreTrainedTokenizerFast"}
    (folder / "tokenizer_config.json").write_text(json.dumps(special))
    text, pad_id = read_pretrained(str(folder), lowercase=True)
    assert pad_id == 98
    assert text.count("Lowercase") == 1, "it lowers the case by itself already"
    assert "a" in json.loads(text)["model"]["vocab"]
