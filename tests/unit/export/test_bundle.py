"""What a bundle says of the run that it was made of."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="exports need crossguard[train]")

from tests.support.tiny_bundle import tokenizer

from crossguard.bundle import Bundle, read_bundle
from crossguard.errors import BundleError, ConfigError, OutputError
from crossguard.export import bundle as exporting
from crossguard.export.bundle import ExportPlan, as_bundle, copy_reports, export_bundle
from crossguard.export.policies import PolicyPlan
from crossguard.export.source import ExportSource
from crossguard.models.building import tiny
from crossguard.models.config import ModelConfig
from crossguard.models.loading import save_model
from crossguard.preprocessing.image import ImageSpec
from crossguard.preprocessing.text import TextSpec

LABELS = ["racist", "insult"]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "recipe.yaml").write_text("encoder_name: /home/me/clip\nhead: fusion\n", encoding="utf-8")
    (folder / "val_report.json").write_text("{}", encoding="utf-8")
    entry = {"name": "posts", "sketch": ["0001"]}
    (folder / "provenance.json").write_text(json.dumps({"trained_on": [entry], "measured_on": [entry]}))
    return folder


def source_of(run: Path, averaged: tuple[Path, ...] = (), **inference: Any) -> ExportSource:
    told = {"class_names": LABELS, "thresholds": [0.3, 0.7], "encoder_name": "clip", "untrained": ["image"]} | inference
    model = tiny(ModelConfig("clip", num_outputs=4, fusion_dim=8))
    text, image = TextSpec(max_length=77), ImageSpec(size=32)
    return ExportSource(model, told, run, text, image, tokenizer().to_str(), averaged)


@pytest.fixture
def fake(run: Path, tiny_bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> list[Mapping[str, str]]:
    """Exports the graphs of the tiny bundle; notes how their weights were to be stored."""
    asked: list[Mapping[str, str]] = []

    def graphs(_model: Any, folder: Path, _text: Any, _image: Any, weight_dtypes: Mapping[str, str]) -> None:
        asked.append(weight_dtypes)
        for path in tiny_bundle.graphs.values():
            shutil.copyfile(path, folder / path.name)

    monkeypatch.setattr(exporting, "export_graphs", graphs)
    monkeypatch.setattr(exporting, "open_checkpoint", source_of)
    return asked


def test_the_bundle_of_a_run_opens_and_says_where_it_is_from(
    run: Path, tmp_path: Path, fake: list[Mapping[str, str]]
) -> None:
    made = export_bundle(run, tmp_path / "out", ExportPlan("mine", "2.1", {"text": "int8"}))
    assert read_bundle(tmp_path / "out", verify=True).manifest == made.manifest
    assert fake == [{"text": "int8"}]
    assert (made.manifest.model.name, made.manifest.model.version) == ("mine", "2.1")
    assert (made.manifest.model.backend, made.manifest.model.head) == ("clip", "fusion")
    known = {label.name: label.meaning for label in made.manifest.labels}
    assert list(known) == LABELS
    assert known["racist"], "the meaning of a label that is ours is told"
    provenance = made.provenance()
    assert "encoder_name: clip" in provenance["recipe"]
    assert "/home/me" not in str(provenance)
    assert provenance["averaged_runs"] == 1
    assert provenance["untrained"] == ["image"]
    assert [entry["what"] for entry in provenance["fitted_on"]] == ["the model's weights"]


def test_without_plans_the_runs_thresholds_are_the_policy(
    run: Path, tmp_path: Path, fake: list[Mapping[str, str]]
) -> None:
    made = export_bundle(run, tmp_path / "out", ExportPlan("mine"))
    (policy,) = made.manifest.policies.values()
    assert {name: rule.threshold for name, rule in policy.labels.items()} == {"racist": 0.3, "insult": 0.7}
    told = json.loads((tmp_path / "out" / "inference_config.json").read_text(encoding="utf-8"))
    assert told["thresholds"] == [0.3, 0.7]


def test_labels_that_the_run_could_not_fit_are_named(
    run: Path,
    tmp_path: Path,
    fake: list[Mapping[str, str]],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(exporting, "open_checkpoint", lambda *given: source_of(*given, unfitted=["insult"]))
    made = export_bundle(run, tmp_path / "out", ExportPlan("mine"))
    (policy,) = made.manifest.policies.values()
    told = "The thresholds stored with the checkpoint. Not fitted, with the threshold 0.5: insult."
    assert policy.description == told
    assert "too few posts to fit thresholds of these labels, which have the threshold 0.5: insult." in caplog.text
    assert "unfitted" not in json.loads((tmp_path / "out" / "inference_config.json").read_text(encoding="utf-8"))


def test_a_mean_of_runs_knows_all_their_posts_and_has_no_metrics_of_one(
    run: Path, tmp_path: Path, fake: list[Mapping[str, str]], caplog: pytest.LogCaptureFixture
) -> None:
    other = tmp_path / "other"
    shutil.copytree(run, other)
    entry = {"name": "posts", "sketch": ["0002"]}
    (other / "provenance.json").write_text(json.dumps({"trained_on": [entry], "measured_on": [entry]}))
    made = export_bundle(run, tmp_path / "out", ExportPlan("mine", average=(other,)))
    provenance = made.provenance()
    assert provenance["averaged_runs"] == 2
    assert [entry["sketch"] for entry in provenance["fitted_on"]] == [["0001", "0002"]]
    assert not (tmp_path / "out" / "val_report.json").exists()
    (policy,) = made.manifest.policies.values()
    assert "before they were averaged" in policy.description
    assert f"The thresholds are those of {run} before its weights were averaged" in caplog.text
    caplog.clear()
    export_bundle(run, tmp_path / "one", ExportPlan("mine"))
    assert (tmp_path / "one" / "val_report.json").is_file()
    assert not caplog.text


def test_a_bundle_without_a_default_policy_is_refused(run: Path, tmp_path: Path, fake: list[Mapping[str, str]]) -> None:
    with pytest.raises(ConfigError, match="Give one more: --policy default=SCHEME:RUN@f1"):
        export_bundle(run, tmp_path / "out", ExportPlan("mine", policies=[PolicyPlan("other", "labels", (run,))]))
    assert not (tmp_path / "out").exists()
    assert not fake


def test_a_card_that_a_person_wrote_stays(run: Path, tmp_path: Path, fake: list[Mapping[str, str]]) -> None:
    out = tmp_path / "out"
    export_bundle(run, out, ExportPlan("mine"))
    assert "`crossguard card FOLDER --details card.yaml --into-bundle`" in (out / "README.md").read_text(
        encoding="utf-8"
    )
    (out / "README.md").write_text("# By hand\n", encoding="utf-8")
    (out / "test_metrics.json").write_text("{}", encoding="utf-8")
    export_bundle(run, out, ExportPlan("mine", "2.0.0"))
    assert (out / "README.md").read_text(encoding="utf-8") == "# By hand\n"
    assert read_bundle(out).manifest.model.version == "2.0.0"
    assert not (out / "test_metrics.json").exists(), "figures of the model that was there"


def test_weights_of_another_model_do_not_stay_beside_a_bundle(
    run: Path, tmp_path: Path, fake: list[Mapping[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, other, out = source_of(run), source_of(run), tmp_path / "out"
    monkeypatch.setattr(exporting, "open_checkpoint", lambda *_: source)
    save_model(other.model, out)
    with pytest.raises(OutputError, match=r"PyTorch weights of another model.*: model\.safetensors"):
        export_bundle(run, out, ExportPlan("mine"))
    (out / "model.safetensors").write_bytes(b"broken")
    with pytest.raises(OutputError, match="PyTorch weights of another model"):
        export_bundle(run, out, ExportPlan("mine"))
    save_model(source.model, out)
    export_bundle(run, out, ExportPlan("mine"))
    assert (out / "config.json").is_file()


def test_a_policy_is_named_once(run: Path, tmp_path: Path, fake: list[Mapping[str, str]]) -> None:
    plans = [PolicyPlan("default", "labels", (run,)), PolicyPlan("default", "labels", (tmp_path,))]
    with pytest.raises(ConfigError, match="--policy default is given twice"):
        export_bundle(run, tmp_path / "out", ExportPlan("mine", policies=plans))


def test_a_run_that_cannot_be_loaded_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="cannot be loaded"):
        export_bundle(tmp_path, tmp_path / "out", ExportPlan("mine"))


def test_label_schemes_are_the_runs_or_one_over_all_labels(run: Path) -> None:
    assert source_of(run).label_schemes == {"labels": (0, 1)}
    stored = {"any": [0, 1], "consensus": [2, 3]}
    assert source_of(run, label_schemes=stored).label_schemes == {"any": (0, 1), "consensus": (2, 3)}


def test_reports_that_are_there_are_copied(run: Path, tmp_path: Path) -> None:
    (run / "other.json").write_text("{}", encoding="utf-8")
    copy_reports(source_of(run), tmp_path)
    assert sorted(path.name for path in tmp_path.glob("*.json")) == ["val_report.json"]


def write_run(folder: Path, steps: tuple[int, ...] = (10, 30)) -> Path:
    folder.mkdir(parents=True)
    (folder / "inference_config.json").write_text("{}")
    for step in steps:
        (folder / f"checkpoint-{step}").mkdir()
        (folder / f"checkpoint-{step}" / "model.safetensors").write_bytes(b"weights of %d" % step)
    return folder


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the bundles that were made; the cache is empty at first."""
    monkeypatch.setenv("CROSSGUARD_CACHE", str(tmp_path / "cache"))
    names: list[str] = []

    def export(_run: Path, out: Path, plan: ExportPlan) -> None:
        names.append(plan.name)
        out.mkdir(parents=True)
        (out / "bundle.json").touch()

    monkeypatch.setattr(exporting, "export_bundle", export)
    monkeypatch.setattr(exporting, "MANIFEST", "bundle.json")
    return names


