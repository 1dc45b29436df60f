#!/usr/bin/env python3
"""Teaches the text encoder of a compact bundle to tell reports of hate from hate, and keeps what it says of all else.

Usage: scripts/correct_encoder.py BUNDLE CORRECTED OUT TABLE [TABLE ...]

CORRECTED is what scripts/correct_compact.py made of BUNDLE, which can only change what the fusion makes of a text. Here
the upper half of the encoder learns, too, by lists of corrections.yaml: hateful statements that somebody reports or
rejects, beside the same ones where somebody agrees (`rejecting`, `agreeing`); slogans of extremists, and hate that is
only implied, beside harmless lines with the same words; answers to hate; harmless sentences with hateful words, and all
that was taught before, some of it disguised. What BUNDLE says of posts in the tables is kept; their labels are not
read. OUT gets a copy of CORRECTED with those two graphs: half an hour on two cores.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from correct_compact import (
    Encoded,
    Fusion,
    Lesson,
    by_label,
    copy_with,
    descent,
    each_way,
    encoded,
    fusion_of,
    harmless,
    hateful,
    kept,
    missed_by,
    posts_of,
    read_arguments,
    read_sentences,
    sentences,
    train_only,
    ways,
)
from numpy.typing import NDArray
from read_text_encoder import read_text_encoder
from torch import Tensor, nn

from crossguard.evaluation.audit.evasion import EVASIONS, evade
from crossguard.export.onnx import write_text_graph
from crossguard.export.quantize import EXAMPLES, quantize_graph
from crossguard.moderator import Moderator
from crossguard.preprocessing.text import TextSpec, pad

# Layers of the encoder that learn, the uppermost ones.
LAYERS: Final = 3
# Of each table.
POSTS: Final = 4000
# How often a statement is reported or agreed to in the same words.
STATEMENTS: Final = 60
# Harmless and hateful sentences that are disguised.
DISGUISED: Final = 3000
# What no statement contains that stands within a sentence.
ENDS: Final = frozenset(".?!")
# A hateful statement is toxic even where somebody rejects it: what attributes may keep.
TOXIC: Final = 0.6
# Texts of about one length go through the encoder together.
TOGETHER: Final = 32
STEPS: Final = 500
LOG_EVERY: Final = 50
ENCODER_RATE, FUSION_RATE = 5e-5, 3e-4
GRADIENT_NORM: Final = 1.0
# How far the weights go from where they were to where they were led. Between both, nearly all is learned, and more of
# what the model knew of other posts stays (Wortsman et al., Robust fine-tuning of zero-shot models, 2022).
LEARNED: Final = 0.95


@dataclass(slots=True)
class Course:
    """A lesson in batches of posts of about one length."""

    name: str
    lesson: Lesson
    left: list[NDArray[np.int64]] = field(default_factory=list)  # blocks of rows in this round

    def draw(self, chance: np.random.Generator) -> list[NDArray[np.int64]]:
        """Returns the rows of a batch, in blocks."""
        ids, size = self.lesson.posts.ids, self.lesson.size
        together = min(size, TOGETHER) if self.lesson.steady else size
        drawn: list[NDArray[np.int64]] = []
        while sum(map(len, drawn)) < size:
            if not self.left:
                lengths = np.array(list(map(len, ids))) * chance.uniform(0.9, 1.1, len(ids))
                order = np.argsort(lengths + chance.uniform(0, 2, len(lengths)))
                self.left = np.split(order, range(together, len(order), together))
                chance.shuffle(self.left)
            drawn.append(self.left.pop())
        return drawn


class Student:
    """The text encoder and the fusion of a bundle, of which some can learn."""

    def __init__(self, model: Moderator) -> None:
        self.fusion = fusion_of(model)
        self._text: TextSpec = model.bundle.manifest.text
        tower: Any = self.fusion.module.holders()[0].text_model
        tower.load_state_dict(read_text_encoder(model.bundle.graphs["text"]))
        self._tower: Any = tower
        train_only(self.fusion.module, itertools.chain(*self.learning().values()))

    def learning(self) -> dict[float, list[nn.Parameter]]:
        """Returns the parameters that learn, by rate."""
        upper = [parameter for layer in self._tower.encoder.layer[-LAYERS:] for parameter in layer.parameters()]
        return {ENCODER_RATE: upper, FUSION_RATE: list(self.fusion.corrected().values())}

    def logits(self, posts: Encoded, rows: NDArray[np.int64]) -> Tensor:
        """Returns what it says of some posts now: logits, float32 (rows, outputs)."""
        ids, mask = pad([posts.ids[row] or (self._text.pad_id,) for row in rows], self._text)
        at = torch.from_numpy(rows)
        found: Tensor = self.fusion.module(
            input_ids=torch.from_numpy(ids),
            attention_mask=torch.from_numpy(mask),
            text_present=posts.has_text[at],
            image_present=posts.has_image[at],
            image_features=posts.image[at],
        )["logits"]
        return found

    def write(self, folder: Path, examples: Sequence[tuple[int, ...]]) -> None:
        """Writes both graphs; the one of the encoder in 8 bits, calibrated by the token ids of `examples`."""
        self.fusion.write(folder / "fusion.onnx")
        rows = [np.array([ids], np.int64) for ids in examples]
        feeds = [{"input_ids": row, "attention_mask": np.ones_like(row)} for row in rows]
        with tempfile.TemporaryDirectory() as scratch:
            exact = Path(scratch) / "text.onnx"
            write_text_graph(self.fusion.module, exact, self._text)
            quantize_graph(exact, feeds, folder / "text.onnx", "compact")


def said(
    frames: Sequence[str], statements: list[str], groups: Mapping[str, Sequence[str]]
) -> Iterator[tuple[str, str]]:
    """Yields sentences that say statements about groups, written in one of three ways, with the label of each."""
    chance = np.random.default_rng(1)
    of = [(label, name) for label, names in groups.items() for name in names]
    for frame in frames:
        for _ in range(STATEMENTS):
            label, name = of[chance.integers(len(of))]
            statement = statements[chance.integers(len(statements))].replace("{group}", name)
            yield str(chance.choice(ways(frame.replace("{statement}", statement)))), label


def cried(texts: Sequence[str]) -> list[str]:
    """Returns sentences in all ways, and with an exclamation mark."""
    return [*each_way(texts), *(f"{text[0].upper()}{text[1:]}!" for text in texts)]


def disguised(sentences: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Returns some sentences, each in a disguise that training may use, with the label of each."""
    chance = np.random.default_rng(2)
    allowed = [name for name, evasion in EVASIONS.items() if not evasion.held_out]
    drawn = chance.permutation(len(sentences))[:DISGUISED]
    return [(evade(sentences[row][0], str(chance.choice(allowed))), sentences[row][1]) for row in drawn]


