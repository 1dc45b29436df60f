"""What people call a model, and what is loaded while the rest is read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from crossguard import loading
from crossguard.bundle import Bundle
from crossguard.errors import BundleError, ConfigError, MissingExtraError
from crossguard.loading import find_bundle, load

Ahead = list[tuple[tuple[str, ...], str, int | None, bool, int]]


@pytest.fixture
def ahead(monkeypatch: pytest.MonkeyPatch) -> Ahead:
    """What was loaded ahead: graphs, precision, threads, whether posts come one by one, characters."""
    found: Ahead = []

    @contextmanager
    def note(
        _: Path, graphs: tuple[str, ...], precision: str, threads: int | None, *, one_by_one: bool, characters: int
    ) -> Iterator[None]:
        found.append((graphs, precision, threads, one_by_one, characters))
        yield

    monkeypatch.setattr(loading, "loading_ahead", note)
    return found


def test_a_bundle_is_loaded_with_its_options(tiny_bundle: Bundle, ahead: Ahead) -> None:
    with load(tiny_bundle.folder, policy="benchmark") as moderator:
        assert moderator.policy.name == "benchmark"
    assert ahead == [(("text", "fusion"), "auto", None, False, 0)]


def test_what_the_first_posts_need_is_loaded_ahead(tiny_bundle: Bundle, ahead: Ahead) -> None:
    with load(tiny_bundle.folder, images_ahead=True, precision="fp32", threads=1, one_by_one=True, characters_ahead=7):
        pass
    assert ahead == [(("text", "fusion", "image"), "fp32", 1, True, 7)]


@pytest.mark.parametrize("characters", [-1, 1.5, "7", True])
def test_the_characters_of_a_first_text_are_a_number_of_them(tiny_bundle: Bundle, characters: Any) -> None:
    with pytest.raises(ConfigError, match=f"characters_ahead is {characters!r}; it is how long"):
        load(tiny_bundle.folder, characters_ahead=characters)


@pytest.mark.parametrize("options", [{"runtime": "onnx"}, {"verify": False}])
def test_nothing_is_where_it_would_not_be_taken(tiny_bundle: Bundle, ahead: Ahead, options: dict[str, Any]) -> None:
    with load(tiny_bundle.folder, **options):
        pass
    assert ahead == []


def test_a_bundle_needs_no_conversion(tiny_bundle: Bundle) -> None:
    assert find_bundle(str(tiny_bundle.folder)) == tiny_bundle.folder


def test_a_configuration_without_weights_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="checkpoints belong to crossguard[train]")
    (tmp_path / "inference_config.json").write_text("{}", encoding="utf-8")
    with pytest.raises(BundleError, match=r"no weights \(model.safetensors\)"):
        load(tmp_path)


def test_a_checkpoint_is_converted(tmp_path: Path, tiny_bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch", reason="checkpoints belong to crossguard[train]")
    (tmp_path / "inference_config.json").write_text("{}", encoding="utf-8")
    (tmp_path / "model.safetensors").touch()
    monkeypatch.setattr("crossguard.export.bundle.as_bundle", lambda _: tiny_bundle.folder)
    assert find_bundle(tmp_path) == tiny_bundle.folder


def test_a_conversion_says_what_it_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    (tmp_path / "inference_config.json").write_text("{}", encoding="utf-8")
    monkeypatch.setitem(sys.modules, "crossguard.export.bundle", None)
    with pytest.raises(MissingExtraError, match=r"Opening a PyTorch checkpoint.*crossguard\[train\]"):
        find_bundle(tmp_path)