def test_weights_and_their_configuration_make_a_checkpoint(tmp_path: Path, made: list[str]) -> None:
    run = write_run(tmp_path / "run")
    as_bundle(run)
    as_bundle(run / "checkpoint-10")  # its configuration lies above it
    (run / "inference_config.json").unlink()
    for folder in (run, write_run(tmp_path / "bare", ())):
        with pytest.raises(BundleError, match=r"no bundle\.json, and no weights"):
            as_bundle(folder)


def test_a_bundle_is_made_once_until_what_it_is_made_of_changes(tmp_path: Path, made: list[str]) -> None:
    run = write_run(tmp_path / "run")
    first = as_bundle(run)
    (run / "checkpoint-10" / "model.safetensors").write_bytes(b"weights that are not chosen")
    assert as_bundle(run) == first
    assert made == ["run"]
    (run / "inference_config.json").write_text('{"thresholds": [0.4]}')
    second = as_bundle(run)
    (run / ".git").mkdir()
    (run / ".git" / "index").write_bytes(b"what git status writes")
    assert as_bundle(run) == second
    (run / "tensorboard").mkdir()
    for name in ("state.pt", "best.pt", "tensorboard/events", "log.jsonl", "optimizer.bin"):
        (run / name).write_bytes(b"what only training reads, and may be large")
    assert as_bundle(run) == second
    (run / "checkpoint-30" / "model.safetensors").write_bytes(b"other weights")
    third = as_bundle(run)
    assert as_bundle(run / "checkpoint-10") not in {first, second, third}
    assert len({first, second, third}) == 3
    assert made == ["run"] * 4


