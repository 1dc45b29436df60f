"""An int8 copy of a small model: close to it, refused when it may lose nothing, readable by every runtime."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="graphs are made with crossguard[train]")
pytest.importorskip("nncf", reason="int8 is made with crossguard[quantize]")

import torch
from tests.support.tiny_bundle import WORDS, manifest, tokenizer

from crossguard.bundle import Bundle, read_bundle, write_manifest
from crossguard.errors import BundleError, InputError, MissingExtraError, OutputError
from crossguard.evaluation.annotated import Annotated
from crossguard.export.onnx import export_graphs
from crossguard.export.quality import Tolerance
from crossguard.export.quantize import TRANSFORMERS, _examples, export_int8, quantize, quantize_graph, split
from crossguard.labels import HATE
from crossguard.models.building import BACKBONES, tiny
from crossguard.models.config import ModelConfig
from crossguard.moderator import Moderator
from crossguard.preprocessing.image import ImageSpec
from crossguard.preprocessing.text import TextSpec
from crossguard.records import Post
from crossguard.runtimes.tuning import ENCODERS, Trial

# Exporting and calibrating take half a minute of processor time.
calibrates = pytest.mark.slow

GENEROUS = Tolerance(auc=0.2, f1=0.5, flips=0.5)
STRICT = Tolerance(auc=-1, f1=-1, flips=-1)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    torch.manual_seed(0)
    model = tiny(ModelConfig("compact", "fusion", num_outputs=10, fusion_dim=20)).eval()
    for weight in model.parameters():
        weight.data.add_(0.1 * torch.randn_like(weight))
    folder = tmp_path_factory.mktemp("int8") / "exact"
    text, image = TextSpec(max_length=32), ImageSpec(size=32, resize="squash")
    export_graphs(model, folder, text, image)
    tokenizer().save(str(folder / "tokenizer.json"))
    data = manifest() | {"text": text.model_dump(), "image": image.model_dump()}
    data["model"] |= {"text_width": model.widths.text, "image_width": model.widths.image}
    return write_manifest(folder, data)


@pytest.fixture(scope="module")
def posts() -> Annotated:
    random = np.random.default_rng(0)
    made = []
    for index in range(90):
        text = " ".join(random.choice(WORDS, random.integers(1, 9)))
        made.append(Post(str(index), text, random.integers(0, 256, (32, 32, 3), dtype=np.uint8)))
    truth = random.integers(0, 2, (90, len(HATE.names))).astype(float)
    return Annotated("made.csv", tuple(made), HATE.names, truth, np.full(90, np.nan), {})


@calibrates
def test_the_copy_is_in_8_bits_and_close(bundle: Bundle, posts: Annotated, tmp_path: Path) -> None:
    report = export_int8(bundle, posts, tmp_path / "fast", GENEROUS)
    written = json.loads((tmp_path / "fast-quality.json").read_text(encoding="utf-8"))
    assert written["problems"] == []
    assert written["policies"]["default"]["racist"]["posts"] == report.posts == 60
    assert report.text_cosine is not None
    assert report.text_cosine[1] > 0.95
    assert 0 < report.logit_difference[0] < 0.5
    fast = read_bundle(tmp_path / "fast")
    assert b"QuantizeLinear" in fast.graphs["text"].read_bytes()
    assert fast.provenance()["precision"] == "int8"
    logits = [Moderator.load(fast.folder, runtime=name).logits(posts.posts)[0] for name in ("openvino", "onnx")]
    assert np.abs(logits[0].values - logits[1].values).max() < 0.5


@calibrates
def test_a_loss_is_refused_with_the_figures_and_can_be_accepted(
    bundle: Bundle, posts: Annotated, tmp_path: Path
) -> None:
    with pytest.raises(BundleError, match=r"racist \(policy default\): ROC-AUC .* --accept-loss"):
        export_int8(bundle, posts, tmp_path / "fast", STRICT)
    assert not (tmp_path / "fast").exists()
    assert json.loads((tmp_path / "fast-quality.json").read_text(encoding="utf-8"))["problems"]
    export_int8(bundle, posts, tmp_path / "fast", STRICT, accept_loss=True)
    assert read_bundle(tmp_path / "fast").labels.names == HATE.names


@calibrates
@pytest.mark.parametrize(
    ("native", "bf16_ms", "allowed"), [(True, 5.0, ("fp32", "bf16")), (True, 9.5, ("fp32",)), (False, 5.0, ("fp32",))]
)
def test_bf16_is_allowed_where_it_was_judged_and_pays(
    bundle: Bundle,
    posts: Annotated,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    native: bool,
    bf16_ms: float,
    allowed: tuple[str, ...],
) -> None:
    def measure(graphs: object, precisions: object) -> list[Trial]:
        return [Trial("text", {"fp32": 10.0, "bf16": 10.0}, {}), Trial("image", {"fp32": 10.0, "bf16": bf16_ms}, {})]

    monkeypatch.setattr("crossguard.export.quantize.multiplies_bf16", lambda: native)
    monkeypatch.setattr("crossguard.export.quantize.measure", measure)
    export_int8(bundle, posts, tmp_path / "fast", GENEROUS)
    fast = read_bundle(tmp_path / "fast")
    assert fast.manifest.precisions == allowed
    assert fast.provenance()["precision"] == "int8"


@calibrates
def test_a_card_that_a_person_wrote_stays(
    bundle: Bundle, posts: Annotated, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "README.md").write_text("# By hand\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path / "out")

    def quantize(exact: Bundle, _posts: object, folder: Path, **_: object) -> Bundle:
        shutil.copytree(exact.folder, folder)
        (folder / "README.md").write_text("# Of the source\n", encoding="utf-8")
        return read_bundle(folder)

    monkeypatch.setattr("crossguard.export.quantize.quantize", quantize)
    export_int8(bundle, posts, Path(), GENEROUS)
    assert (tmp_path / "out" / "README.md").read_text(encoding="utf-8") == "# By hand\n"
    assert (tmp_path / "out-quality.json").is_file()


@calibrates
def test_weights_of_pytorch_do_not_stay_beside_a_copy_that_has_none(
    bundle: Bundle, posts: Annotated, tmp_path: Path
) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"of another model")
    with pytest.raises(OutputError, match=r"holds PyTorch weights, .* would stay beside the copy: model\.safetensors"):
        export_int8(bundle, posts, tmp_path, GENEROUS)
    assert [path.name for path in tmp_path.iterdir()] == ["model.safetensors"]


def test_calibration_posts_are_not_compared_with(posts: Annotated) -> None:
    calibration, held = split(posts)
    assert len(calibration) == 30
    assert set(calibration.ids) | set(held.ids) == set(posts.ids)
    assert not set(calibration.ids) & set(held.ids)
    with pytest.raises(InputError, match=r"needs 30 posts or more, and made.csv has 29"):
        split(posts.take(np.arange(29)))


def test_without_a_usable_text_nothing_can_be_calibrated(tiny_bundle: Bundle, tmp_path: Path, red: bytes) -> None:
    with pytest.raises(InputError, match=r"None of 2 .* has a usable text.* --calibration MORE"):
        quantize(tiny_bundle, [Post("1", image=red), Post("2")], tmp_path / "copy")


def test_the_library_is_asked_for(tiny_bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nncf", None)
    with pytest.raises(MissingExtraError, match=r"crossguard\[quantize\]"):
        quantize_graph(tiny_bundle.graphs["text"], [], tmp_path / "text.onnx", "compact")


def test_no_padding_is_learnt_from(tiny_bundle: Bundle, red: bytes) -> None:
    posts = [Post("1", "hello"), Post("2", "hello you all my friends i love", image=red), Post("3", image=b"broken")]
    jobs = _examples(tiny_bundle, posts)
    texts = [job.feed for job in jobs if job.graph == "text"]
    assert [int(feed["attention_mask"].sum()) for feed in texts] == [1, 7]
    assert [len(job.feed["pixels"]) for job in jobs if job.graph == "image"] == [1]


def test_an_earlier_manifest_is_not_taken_along(
    tiny_bundle: Bundle, tmp_path: Path, red: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, int, str]] = []

    def copied(source: Path, feeds: list[object], target: Path, backend: str) -> None:
        asked.append((source.stem, len(feeds), backend))
        shutil.copyfile(source, target)

    monkeypatch.setattr("crossguard.export.quantize.quantize_graph", copied)
    exact = Bundle(shutil.copytree(tiny_bundle.folder, tmp_path / "exact"), tiny_bundle.manifest)
    (exact.folder / "README.md").write_text("F1 .90", encoding="utf-8")
    (exact.folder / "test_metrics.json").write_text("{}", encoding="utf-8")
    (exact.folder / "report.html").write_text("words of posts", encoding="utf-8")
    made = quantize(exact, [Post("1", "hello", image=red)], tmp_path / "copy", name="fast")
    assert asked == [("text", 1, "compact"), ("image", 1, "compact")]
    assert made.folder == tmp_path / "copy"
    assert made.manifest.precisions == ("fp32",)
    model = exact.manifest.model
    assert (made.manifest.model.name, made.manifest.model.version) == ("fast", model.version)
    assert not (made.folder / "test_metrics.json").exists(), "metrics of the exact model"
    assert not (made.folder / "report.html").exists(), "no part of the bundle"
    assert f"The int8 copy of {model.name} {model.version}, whose metrics are others." in made.card()
    assert made.provenance() | {"precision": "int8", "calibration_posts": 1} == made.provenance()


def test_every_backbone_says_which_of_its_encoders_are_transformers() -> None:
    assert set(TRANSFORMERS) == set(BACKBONES)
    assert all(set(graphs) <= set(ENCODERS) for graphs in TRANSFORMERS.values())
