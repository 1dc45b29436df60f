"""Pretrained CLIP and SigLIP2 folders in place of the small encoders, on the tables of the model in the box."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torch", reason="training belongs to crossguard[train]")

import transformers

import crossguard
from crossguard.data.datasets.rows import Row, write_table
from crossguard.models.registry import BACKBONES
from crossguard.training.recipe import Recipe
from crossguard.training.recipes import load
from crossguard.training.tokenizers import write_tokenizer

SCRIPT = Path(__file__).resolve().parents[3] / "scripts" / "make-with-encoder"
POSTS = 12
# What transformers, accelerate and torch warn about between themselves.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]


def encoder_folder(folder: Path, backend: str) -> Path:
    """Writes tiny pretrained encoders with the files that the Hub has."""
    kinds: dict[str, Any] = {"clip": (transformers.CLIPModel, transformers.CLIPConfig)}
    kinds["siglip"] = (transformers.SiglipModel, transformers.SiglipConfig)
    model, config = kinds[backend]
    model(config.from_dict(BACKBONES[backend].tiny())).save_pretrained(folder)
    write_tokenizer(Recipe(backend=backend, encoder_name="tiny", max_text_length=64), folder / "tokenizer.json")
    special = {"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "<end>", "unk_token": "<unk>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(special))
    return folder


def write_tables(recipe: Recipe, folder: Path) -> None:
    """Writes a small table for every source of the recipe, with an image in every third row."""
    folder.mkdir()
    for name, source in recipe.sources.items():
        strata = list(source.repeat) if isinstance(source.repeat, dict) else ["any"]
        rows = []
        for number in range(POSTS):
            image = folder / f"{name}-{number}.png" if number % 3 == 0 else None
            if image is not None:
                pixels = np.random.default_rng(number).integers(0, 256, (40, 50, 3)).astype(np.uint8)
                Image.fromarray(pixels).save(image)
            labels = dict.fromkeys((*recipe.labels, *recipe.auxiliary), float(number % 2))
            text = f"{name} {'awful' if number % 2 else 'lovely'} {number}"
            split = "val" if number < 2 else "train"
            rows.append(
                Row(str(number), text, "", image, split, labels, float(number % 2), strata[number % len(strata)])
            )
        write_table(rows, (*recipe.labels, *recipe.auxiliary), name, folder / f"{source.table or name}.parquet")


@pytest.mark.parametrize(("name", "backend"), [("compact-clip", "clip"), ("compact-siglip2", "siglip")])
def test_one_command_trains_and_exports_a_bundle_of_another_name(name: str, backend: str, tmp_path: Path) -> None:
    write_tables(load(name), tmp_path / "tables")
    encoder = encoder_folder(tmp_path / "encoder", backend)
    settings = {"encoder_name": encoder, "image_size": 32, "num_train_epochs": 1, "fusion_dim": 16, "precision": "fp32"}
    options = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
    environment = {
        **os.environ,
        "BIN": str(Path(sys.executable).parent),
        "CROSSGUARD_CACHE": str(tmp_path / "cache"),
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
    }
    command = [str(SCRIPT), name, str(tmp_path / "tables"), *options]
    subprocess.run(command, cwd=tmp_path, env=environment, check=True)

    moderator = crossguard.load(tmp_path / "models" / name)
    assert moderator.bundle.manifest.model.name == name
    assert moderator.bundle.manifest.model.backend == backend
    assert set(moderator.bundle.manifest.policies) == {"default", "benchmark"}
    assert moderator.score(text="awful").scores.keys() == set(load("compact").labels)
    assert moderator.bundle.provenance()["encoder"] == "encoder"