def test_a_bundle_that_another_process_made_meanwhile_stays(
    tmp_path: Path, made: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = write_run(tmp_path / "run")
    theirs = as_bundle(run)
    (theirs / "theirs").touch()
    export = exporting.export_bundle

    def late(source: Path, out: Path, plan: ExportPlan) -> None:
        export(source, out, plan)
        (theirs / "bundle.json").touch()

    (theirs / "bundle.json").unlink()
    monkeypatch.setattr(exporting, "export_bundle", late)
    assert as_bundle(run) == theirs
    assert (theirs / "theirs").exists()
    assert [path.name for path in theirs.parent.iterdir()] == [theirs.name], "and nothing is left of ours"


def test_without_a_cache_a_checkpoint_is_to_be_exported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("CROSSGUARD_CACHE", str(tmp_path / "file" / "crossguard"))
    with pytest.raises(OutputError, match=r"Not a directory\. Set CROSSGUARD_CACHE .*: crossguard export .*run BUNDLE"):
        as_bundle(write_run(tmp_path / "run"))


def test_a_model_of_the_hub_is_named_after_its_repository(tmp_path: Path, made: list[str]) -> None:
    as_bundle(write_run(tmp_path / "models--me--hateful" / "snapshots" / "0af3"))
    assert made == ["hateful"]


def test_a_folder_whose_name_no_model_has_is_opened_under_a_like_one(tmp_path: Path, made: list[str]) -> None:
    as_bundle(write_run(tmp_path / "my r\u00fcn"))
    assert made == ["my-r-n"]


def test_a_name_that_no_model_has_is_refused_before_any_work() -> None:
    with pytest.raises(ConfigError, match=r"'my model' cannot name a model.*--name my-model"):
        ExportPlan("my model")


def test_a_policy_of_an_unknown_label_scheme_is_refused(
    run: Path, tmp_path: Path, fake: list[Mapping[str, str]]
) -> None:
    with pytest.raises(ConfigError, match=r"unknown label scheme 'label'\. Did you mean 'labels'"):
        export_bundle(run, tmp_path / "out", ExportPlan("mine", policies=[PolicyPlan("default", "label", (run,))]))
