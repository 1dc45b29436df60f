from __future__ import annotations

import copy
import importlib
import pickle
import sys
from http import HTTPStatus
from pathlib import Path

import pytest

from crossguard.errors import (
    BundleError,
    ChangedError,
    ConfigError,
    CrossguardError,
    DeployError,
    ImageError,
    InputError,
    JobError,
    MissingExtraError,
    OutputError,
    PostError,
    StorageError,
    TableError,
    UnitError,
    as_sentence,
    needs_extra,
    number_of,
    pip,
    suggest,
)
from crossguard.review.errors import NotFoundError
from crossguard.serving.fetching import FetchError
from crossguard.training.recipe import Recipe
from crossguard.wire.sagemaker import RequestError


def test_an_import_that_fails_names_the_extra_to_install() -> None:
    message = r"^Evaluating needs .*pip install 'crossguard\[evaluate\]'$"
    with pytest.raises(MissingExtraError, match=message) as caught, needs_extra("Evaluating", "evaluate"):
        importlib.import_module("a_package_that_nobody_has")
    assert (caught.value.extra, caught.value.exit_code) == ("evaluate", 6)


def test_the_pip_to_call_is_that_of_this_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    binaries = tmp_path / ".venv" / "bin"
    binaries.mkdir(parents=True)
    monkeypatch.setattr(sys, "executable", str(binaries / "python"))
    monkeypatch.chdir(tmp_path)
    assert pip() == "pip"
    (binaries / "pip").touch(0o755)
    assert pip() == ".venv/bin/pip"
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert pip() == str(binaries / "pip")
    monkeypatch.setenv("PATH", str(binaries))
    assert pip() == "pip"


def test_other_errors_of_the_block_stay_what_they_are() -> None:
    with pytest.raises(ConfigError, match="wrong"), needs_extra("Evaluating", "evaluate"):
        raise ConfigError("wrong")


def test_a_misspelt_name_is_answered_with_its_neighbour() -> None:
    assert suggest("sexsit", ["racist", "sexist"]) == " Did you mean 'sexist'? Known: racist, sexist."
    assert suggest("Text", ["text", "image_text"]).startswith(" Did you mean 'text'? ")
    assert suggest("xyz", ["b", "a"]) == " Known: a, b."
    assert suggest("xyz", []) == ""


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("epochs", "'num_train_epochs'"),
        ("learning_rate", "'lr_encoder' or 'lr_head' or 'lr_scheduler_type'"),
        ("lr", "'lr_encoder' or 'lr_head' or 'lr_scheduler_type'"),
        ("batch_size", "'per_device_eval_batch_size' or 'per_device_train_batch_size'"),
        ("patience", "'early_stopping_patience'"),
    ],
)
def test_other_names_of_a_setting_are_answered_with_its_own(typed: str, meant: str) -> None:
    assert suggest(typed, Recipe.model_fields).startswith(f" Did you mean {meant}? Known: ")


def test_all_problems_of_a_file_are_told_at_once() -> None:
    assert str(ConfigError.gather("a.yaml", ["one"])) == "a.yaml: one"
    assert str(ConfigError.gather("a.yaml", ["one", "two"])) == "a.yaml: 2 problems\n  - one\n  - two"


def test_one_is_one() -> None:
    assert [number_of(count, "post") for count in (0, 1, 1024)] == ["0 posts", "1 post", "1,024 posts"]


ERRORS = [
    PostError("post_empty", "nothing"),
    ImageError("image_empty", "nothing"),
    FetchError("nothing"),
    MissingExtraError("A data frame", "pandas"),
    NotFoundError("nothing"),
    RequestError(HTTPStatus.BAD_REQUEST, "invalid_request", "nothing"),
    *(kind("wrong") for kind in (BundleError, ChangedError, ConfigError, DeployError, InputError, JobError)),
    *(kind("wrong") for kind in (OutputError, StorageError, TableError, UnitError)),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_every_error_passes_between_processes(error: CrossguardError) -> None:
    """A pool whose worker raises one that cannot be unpickled waits for ever."""
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error)):  # noqa: S301 - our own
        assert (type(again), str(again), vars(again)) == (type(error), str(error), vars(error))


@pytest.mark.parametrize("told", ["no such file", "no such file.", "no such file.\n[Detail: errno 2]"])
def test_what_a_library_says_ends_in_one_full_stop(told: str) -> None:
    assert as_sentence(OSError(told)) == "no such file."
