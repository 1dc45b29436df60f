#!/usr/bin/env python3
"""Corrects what a compact bundle says of harmless sentences about groups of people, and keeps what it says of all else.

Usage: scripts/correct_compact.py BUNDLE OUT TABLE [TABLE ...]

The sentences are those of `resources/templates/corrections.yaml`, about groups of `templates.yaml`; hateful ones beside
them keep hate from being unlearned. What the model says of posts in the tables, as `crossguard prepare` writes them, is
kept: their labels are not read. Both encoders stay as they are, so only the fusion's graph changes: some minutes on two
cores. OUT gets a copy of BUNDLE with that graph.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
import torch
import yaml
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor, nn
from torch.nn import functional

from crossguard.bundle import Bundle, write_manifest
from crossguard.evaluation.annotated import read_posts
from crossguard.models.building import from_pretrained_encoder
from crossguard.models.config import ModelConfig
from crossguard.models.gated import GatedModel
from crossguard.moderator import Moderator
from crossguard.preprocessing.batch import collate
from crossguard.records import Post
from crossguard.runtimes.base import encode, fusion_inputs

RESOURCES: Final = Path(__file__).resolve().parents[1] / "src" / "crossguard" / "resources" / "templates"
# Parameters of the fusion that a post without an image goes through; the image's own stay.
CORRECTED: Final = ("proj_t", "g_t", "cls.1", "cls.4")
OF_GRAPH: Final = "model."
HALF_PRECISION: Final = ".fp16"
# Posts of each table, and groups that a sentence is about.
POSTS: Final = 2000
POSTS_OF: Final = {"templates": 6000}
GROUPS: Final = 20
BATCH: Final = 64
# What the fusion takes, as `Encoded` has it.
FUSED: Final = ("text_features", "image_features", "has_text", "has_image")
# The share of a batch that must have something to score; a few posts are blanks.
READABLE: Final = 0.8
STEPS: Final = 2000
LOG_EVERY: Final = 500
DIMENSIONS: Final = 256
WARM_UP: Final = 50
LEARNING_RATE: Final = 1e-3
# By how much a change of a logit that is to stay counts beside the likelihood: what is certain must stay certain.
STEADY: Final = 0.03
# What a harmless sentence may keep and a hateful one must reach: the probability of labels to any annotator, to most
# (and for a harmless one, of attributes).
UNLIKELY, LIKELY = (0.04, 0.01), (0.85, 0.93)
UNLIKELY_ATTRIBUTE: Final = 0.01


@dataclass(frozen=True, slots=True)
class Encoded:
    """n texts, images or both, of which the fusion makes logits."""

    text: Tensor  # float32 (n, text_width)
    image: Tensor  # float32 (n, image_width)
    has_text: Tensor  # float32 (n,)
    has_image: Tensor  # float32 (n,)
    ids: list[tuple[int, ...]]  # of the tokens of each text; none without one


@dataclass(frozen=True, slots=True)
class Lesson:
    """Posts of a kind, and what the model is to say of them."""

    posts: Encoded
    before: Tensor  # float32 (n, outputs), the logits of the bundle
    target: Tensor  # float32 (n, outputs), probabilities
    size: int  # of a batch
    weight: float
    steady: bool  # whether the logits are to stay


def encoded(model: Moderator, posts: Sequence[Post]) -> Encoded:
    """Encodes posts: of each that can be read the first reading, and the first frame of its image."""
    manifest = model.bundle.manifest
    widths = (manifest.model.text_width, manifest.model.image_width)
    parts: list[tuple[Tensor, ...]] = []
    ids: list[tuple[int, ...]] = []
    for start in range(0, len(posts), BATCH):
        prepared = model.prepare_all(posts[start : start + BATCH])
        ready = [post for post in prepared if post.error is None]
        if len(ready) < len(prepared) * READABLE:
            raise SystemExit(f"Too few posts can be read: {next(post.error for post in prepared if post.error)}")
        batch, rows = collate(ready, manifest.text, manifest.image.size)
        texts, images = encode(model.runtime, batch, trim=True, widths=widths)
        first = np.unique(rows.post, return_index=True)[1]
        feed = fusion_inputs(texts, images, batch.text_of[first], batch.image_of[first])
        parts.append(tuple(torch.from_numpy(feed[name]) for name in FUSED))
        ids += [post.texts[0].ids if post.texts else () for post in ready]
    text, image, has_text, has_image = map(torch.cat, zip(*parts, strict=True))
    return Encoded(text, image, has_text, has_image, ids)


class Fusion:
    """The fusion of a bundle, as a module that can be trained."""

    def __init__(self, path: Path, config: ModelConfig) -> None:
        self._graph = onnx.load(path)
        self._stored = {
            each.name.removeprefix(OF_GRAPH).removesuffix(HALF_PRECISION): each
            for each in self._graph.graph.initializer
            if each.name.startswith(OF_GRAPH)
        }
        self.module: GatedModel = from_pretrained_encoder(config).eval()
        weights = {name: torch.from_numpy(self._array(name).astype(np.float32)) for name in self._stored}
        unknown = self.module.load_state_dict(weights, strict=False).unexpected_keys
        if unknown:
            raise SystemExit(f"{path} is no fusion of this kind: it has {', '.join(unknown)}.")

    def _array(self, name: str) -> NDArray[Any]:
        return numpy_helper.to_array(self._stored[name])

    def logits(self, posts: Encoded, rows: Tensor | slice = slice(None)) -> Tensor:
        """Returns logits, float32 (rows, outputs)."""
        return self.module.fuse(posts.text[rows], posts.image[rows], posts.has_text[rows], posts.has_image[rows])[0]

    def corrected(self) -> dict[str, nn.Parameter]:
        """Returns the parameters that are corrected."""
        return {name: each for name, each in self.module.named_parameters() if name.startswith(CORRECTED)}

    def write(self, path: Path) -> None:
        """Writes the graph with the parameters as they are now; of the fusion, not of the encoders."""
        for name, parameter in self.corrected().items():
            stored = self._stored[name]
            values = parameter.detach().numpy().astype(self._array(name).dtype)
            stored.CopyFrom(numpy_helper.from_array(values, stored.name))
        onnx.save(self._graph, path)


def fusion_of(model: Moderator) -> Fusion:
    """Returns the fusion of a compact model."""
    outputs = model.bundle.manifest.outputs
    config = ModelConfig("compact", num_outputs=outputs, fusion_dim=DIMENSIONS, encoder_name="packaged")
    return Fusion(model.bundle.graphs["fusion"], config)


def posts_of(tables: Sequence[Path], most: int) -> Iterator[Post]:
    """Yields posts of each table's training split, at most `most` of each."""
    for path in tables:
        posts = read_posts(path, "train")
        order = np.random.default_rng(0).permutation(len(posts))[: POSTS_OF.get(path.stem, most)]
        yield from map(posts.__getitem__, order)


