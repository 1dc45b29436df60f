"""`crossguard export`, as people type it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from crossguard.bundle import Bundle, write_manifest
from crossguard.cli import run
from crossguard.cli.export import _weight_dtypes

pytest.importorskip("torch", reason="exporting belongs to crossguard[train]")

from crossguard.export.bundle import ExportPlan


def test_export_explains_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["export", str(tmp_path), str(tmp_path / "out"), "--weight-dtype", "int4"]) == 5
    assert "fp16" in capsys.readouterr().err
    assert run(["export", str(tmp_path), str(tmp_path / "out")]) == 4
    assert "model.safetensors" in capsys.readouterr().err


@pytest.mark.parametrize("overflows", [True, False])
def test_an_int8_copy_that_is_no_faster_here_is_called_so(
    tiny_bundle: Bundle,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    overflows: bool,
) -> None:
    asked: dict[str, object] = {}
    # It takes long; see test_quantize.py.
    monkeypatch.setattr("crossguard.export.quantize.export_int8", lambda *_, **given: asked.update(given))
    monkeypatch.setattr("crossguard.cli.export._show_quality", lambda _: None)
    monkeypatch.setattr("crossguard.runtimes.fallbacks.sums_overflow", lambda _: overflows)
    posts = tmp_path / "posts.csv"
    posts.write_text("text,racist\na,1\nb,0\n")
    arguments = ["--precision", "int8", "--calibration", str(posts)]
    assert run(["export", str(tiny_bundle.folder), str(tmp_path / "out"), *arguments]) == 0
    assert ("computed in float32 here" in capsys.readouterr().err) == overflows
    assert (asked["name"], asked["version"]) == ("out", tiny_bundle.manifest.model.version)


@pytest.mark.parametrize("options", [(), ("--format", "huggingface"), ("--precision", "int8")])
def test_no_model_is_replaced_that_nobody_said_to_replace(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...]
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "README.md").write_text("# A card alone may wait there\n", encoding="utf-8")
    (out / ".out-half").mkdir()  # of an export that was killed
    assert run(["export", str(tmp_path), str(out), *options]) != 7
    (out / "text.onnx").touch()
    assert run(["export", str(tmp_path), str(out), *options]) == 7
    assert "Replace the model in it with --overwrite" in capsys.readouterr().err
    assert run(["export", str(tmp_path), str(out), *options, "--overwrite"]) != 7


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--format", "huggingface", "--name", "x"], "--name does nothing beside --format huggingface"),
        (["--format", "huggingface", "--policy", "default=labels:a"], "--policy does nothing beside --format"),
        (["--format", "huggingface", "--weight-dtype", "fp16"], "--weight-dtype does nothing beside --format"),
        (["--precision", "int8", "--policy", "a=b:."], "--policy does nothing beside --precision int8"),
        (["--precision", "int8", "--format", "huggingface"], "--format does nothing beside --precision int8"),
        (["--precision", "int8", "--average", "."], "--average does nothing beside --precision int8"),
        (["--calibration", "."], "--calibration does nothing without --precision int8"),
        (["--format", "huggingface", "--accept-loss"], "--accept-loss does nothing without --precision int8"),
    ],
)
def test_options_that_this_export_does_not_read_are_refused(
    options: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["export", str(tmp_path), str(tmp_path / "out"), *options]) == 2
    assert message in capsys.readouterr().err


def test_runs_are_averaged_for_hugging_face_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr("crossguard.export.huggingface.export_huggingface", lambda *given: asked.extend(given))
    out, other = tmp_path / "out", tmp_path / "other"
    other.mkdir()
    assert run(["export", str(tmp_path), str(out), "--format", "huggingface", "--average", str(other)]) == 0
    assert asked == [tmp_path, out, (other,)]


@pytest.mark.parametrize("options", [("fp16", "text=fp32"), ("text=fp32", "fp16")])
def test_what_is_said_of_one_graph_wins_wherever_it_stands(options: tuple[str, ...]) -> None:
    assert _weight_dtypes(options) == {"text": "fp32", "image": "fp16", "fusion": "fp16"}


def test_a_run_is_not_written_over_by_its_export(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "other").mkdir()
    averaged = ["export", str(tmp_path), str(tmp_path / "other"), "--average", str(tmp_path / "other")]
    for arguments in (["export", str(tmp_path), str(tmp_path)], averaged):
        assert run([*arguments, "--overwrite"]) == 7
        assert "is a run that is exported" in capsys.readouterr().err


@pytest.mark.parametrize(("version", "told"), [("1.0.0", True), ("1.0.1", False)])
def test_two_models_under_one_name_and_version_are_told(
    tiny_bundle: Bundle,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    version: str,
    told: bool,
) -> None:
    def exported(_run: Path, out: Path, plan: ExportPlan, weights: bytes = b"new") -> Bundle:
        (out / "text.onnx").write_bytes(weights)
        data = tiny_bundle.manifest.model_dump(mode="json")
        return write_manifest(out, data | {"model": data["model"] | {"name": plan.name, "version": plan.version}})

    out = tmp_path / "out"
    shutil.copytree(tiny_bundle.folder, out)
    exported(tmp_path, out, ExportPlan("out", "1.0.0"), b"old")
    monkeypatch.setattr("crossguard.export.bundle.export_bundle", exported)
    assert run(["export", str(tmp_path), str(out), "--overwrite", "--version", version]) == 0
    assert ("the model before was called out 1.0.0, too" in capsys.readouterr().err) == told
