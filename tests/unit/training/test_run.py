"""What is checked before a run begins."""

from __future__ import annotations

import json
import re
from pathlib import Path
from unittest.mock import patch

import pytest
from tests.support.tiny_table import write_tiny_table

pytest.importorskip("torch", reason="training belongs to crossguard[train]")

from accelerate.state import AcceleratorState

from crossguard.errors import ConfigError
from crossguard.evaluation.leakage import hashes, stored_fingerprints
from crossguard.models.loading import save_model
from crossguard.records import Post
from crossguard.training import devices
from crossguard.training.examples import folds
from crossguard.training.recipe import Recipe
from crossguard.training.run import build_model, check_inputs, train
from crossguard.training.sources import Fold, read_examples
from crossguard.training.state import STATE, saved_precision
from crossguard.training.tokenizers import write_tokenizer


def recipe(**settings: object) -> Recipe:
    base = {"backend": "clip", "encoder_name": "tiny", "fusion_dim": 8, "image_size": 32}
    return Recipe.model_validate({**base, **settings})


def test_all_that_the_encoders_do_not_take_is_said_at_once(tmp_path: Path) -> None:
    own = recipe(image_size=64, max_text_length=80)
    write_tokenizer(own, tmp_path / "tokenizer.json")
    with pytest.raises(ConfigError, match="set image_size=32") as caught:
        check_inputs(own, build_model(own), tmp_path / "tokenizer.json")
    assert "set max_text_length=77" in str(caught.value)


def test_a_tokenizer_of_another_encoder_is_noticed(tmp_path: Path) -> None:
    from tokenizers import Tokenizer, models

    path = tmp_path / "tokenizer.json"
    Tokenizer(models.WordLevel({"word": 99})).save(str(path))
    with pytest.raises(ConfigError, match="99 token ids, and its tokenizer gives 99"):
        check_inputs(recipe(), build_model(recipe()), path)


def test_the_first_weights_follow_from_the_seed_and_frozen_ones_stay() -> None:
    one, other = build_model(recipe()), build_model(recipe(freeze_text=True))
    assert all(bool((a == b).all()) for a, b in zip(one.parameters(), other.parameters(), strict=True))
    assert not any(weight.requires_grad for weight in other.holders()[0].get_submodule("text_model").parameters())
    assert any(weight.requires_grad for weight in other.proj_t.parameters())


def test_a_start_that_is_no_run_is_explained(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Cannot start from"):
        build_model(recipe(), [tmp_path])


def test_a_start_whose_configuration_was_cut_off_is_told_before_the_run(tmp_path: Path) -> None:
    (tmp_path / "posts.csv").write_text("text,racist\nwords,0\n")
    (tmp_path / "inference_config.json").write_text('{"class_names": [')
    with pytest.raises(ConfigError, match=r"Cannot start from .*inference_config\.json is no JSON: Expecting value"):
        train(recipe(labels=("racist",)), tmp_path / "posts.csv", tmp_path / "run", start=[tmp_path])


def test_a_start_of_another_shape_is_named(tmp_path: Path) -> None:
    save_model(build_model(recipe(labels=("a", "b"))), tmp_path)
    (tmp_path / "inference_config.json").write_text('{"class_names": ["a", "b"], "num_outputs": 2}')
    with pytest.raises(ConfigError, match=r"Cannot start from .*model\.safetensors holds another model: size mismatch"):
        build_model(recipe(labels=("a", "b"), fusion_dim=16), [tmp_path])


def test_a_folder_that_holds_a_run_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / STATE).write_bytes(b"")
    with pytest.raises(ConfigError, match="--resume"):
        train(recipe(), tmp_path / "table.csv", tmp_path)
    with pytest.raises(ConfigError, match="no run to resume"):
        train(recipe(), tmp_path / "table.csv", tmp_path / "other", resume=True)


@pytest.fixture
def short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recipe:
    """A run of one step, with a cache of its own."""
    monkeypatch.setenv("CROSSGUARD_CACHE", str(tmp_path / "cache"))
    return recipe(labels=("racist", "sexist"), num_train_epochs=1, max_steps=1, max_text_length=32, precision="fp32")