def sentences(frames: Sequence[str], groups: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, str]]:
    """Yields sentences, written in one of three ways, with the label that a hateful one would have."""
    chance = np.random.default_rng(0)
    of = [(label, name) for label, names in groups.items() for name in names]
    for frame in frames:
        for label, name in map(of.__getitem__, chance.permutation(len(of))[:GROUPS]):
            yield str(chance.choice(ways(frame.replace("{group}", name)))), label


def ways(text: str) -> list[str]:
    """Returns a sentence in three ways: as it is, with a capital, and with a full stop where it has no end."""
    whole = text[0].upper() + text[1:]
    return [text, whole, whole if whole.endswith(("?", ".", '"')) else f"{whole}."]


def each_way(texts: Sequence[str]) -> list[str]:
    """Returns sentences, each in all ways."""
    return [way for text in texts for way in ways(text)]


def read_sentences() -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns the lists of the templates, which name the groups, and those of the corrections."""
    known, taught = (
        yaml.safe_load((RESOURCES / f"{name}.yaml").read_text(encoding="utf-8"))
        for name in ("templates", "corrections")
    )
    return known, taught


def by_label(
    hate: Mapping[str, Sequence[str]], written: Callable[[Sequence[str]], list[str]] = each_way
) -> list[tuple[str, str]]:
    """Returns hateful sentences, given by label, as they are `written`, each with its label."""
    return [(way, label) for label, texts in hate.items() for way in written(texts)]


def lessons(model: Moderator, fusion: Fusion, tables: Sequence[Path]) -> list[Lesson]:
    """Returns what is learned: what stays, then sentences about any group and about some, harmless and hateful."""
    known, taught = read_sentences()
    about_any = [text for text, _ in sentences(taught["harmless"], known["groups"])]
    return [
        kept(fusion, encoded(model, list(posts_of(tables, POSTS))), size=256, weight=2.0),
        harmless(model, fusion, about_any, 128),
        hateful(model, fusion, list(sentences(taught["hateful"], known["groups"])), 64),
        harmless(model, fusion, each_way(taught["harmless_of_some"]), 32),
        hateful(model, fusion, by_label(taught["hateful_of_some"]), 48),
    ]


def harmless(
    model: Moderator, fusion: Fusion, texts: Sequence[str], size: int, *, attribute: float = UNLIKELY_ATTRIBUTE
) -> Lesson:
    """Returns a lesson of harmless texts, whose attributes may keep a probability of `attribute`."""
    lesson = _of_texts(model, fusion, texts, size)
    most = torch.full((lesson.target.shape[1],), attribute)
    for columns, limit in zip(_schemes(model), UNLIKELY, strict=True):
        most[columns] = limit
    return replace(lesson, target=torch.minimum(lesson.target, most))


def hateful(model: Moderator, fusion: Fusion, labelled: Sequence[tuple[str, str]], size: int) -> Lesson:
    """Returns a lesson of hateful texts with the label of each."""
    lesson = _of_texts(model, fusion, [text for text, _ in labelled], size)
    places = [model.labels.names.index(label) for _, label in labelled]
    target = lesson.target.clone()
    for columns, least in zip(_schemes(model), LIKELY, strict=True):
        at = (torch.arange(len(target)), torch.tensor(columns)[places])
        target[at] = target[at].clamp(min=least)
    return replace(lesson, target=target)


def _of_texts(model: Moderator, fusion: Fusion, texts: Sequence[str], size: int) -> Lesson:
    posts = encoded(model, [Post(str(number), text) for number, text in enumerate(texts)])
    return replace(kept(fusion, posts, size, weight=1.0), steady=False)


def _schemes(model: Moderator) -> list[list[int]]:
    """Returns the outputs of the labels to any annotator, and to most."""
    return [list(model.bundle.manifest.label_schemes[scheme]) for scheme in ("any", "consensus")]


def kept(fusion: Fusion, posts: Encoded, size: int, weight: float) -> Lesson:
    """Returns a lesson of what is to stay."""
    with torch.no_grad():
        before = fusion.logits(posts)
    return Lesson(posts, before, before.sigmoid(), size, weight, steady=True)


def train_only(module: nn.Module, parameters: Iterable[nn.Parameter]) -> None:
    """Freezes a module but for some parameters."""
    module.requires_grad_(requires_grad=False)
    for parameter in parameters:
        parameter.requires_grad = True


def learn(fusion: Fusion, taught: Sequence[Lesson]) -> None:
    """Trains the corrected parameters; tells what is left to learn of each lesson."""
    chance = torch.Generator().manual_seed(0)
    for step in descent({LEARNING_RATE: list(fusion.corrected().values())}, STEPS):
        losses = [
            _loss(fusion, each, torch.randint(len(each.before), (each.size,), generator=chance)) for each in taught
        ]
        total = torch.stack([loss * each.weight for loss, each in zip(losses, taught, strict=True)]).sum()
        total.backward()  # type: ignore[no-untyped-call]
        if step % LOG_EVERY == 0:
            print(f"step {step} of {STEPS}: " + ", ".join(f"{loss.item():.4f}" for loss in losses), flush=True)


def descent(learning: Mapping[float, Sequence[nn.Parameter]], steps: int) -> Iterator[int]:
    """Yields each step, from 1, for its gradients to be computed, along which parameters, given by rate, then go."""
    groups = [{"params": parameters, "full": rate} for rate, parameters in learning.items()]
    optimizer = torch.optim.AdamW(groups, weight_decay=0.0)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = group["full"] * min(1, (step + 1) / WARM_UP) * (1 - step / steps)
        optimizer.zero_grad()
        yield step + 1
        optimizer.step()


def _loss(fusion: Fusion, lesson: Lesson, rows: Tensor) -> Tensor:
    return missed_by(fusion.logits(lesson.posts, rows), lesson, rows)


def missed_by(logits: Tensor, lesson: Lesson, rows: Tensor) -> Tensor:
    """Returns by how much the probabilities miss the target, and steady logits their place."""
    target = lesson.target[rows]
    least = functional.binary_cross_entropy(target.clamp(1e-6, 1 - 1e-6), target)
    missed = functional.binary_cross_entropy_with_logits(logits, target) - least
    return missed + STEADY * functional.mse_loss(logits, lesson.before[rows]) if lesson.steady else missed


def read_arguments(doc: str | None, *bundles: str) -> argparse.Namespace:
    """Reads the command line: bundles, a folder that is not there yet (`out`), and tables."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    for bundle in bundles:
        parser.add_argument(bundle, type=Path)
    parser.add_argument("out", type=Path, help="a folder that is not there yet")
    parser.add_argument("tables", type=Path, nargs="+")
    arguments = parser.parse_args()
    if arguments.out.exists():
        parser.error(f"{arguments.out} is there already.")
    return arguments


def copy_with(bundle: Bundle, out: Path, write: Callable[[Path], None]) -> None:
    """Copies a bundle, lets `write` replace graphs in the copy, and writes its manifest."""
    shutil.copytree(bundle.folder, out)
    write(out)
    write_manifest(out, bundle.manifest.model_dump(mode="json"))


def main() -> None:
    """Reads the command line."""
    arguments = read_arguments(__doc__, "bundle")
    model = Moderator.load(arguments.bundle)
    fusion = fusion_of(model)
    taught = lessons(model, fusion, arguments.tables)
    train_only(fusion.module, fusion.corrected().values())
    learn(fusion, taught)
    copy_with(model.bundle, arguments.out, lambda folder: fusion.write(folder / "fusion.onnx"))


if __name__ == "__main__":
    main()
