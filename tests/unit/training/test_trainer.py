"""The loop: what a step changes, what is kept, when it ends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="training belongs to crossguard[train]")

import torch
from tests.support.tiny_training import SHORT_RUN, recipe_of

from crossguard.data.datasets.rows import Row, write_table
from crossguard.errors import ConfigError
from crossguard.training.batches import Batcher
from crossguard.training.pixels import PixelCache
from crossguard.training.run import build_model
from crossguard.training.sources import read_examples
from crossguard.training.tokenizers import write_tokenizer
from crossguard.training.trainer import Trainer

# What transformers, accelerate and torch warn about between themselves.
pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Threads would wait for each other longer than they multiply such small matrices."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Texts, of which those with the word `awful` have the label."""
    chance = np.random.default_rng(0)
    rows = []
    for number in range(48):
        hateful = number % 3 == 0
        words = "".join(chance.choice(list("abcdefgh "), size=int(chance.integers(3, 30))))
        text = f"{'awful' if hateful else 'lovely'} {words}"
        rows.append(Row(str(number), text, split="train" if number < 32 else "val", labels={"racist": float(hateful)}))
    path = tmp_path_factory.mktemp("table") / "posts.parquet"
    write_table(rows, ("racist",), "posts", path)
    return path


def trainer_of(table: Path, folder: Path, **settings: Any) -> Trainer:
    recipe = recipe_of(**{**SHORT_RUN, "fusion_dim": 8, "labels": ("racist",), **settings})
    folder.mkdir(exist_ok=True)
    examples, measured = read_examples(recipe, table)
    encoder = write_tokenizer(recipe, folder / "tokenizer.json")
    train, held_out = (Batcher(recipe, part, encoder, PixelCache({}, {}, {})) for part in (examples, measured))
    return Trainer(recipe, build_model(recipe), train, held_out, folder)


def entries(folder: Path, kind: str) -> list[dict[str, Any]]:
    lines = map(json.loads, (folder / "log.jsonl").read_text(encoding="utf-8").splitlines())
    return [entry for entry in lines if entry["kind"] == kind]


def weights(trainer: Trainer) -> dict[str, torch.Tensor]:
    return {name: weight.clone() for name, weight in trainer.state.model.state_dict().items()}


def test_a_run_lowers_the_loss_and_measures_what_was_held_out(table: Path, tmp_path: Path) -> None:
    trainer = trainer_of(table, tmp_path, num_train_epochs=12)
    measures, logits = trainer.run()
    assert logits.shape == (16, 1)
    losses = [entry["loss"] for entry in entries(tmp_path, "train")]
    assert len(losses) == sum(trainer.steps_per_epoch) == 24
    assert np.mean(losses[-4:]) < np.mean(losses[:4])
    assert measures["roc_auc_macro"] > 0.9


def test_predictions_stand_in_the_order_of_the_posts(table: Path, tmp_path: Path) -> None:
    trainer = trainer_of(table, tmp_path, per_device_eval_batch_size=5)
    alone = trainer_of(table, tmp_path / "alone", per_device_eval_batch_size=1)
    np.testing.assert_allclose(trainer.predict(trainer.measured), alone.predict(alone.measured), atol=1e-5)


def test_an_epoch_is_the_same_for_whoever_trains_it(table: Path, tmp_path: Path) -> None:
    one, other = trainer_of(table, tmp_path / "a"), trainer_of(table, tmp_path / "b")
    before = weights(one)
    for trainer in (one, other):
        trainer.train_epoch(0)
    assert one.state.progress.total_steps == one.steps_per_epoch[0]
    assert any(not torch.equal(weight, before[name]) for name, weight in weights(one).items())
    assert all(torch.equal(weight, weights(other)[name]) for name, weight in weights(one).items())


def test_a_run_that_was_stopped_goes_on_to_the_same_weights(table: Path, tmp_path: Path) -> None:
    whole = trainer_of(table, tmp_path / "whole", num_train_epochs=3, max_steps=5)
    whole.run()
    stopped = trainer_of(table, tmp_path / "stopped", num_train_epochs=3, max_steps=5)
    step = stopped._train_step

    def fail_at_4(own: Any) -> dict[str, float]:
        if stopped.state.progress.total_steps == 3:
            raise KeyboardInterrupt
        return step(own)

    stopped._train_step = fail_at_4  # type: ignore[method-assign]  # as a person does
    with pytest.raises(KeyboardInterrupt):
        stopped.run(save_every=1)
    resumed = trainer_of(table, tmp_path / "stopped", num_train_epochs=3, max_steps=5)
    resumed.run(resume=True, save_every=1)
    assert resumed.state.progress.total_steps == 5
    assert all(torch.equal(weight, weights(whole)[name]) for name, weight in weights(resumed).items())


