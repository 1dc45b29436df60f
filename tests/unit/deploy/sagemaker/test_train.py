from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from crossguard.deploy.sagemaker import train
from crossguard.deploy.sagemaker.train import find_data, launcher, read_environment, read_recipe
from crossguard.errors import ConfigError


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """The folders of a job."""
    base = tmp_path / "ml"
    for channel in ("train", "recipe"):
        (base / "input" / "data" / channel).mkdir(parents=True)
    config = base / "input" / "config"
    config.mkdir()
    # As our TrainingJob sends them, and as a person types them into the console.
    given = {"recipe": '"clip-fusion"', "lr_head": "3e-4", "freeze_text": "true", "description": "a: plain, text"}
    (config / "hyperparameters.json").write_text(json.dumps(given))
    return base


def given(base: Path, **hyperparameters: str) -> Path:
    """Changes hyperparameters of the job."""
    file = base / "input" / "config" / "hyperparameters.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | hyperparameters))
    return base


def test_the_files_of_a_plain_container_are_read(base: Path) -> None:
    environment = read_environment(base)
    assert environment.channels == {
        "recipe": base / "input" / "data" / "recipe",
        "train": base / "input" / "data" / "train",
    }
    assert environment.hyperparameters["lr_head"] == 3e-4
    assert (environment.model, environment.checkpoints) == (base / "model", base / "checkpoints")
    recipe = read_recipe(environment)
    assert (recipe.backend, recipe.lr_head, recipe.freeze_text) == ("clip", 3e-4, True)
    assert recipe.description == "a: plain, text"


def test_what_awss_toolkit_adds_is_no_setting(base: Path) -> None:
    given(base, sagemaker_program='"train.py"', num_train_epochs="2", warmup_ratio="0.1")
    recipe = read_recipe(read_environment(base))
    assert (recipe.warmup_ratio, recipe.num_train_epochs) == (0.1, 2)


def test_a_version_stays_as_it_is_typed(base: Path) -> None:
    for version in ("1.10", '"1.10"'):
        environment = read_environment(given(base, model_version=version, model_name="5"))
        assert [environment.hyperparameters[key] for key in ("model_version", "model_name")] == ["1.10", "5"]


def test_a_name_or_version_of_null_is_none(base: Path) -> None:
    environment = read_environment(given(base, model_version="null", model_name="null"))
    assert [environment.hyperparameters[key] for key in ("model_version", "model_name")] == [None, None]


def test_without_anything_sagemakers_own_folders_are_meant() -> None:
    environment = read_environment()
    assert environment.model == Path("/opt/ml/model")
    assert environment.checkpoints == Path("/opt/ml/checkpoints")
    assert environment.output == Path("/opt/ml/output/data")


def test_a_recipe_may_come_as_a_channel(base: Path) -> None:
    (base / "input" / "data" / "recipe" / "mine.yaml").write_text("extends: clip-fusion\nfusion_dim: 64\n")
    environment = read_environment(given(base, recipe="mine.yaml"))
    assert read_recipe(environment).fusion_dim == 64


def test_encoders_may_come_as_a_channel(base: Path) -> None:
    encoder = base / "input" / "data" / "encoder"
    encoder.mkdir()
    assert read_recipe(read_environment(base)).encoder_name == str(encoder)


def test_the_table_is_the_one_of_the_channel_or_its_folder(base: Path) -> None:
    environment = read_environment(base)
    recipe = read_recipe(environment)
    folder = base / "input" / "data" / "train"
    with pytest.raises(ConfigError, match="holds none"):
        find_data(environment, recipe)
    (folder / "mmhs150k.parquet").touch()
    assert find_data(environment, recipe) == folder / "mmhs150k.parquet"
    (folder / "second.parquet").touch()
    with pytest.raises(ConfigError, match=r"mmhs150k\.parquet, second\.parquet"):
        find_data(environment, recipe)
    several = recipe.model_copy(update={"sources": {"mmhs150k": None}})
    assert find_data(environment, several) == folder


def test_a_missing_channel_is_told(base: Path) -> None:
    (base / "input" / "data" / "train").rmdir()
    environment = read_environment(base)
    with pytest.raises(ConfigError, match=r"no channel .train.\. It has: recipe"):
        find_data(environment, read_recipe(environment))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"lr_heat": "1"}, "Did you mean 'lr_head'"),
        ({"recipe": "clip-fuson"}, "Did you mean 'clip-fusion'"),
        ({"recipe": "5"}, "must name a recipe"),
    ],
)
def test_wrong_hyperparameters_are_told(base: Path, changes: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        read_recipe(read_environment(given(base, **changes)))


def test_every_device_of_a_machine_gets_a_process() -> None:
    command = launcher(4)
    assert "--nproc-per-node=4" in command
    assert command[-2:] == ["-m", "crossguard.deploy.sagemaker.train"]


def test_aws_is_shown_the_end_of_a_trace_which_says_what_went_wrong(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> None:
        raise RuntimeError("CUDA out of memory") from ValueError("a long story " * 100)

    monkeypatch.setattr(train, "_run", fail)
    monkeypatch.setenv("SAGEMAKER_BASE_DIR", str(base))
    with pytest.raises(RuntimeError):
        train.main()
    shown = (base / "output" / "failure").read_text()[:1024]  # what AWS shows
    assert shown.endswith("RuntimeError: CUDA out of memory\n")


def test_the_reason_of_one_of_several_devices_stays(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (base / "input" / "data" / "train" / "posts.parquet").touch()
    says = "import sys, pathlib; file = pathlib.Path(sys.argv[1]); file.parent.mkdir(); file.write_text('No space')"
    failure = base / "output" / "failure"
    failing = [sys.executable, "-c", f"{says}; sys.exit(1)", str(failure)]
    monkeypatch.setattr(train, "launcher", lambda _: failing)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    monkeypatch.setenv("SAGEMAKER_BASE_DIR", str(base))
    with pytest.raises(subprocess.CalledProcessError):
        train.main()
    assert failure.read_text() == "No space"