def courses(model: Moderator, fusion: Fusion, tables: Sequence[Path]) -> list[Course]:
    """Returns what is learned: what stays, sentences about any group and about some, and what is said of statements."""
    known, taught = read_sentences()
    groups = known["groups"]
    frames = [*taught["harmless"], *taught["harmless_contrasts"]]
    statements = [
        frame
        for frame in (*known["hateful_to_groups"], *known["short_hate"], *taught["hateful"])
        if frame.startswith(("{group} ", "all {group} ")) and not set(frame) & ENDS
    ]
    plain = [*taught["harmless_of_some"], *taught["everyday_lines"]]
    about_groups, hate = (list(sentences(kind, groups)) for kind in (frames, taught["hateful"]))
    rejecting, agreeing = (list(said(taught[kind], statements, groups)) for kind in ("rejecting", "agreeing"))
    lessons = {
        "kept": kept(fusion, encoded(model, list(posts_of(tables, POSTS))), 192, weight=8.0),
        "harmless": harmless(model, fusion, [text for text, _ in about_groups], 160),
        "hateful": hateful(model, fusion, hate, 48),
        "harmless, disguised": harmless(model, fusion, [text for text, _ in disguised(about_groups)], 64),
        "hateful, disguised": hateful(model, fusion, disguised(hate), 24),
        "answers to hate": harmless(model, fusion, each_way(taught["answers_to_hate"]), 56, attribute=TOXIC),
        "harmless of some": harmless(model, fusion, each_way(plain), 32),
        "hateful of some": hateful(model, fusion, by_label(taught["hateful_of_some"]), 32),
        "rejecting": harmless(model, fusion, [text for text, _ in rejecting], 48, attribute=TOXIC),
        "agreeing": hateful(model, fusion, agreeing, 48),
        "slogans": hateful(model, fusion, by_label(taught["slogans"], cried), 112),
        "harmless with slogans": harmless(model, fusion, cried(taught["harmless_with_slogans"]), 80),
        "implied": hateful(model, fusion, by_label(taught["implied"]), 64),
        "harmless with implied": harmless(model, fusion, each_way(taught["harmless_with_implied"]), 80),
    }
    return [Course(name, lesson) for name, lesson in lessons.items()]


def learn(student: Student, taught: Sequence[Course]) -> None:
    """Trains what learns, and goes a part of the way; tells what is left to learn of each course."""
    chance = np.random.default_rng(0)
    learning = student.learning()
    before = [parameter.detach().clone() for parameter in itertools.chain(*learning.values())]
    for step in descent(learning, STEPS):
        left = {course.name: _learn(student, course.lesson, course.draw(chance)) for course in taught}
        nn.utils.clip_grad_norm_(itertools.chain(*learning.values()), GRADIENT_NORM)
        if step % LOG_EVERY == 0:
            told = ", ".join(f"{name} {loss:.4f}" for name, loss in left.items())
            print(f"step {step} of {STEPS}: {told}", flush=True)
    with torch.no_grad():
        for was, parameter in zip(before, itertools.chain(*learning.values()), strict=True):
            parameter.copy_(torch.lerp(was, parameter, LEARNED))


def _learn(student: Student, lesson: Lesson, blocks: Sequence[NDArray[np.int64]]) -> float:
    """Adds the gradients of a batch; returns its loss."""
    total = 0.0
    for rows in blocks:
        loss = missed_by(student.logits(lesson.posts, rows), lesson, torch.from_numpy(rows)) / len(blocks)
        (loss * lesson.weight).backward()  # type: ignore[no-untyped-call]
        total += loss.item()
    return total


def main() -> None:
    """Reads the command line."""
    arguments = read_arguments(__doc__, "bundle", "corrected")
    model, corrected = Moderator.load(arguments.bundle), Moderator.load(arguments.corrected)
    student = Student(corrected)
    taught = courses(model, fusion_of(model), arguments.tables)
    learn(student, taught)
    known = [ids for ids in taught[0].lesson.posts.ids if ids]
    order = np.random.default_rng(0).permutation(len(known))[:EXAMPLES]
    copy_with(corrected.bundle, arguments.out, lambda folder: student.write(folder, [known[row] for row in order]))


if __name__ == "__main__":
    main()