@pytest.mark.filterwarnings("default")
def test_a_refused_resume_changes_no_file_of_the_run(short: Recipe, tmp_path: Path) -> None:
    table, run = write_tiny_table(tmp_path / "table", 24), tmp_path / "run"
    train(short, table, run)
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    assert "<unk>" in (run / "tokenizer.json").read_text(encoding="utf-8")
    other = short.model_copy(update={"backend": "compact"})
    with pytest.raises(ConfigError, match="other settings of backend"):
        train(other, table, run, resume=True)
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


@pytest.mark.filterwarnings("default")
def test_a_resume_notices_another_image_of_the_same_size(short: Recipe, tmp_path: Path) -> None:
    table, run = write_tiny_table(tmp_path / "table", 24), tmp_path / "run"
    measures = train(short, table, run)
    assert train(short, table, run, resume=True) == measures
    first = read_examples(short, table)[0].images[0]
    assert first is not None
    first.write_bytes(first.read_bytes() + b"one")
    train(short, table, tmp_path / "second")
    first.write_bytes(first.read_bytes()[:-3] + b"two")
    with pytest.raises(ConfigError, match="other posts, labels or images"):
        train(short, table, tmp_path / "second", resume=True)


@pytest.mark.filterwarnings("default")
def test_a_fold_without_posts_and_a_label_with_one_answer_are_told_before_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("crossguard.training.run.build_model", _stop)
    table = tmp_path / "posts.csv"
    table.write_text("text,racist\nwords,0\n")
    index = 1 - int(folds(read_examples(recipe(labels=("racist",)), table)[0], 2)[0])
    with pytest.raises(ConfigError, match="enough seen"):
        train(recipe(labels=("racist",)), table, tmp_path / "run", fold=Fold(index, 2))
    assert f"--fold {index}/2 holds no post out" in caplog.text
    assert "All posts have the same answer for racist" in caplog.text