def test_a_run_that_diverges_stops_before_it_saves(table: Path, tmp_path: Path) -> None:
    trainer = trainer_of(table, tmp_path, num_train_epochs=3, lr_head=1e30, lr_encoder=1e30)
    with pytest.raises(ConfigError, match=r"no number any more in step \d+ .* Set lr_head and lr_encoder lower"):
        trainer.run()
    assert trainer.state.progress.epoch == 0
    assert not entries(tmp_path, "final")


def test_another_recipe_does_not_go_on_with_a_run(table: Path, tmp_path: Path) -> None:
    trainer_of(table, tmp_path, num_train_epochs=1).run()
    with pytest.raises(ConfigError, match="lr_head"):
        trainer_of(table, tmp_path, num_train_epochs=1, lr_head=0.1).run(resume=True)


def test_missing_weights_of_the_best_epoch_are_told_before_a_run_goes_on(table: Path, tmp_path: Path) -> None:
    trainer_of(table, tmp_path, num_train_epochs=2, max_steps=2).run()
    (tmp_path / "best.pt").unlink()
    logged = (tmp_path / "log.jsonl").read_text(encoding="utf-8")
    with pytest.raises(ConfigError, match=r"best\.pt is missing\. Copy it again"):
        trainer_of(table, tmp_path, num_train_epochs=2, max_steps=2).run(resume=True)
    assert (tmp_path / "log.jsonl").read_text(encoding="utf-8") == logged


def test_early_stopping_ends_a_run_and_keeps_the_best_epoch(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trainer = trainer_of(table, tmp_path, num_train_epochs=40, early_stopping_patience=2, lr_head=0.02)
    measures, _ = trainer.run()
    epochs = [entry["roc_auc_macro"] for entry in entries(tmp_path, "eval")]
    assert len(epochs) < 40
    assert measures["roc_auc_macro"] == pytest.approx(max(epochs))
    trained = {entry["epoch"] for entry in entries(tmp_path, "train")}
    assert {entry["epoch"] for kind in ("eval", "final") for entry in entries(tmp_path, kind)} == trained, (
        "no epoch is logged that was not trained"
    )
    assert [entry["epoch"] for entry in entries(tmp_path, "final")] == [int(np.argmax(epochs))]
    told = f"(epoch {int(np.argmax(epochs)) + 1}, the best of {len(epochs)} on these posts, so rather too high)"
    assert told in capsys.readouterr().err


@pytest.mark.parametrize("select_best", [True, False])
def test_a_run_of_so_many_steps_ends_in_the_epoch_of_the_last(
    select_best: bool, table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trainer = trainer_of(table, tmp_path, num_train_epochs=5, max_steps=3, select_best=select_best)
    assert trainer.steps_per_epoch[0] == 2
    trainer.run()
    assert trainer.state.progress.epoch == 2
    assert {entry["epoch"] for entry in entries(tmp_path, "eval")} == ({0, 1} if select_best else set())
    assert entries(tmp_path, "final")[0]["epoch"] in ({0, 1} if select_best else {1})
    shown = capsys.readouterr().err
    assert "(epoch 5" not in shown
    assert ("the best of 2 on these posts" in shown) == select_best


def test_every_learning_rate_is_logged(table: Path, tmp_path: Path) -> None:
    settings = {"layer_decay": 0.5, "freeze_image": True, "lr_scheduler_type": "constant"}
    trainer_of(table, tmp_path, num_train_epochs=1, **settings).run()
    rates = {name: value for name, value in entries(tmp_path, "train")[0].items() if name.startswith("lr_")}
    assert rates == {"lr_head": 5e-3, "lr_encoder": 1e-3, "lr_encoder-1": 5e-4, "lr_encoder-2": 2.5e-4}


def test_an_average_of_weights_is_used_at_the_end(table: Path, tmp_path: Path) -> None:
    average = trainer_of(table, tmp_path / "average", ema_decay=0.9, select_best=False)
    plain = trainer_of(table, tmp_path / "plain", select_best=False)
    for trainer in (average, plain):
        trainer.run()
    one, other = weights(average), weights(plain)
    assert not torch.allclose(one["proj_t.weight"], other["proj_t.weight"], atol=1e-5)
    assert all(weight.isfinite().all() for weight in one.values())


def test_what_another_machine_would_learn_otherwise_is_told(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = trainer_of(table, tmp_path, gradient_accumulation_steps=2)
    trainer.processes = 4
    notes: list[str] = []
    log: Any = type("Log", (), {"note": staticmethod(notes.append)})
    trainer._tell(log)
    assert "4 processes: a step adds the gradients of up to 128 posts, where one process adds those of 32" in notes[-1]
