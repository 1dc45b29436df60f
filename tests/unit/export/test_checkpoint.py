"""Which folder is a checkpoint, and when a bundle of it is made again."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="checkpoints belong to crossguard[train]")

from crossguard.export import checkpoint
from crossguard.export.bundle import ExportPlan
from crossguard.export.checkpoint import as_bundle, is_checkpoint


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

    monkeypatch.setattr(checkpoint, "export_bundle", export)
    monkeypatch.setattr(checkpoint, "MANIFEST", "bundle.json")
    return names


def test_weights_and_their_configuration_make_a_checkpoint(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    assert is_checkpoint(run)
    assert is_checkpoint(run / "checkpoint-10"), "its configuration lies above it"
    assert not is_checkpoint(write_run(tmp_path / "bare", ()))
    (run / "inference_config.json").unlink()
    assert not is_checkpoint(run)


def test_a_bundle_is_made_once_until_what_it_is_made_of_changes(tmp_path: Path, made: list[str]) -> None:
    run = write_run(tmp_path / "run")
    first = as_bundle(run)
    (run / "checkpoint-10" / "model.safetensors").write_bytes(b"weights that are not chosen")
    assert as_bundle(run) == first
    assert made == ["run"]
    (run / "inference_config.json").write_text('{"thresholds": [0.4]}')
    second = as_bundle(run)
    (run / "checkpoint-30" / "model.safetensors").write_bytes(b"other weights")
    third = as_bundle(run)
    assert as_bundle(run / "checkpoint-10") not in {first, second, third}
    assert len({first, second, third}) == 3
    assert made == ["run"] * 4


def test_a_model_of_the_hub_is_named_after_its_repository(tmp_path: Path, made: list[str]) -> None:
    as_bundle(write_run(tmp_path / "models--me--hateful" / "snapshots" / "0af3"))
    assert made == ["hateful"]