LAST, IDLE = "the last epoch is kept", "early_stopping_patience does nothing"


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({}, f"roc_auc_macro cannot be measured, so {LAST}. It needs .*: --set metric_for_best_model=loss"),
        ({"early_stopping_patience": 2}, f"so {LAST} and {IDLE}"),
        ({"early_stopping_patience": 2, "select_best": False}, f"measured, so {IDLE}"),
        ({"select_best": False}, None),
        ({"metric_for_best_model": "loss"}, None),
    ],
)
def test_an_epoch_that_nothing_can_choose_is_told_before_the_run(
    settings: dict[str, object], told: str | None, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    table = tmp_path / "posts.csv"
    for held, expected in (("0", told), ("1", None)):
        caplog.clear()
        table.write_text(f"text,racist,split\nsome,0,train\nwords,1,train\nlast,0,val\nones,{held},val\n")
        with patch("crossguard.training.run.build_model", _stop), pytest.raises(ConfigError, match="enough seen"):
            train(recipe(labels=("racist",), **settings), table, tmp_path / "run")
        assert re.search(expected, caplog.text) if expected else "cannot be measured" not in caplog.text


@pytest.mark.filterwarnings("default")
def test_a_label_that_is_left_out_of_averages_is_told_before_the_run(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    table = tmp_path / "posts.csv"
    for threats, told in (("0", True), ("1", False)):
        caplog.clear()
        rows = ("some,0,1,train", "words,1,0,train", f"last,0,{threats},val", "ones,1,0,val")
        table.write_text("text,racist,threat,split\n" + "\n".join(rows) + "\n")
        with patch("crossguard.training.run.build_model", _stop), pytest.raises(ConfigError, match="enough seen"):
            train(recipe(labels=("racist", "threat")), table, tmp_path / "run")
        assert ("No held-out posts of both kinds for: threat. The averages" in caplog.text) == told


@pytest.mark.filterwarnings("default")
def test_what_no_post_has_is_told_and_remembered(
    short: Recipe, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    table, long = tmp_path / "posts.csv", "word " * 40
    answers = ("train,0,1", "train,1,0", "val,1,0", "val,0,1")
    rows = (f"{long if n == 2 else ''}{n},{answer}\n" for n, answer in enumerate(answers))
    table.write_text("text,split,racist,sexist\n" + "".join(rows))
    train(short, table, tmp_path / "run")
    assert "No post has any image, so scores of images will mean nothing." in caplog.text
    assert "any text" not in caplog.text
    assert "1 of 2 held-out posts have a text longer than max_text_length (32 tokens)" in caplog.text
    caplog.clear()
    train(short, table, tmp_path / "further", start=[tmp_path / "run"])
    assert "any image" in caplog.text, "the run that it starts from knows none either"
    caplog.clear()
    train(short, write_tiny_table(tmp_path / "table", 24), tmp_path / "both")
    train(short, table, tmp_path / "last", start=[tmp_path / "both"])
    assert "any image" not in caplog.text, "it knows images from its start"
    assert _untrained(tmp_path / "last") == []
    caplog.clear()
    train(short, table, tmp_path / "last", resume=True)
    assert "any image" not in caplog.text
    assert _untrained(tmp_path / "last") == [], "the state remembers the start, which a resume need not name"


@pytest.mark.filterwarnings("default")
def test_a_resumed_run_shows_images_to_the_encoder_that_it_started_from(short: Recipe, tmp_path: Path) -> None:
    table = write_tiny_table(tmp_path / "table")
    train(short.model_copy(update={"init_seed": 1}), table, tmp_path / "first")
    frozen = short.model_copy(update={"freeze_image": True})
    measures = train(frozen, table, tmp_path / "second", start=[tmp_path / "first"])
    assert train(frozen, table, tmp_path / "second", resume=True) == measures


@pytest.mark.filterwarnings("default")
def test_a_run_knows_the_posts_that_its_start_was_trained_on(short: Recipe, tmp_path: Path) -> None:
    first, second = write_tiny_table(tmp_path / "first", 24), tmp_path / "second.csv"
    second.write_text("text,split,racist,sexist\nsome new words,train,0,1\nothers,train,1,0\nlast ones,val,1,0\n")
    train(short, first, tmp_path / "one")
    train(short, second, tmp_path / "two", start=[tmp_path / "one"])
    own = hashes([Post("", "some new words"), Post("", "others")])
    known = {name for entry in stored_fingerprints(tmp_path / "one", "trained_on") for name in entry["sketch"]}
    assert known
    for _ in range(2):
        found = {name for entry in stored_fingerprints(tmp_path / "two", "trained_on") for name in entry["sketch"]}
        assert found == {*known, *own}
        train(short, second, tmp_path / "two", resume=True)


@pytest.mark.filterwarnings("default")
def test_held_out_posts_that_the_start_was_trained_on_are_told_before_the_run(
    short: Recipe, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    table, one = write_tiny_table(tmp_path / "table"), tmp_path / "one"
    train(short, table, one, fold=Fold(0, 4))
    known = len(read_examples(short, table, Fold(1, 4))[1])
    for fold, told in ((Fold(1, 4), True), (Fold(0, 4), False)):
        caplog.clear()
        with patch("crossguard.training.run.build_model", _stop), pytest.raises(ConfigError, match="enough seen"):
            train(short, table, tmp_path / "two", start=[one], fold=fold)
        assert (f"{known} of {known} held-out posts were trained on before ('tiny'" in caplog.text) == told
        assert ("--start names" in caplog.text) == told


@pytest.mark.filterwarnings("default")
def test_a_resumed_run_computes_in_the_numbers_in_which_it_began(
    short: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    auto, table = short.model_copy(update={"precision": "auto"}), write_tiny_table(tmp_path / "table", 24)
    monkeypatch.setattr(devices, "has_fast_bf16", lambda: True)
    train(auto, table, tmp_path / "run")
    assert saved_precision(tmp_path / "run") == "bf16"
    monkeypatch.setattr(devices, "has_fast_bf16", lambda: False)
    train(auto, table, tmp_path / "run", resume=True)
    assert AcceleratorState().mixed_precision == "bf16"


@pytest.mark.filterwarnings("default")
def test_images_that_nobody_can_read_are_not_trained_on(
    short: Recipe, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    table = write_tiny_table(tmp_path / "table", 24)
    for image in table.parent.glob("*.png"):
        image.write_bytes(b"broken")
    train(short.model_copy(update={"max_missing_images": 1.0}), table, tmp_path / "run")
    assert "No post has any image that can be read, so scores of images will mean nothing." in caplog.text
    assert _untrained(tmp_path / "run") == ["image"]


def _untrained(run: Path) -> list[str]:
    kinds: list[str] = json.loads((run / "inference_config.json").read_text(encoding="utf-8"))["untrained"]
    return kinds


def _stop(*_: object) -> None:
    raise ConfigError("enough seen")
