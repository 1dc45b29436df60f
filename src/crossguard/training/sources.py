"""Tables, as a recipe's sources ask for them, as examples."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from crossguard.data.datasets.chunks import lost_images, read_chunks, training_files
from crossguard.data.datasets.rows import FIXED
from crossguard.data.storage import Storage
from crossguard.errors import ConfigError, TableError, suggest
from crossguard.training.examples import COLUMNS, Examples, HeldOut, folds, gather
from crossguard.training.recipe import Recipe, Source
from crossguard.training.targets import Floats, targets, unions

if TYPE_CHECKING:
    import pyarrow as pa


logger = logging.getLogger(__name__)
TEST: Final = "test"


@dataclass(frozen=True, slots=True)
class Fold:
    """One part of a cross-validation: part `index` of `count` is held out."""

    index: int
    count: int

    def __str__(self) -> str:
        return f"--fold {self.index}/{self.count}"


def read_examples(recipe: Recipe, data: str | Path, fold: Fold | None = None) -> tuple[Examples, Examples]:
    """Reads what a recipe trains on and what it is measured on; words stay on disk.

    Args:
        recipe: Names the sources; without any, `data` is the one table.
        data: A table that can be scored, with a column per label, or a folder with one table per source as `prepare`
            writes them (`<source>.parquet`, or what its `table` says). A table may be a folder of Parquet files, and
            all of it may lie in a storage.
        fold: Holds out a part of the sources that say `cross_validate`; only that part is then measured.

    Raises:
        ConfigError: A source has no table, or nothing is left to train on.
    """
    left_out = _LeftOut(recipe.learnt, fold)
    measured = gather(_picked(recipe, data, fold, left_out, held=True))
    held_out = HeldOut(measured)
    trained = gather(map(held_out.without_copies, _picked(recipe, data, fold, left_out, held=False)))
    left_out.copies = held_out.copies
    if not len(trained):
        whole = fold is not None and len(measured) and not left_out.copies
        lines = left_out.told(every_split=not left_out.copies)
        why = f"{fold} holds all of them out: take more parts." if whole else " ".join(lines)
        raise ConfigError(f"{data} leaves no posts in the splits that the recipe trains on. {why}".rstrip())
    for line in left_out.told():
        logger.warning("%s", line)
    return trained, measured


def unlearnable(recipe: Recipe, trained: Examples) -> list[str]:
    """Returns the labels that no post has an answer for, such as a misspelt one, or that all answer alike."""
    found: dict[str, set[float]] = {}  # the different answers to each label, under all label schemes
    names = (*recipe.labels * len(recipe.label_schemes), *recipe.auxiliary)
    for name, column in zip(names, trained.targets.T, strict=True):
        found.setdefault(name, set()).update(np.unique(column[~np.isnan(column)]).tolist())
    return [name for name, answers in found.items() if not answers or answers in ({0.0}, {1.0})]


@dataclass
class _LeftOut:
    """How many posts are neither trained on nor measured, and why."""

    labels: Sequence[str]
    fold: Fold | None = None
    splits: Counter[tuple[str, str]] = field(default_factory=Counter)  # by source and split, but those trained on
    expected: set[tuple[str, str]] = field(default_factory=set)  # those that are measured, and `test`, for later
    blank: int = 0  # with neither text nor image
    copies: int = 0  # of held-out posts
    unanswered: int = 0  # of the splits in use, without an answer for any label

    def see(self, name: str, source: Source, splits: NDArray[np.str_], unanswered: Sequence[str]) -> None:
        measured = source.eval_splits if self.fold is None else ()
        self.expected.update((name, split) for split in (*measured, TEST))
        self.splits.update((name, split) for split in splits.tolist() if split not in source.train_splits)
        self.unanswered += sum(split in (*source.train_splits, *source.eval_splits) for split in unanswered)

    def told(self, *, every_split: bool = False) -> list[str]:
        """Returns one line for each reason; unless every split is asked for, only of those that nobody expected."""
        counts = [
            f"{count:,} of '{name}' with '{split}'"
            for (name, split), count in self.splits.most_common()
            if every_split or (name, split) not in self.expected
        ]
        lines = {
            f"Posts are left out by their column 'split': {', '.join(counts)}. The recipe trains on 'train' and "
            "measures 'val', unless its sources say otherwise."
            + (f" With {self.fold}, it measures that part of 'train' in place of 'val'." if self.fold else ""): counts,
            f"{self.unanswered:,} posts are left out, because they have no answer for "
            f"{' or '.join(self.labels)}.": self.unanswered,
            f"{self.blank:,} posts are left out, because they have neither text nor image.": self.blank,
            f"{self.copies:,} training posts are left out, because they are copies of held-out posts: with the same "
            "words, and images that look alike where both have one, or without words with the same image.": self.copies,
        }
        return [line for line, some in lines.items() if some]


def _picked(
    recipe: Recipe, data: str | Path, fold: Fold | None, left_out: _LeftOut, *, held: bool
) -> Iterator[Examples]:
    """Yields the posts that are held out, or those that are trained on, of one stretch of a table after the other."""
    for name, source, place in tables(recipe, data):
        for address, table, unanswered in read_chunks(place, recipe.learnt):
            splits = np.array(table["split"].to_pylist(), dtype=np.str_)
            everything = _examples(recipe, name, source, table, address)
            trained = np.isin(splits, source.train_splits)
            kept = np.isin(splits, source.eval_splits) & (fold is None) & source.evaluate
            if fold is not None and source.cross_validate:
                kept = trained & (folds(everything, fold.count) == fold.index)
                trained &= ~kept
            if held:
                left_out.see(name, source, splits, unanswered)
            wanted = kept if held else trained & (everything.repeats > 0)
            blank = _blank(everything)
            left_out.blank += int((wanted & blank).sum())
            yield everything.take(np.flatnonzero(wanted & ~blank))


def _blank(examples: Examples) -> NDArray[np.bool_]:
    """Returns which posts say and show nothing, (n,), so that nothing could ever score them."""
    posts = zip(examples.words, examples.images, strict=True)
    return np.array([image is None and not "".join(words).strip() for words, image in posts], dtype=np.bool_)


def prepared_losses(recipe: Recipe, data: str | Path) -> dict[str, int]:
    """Returns, per source, how many images of the splits in use `crossguard prepare` could not read."""
    return {
        name: lost_images(place, (*source.train_splits, *source.eval_splits))
        for name, source, place in tables(recipe, data)
    }


def tables(recipe: Recipe, data: str | Path) -> list[tuple[str, Source, Storage]]:
    """Returns name, settings and place of each source.

    Raises:
        ConfigError: A table is missing.
    """
    above = Storage(str(data))
    if not recipe.sources:
        if not training_files(above):
            raise ConfigError(
                f"There is no table at {data}. As the recipe has no sources, it must be one table of annotated posts: "
                "a file, or a folder of Parquet files."
            )
        rules = dict.fromkeys(recipe.label_schemes, recipe.aggregation)
        own = Source(label_schemes=rules, cross_validate=True)
        return [(PurePosixPath(above.path).stem, own, above)]
    names = {name: f"{source.table or name}.parquet" for name, source in recipe.sources.items()}
    found = [(name, source, above.at(above.join(names[name]))) for name, source in recipe.sources.items()]
    missing = [names[name] for name, _, place in found if not training_files(place)]
    if missing:
        hint = " For one table of your own, take a recipe without sources: harmeme-compact --set 'labels=[YOUR_LABEL]'"
        raise ConfigError(
            f"{data} lacks the tables {', '.join(missing)}. Write each with: crossguard prepare"
            + (f".{hint}" if above.entry(above.path) else "")
        )
    return found


def _examples(recipe: Recipe, name: str, source: Source, table: pa.Table, address: str) -> Examples:
    import pyarrow as pa

    known = [column.partition("@")[0] for column in table.column_names if column not in FIXED]
    if not set(known) & set(recipe.learnt):
        hint = suggest(recipe.labels[0], known) if known else " It has no column of numbers from 0 to 1 per label."
        raise TableError(f"{address} has none of the labels {list(recipe.labels)}.{hint}")
    strata = table["stratum"].to_pylist()
    outputs = np.full((len(table), recipe.num_outputs), np.nan, dtype=np.float32)
    whole = np.full((len(table), len(recipe.label_schemes)), np.nan, dtype=np.float32)
    for label_scheme, rule in source.label_schemes.items():
        shares = np.stack([_of_scheme(table, label, label_scheme, address) for label in recipe.labels], axis=1)
        hateful = _hateful(source, _of_scheme(table, "hateful", label_scheme, address), strata)
        outputs[:, list(recipe.columns[label_scheme])] = targets(shares, rule)
        whole[:, recipe.label_schemes.index(label_scheme)] = unions(shares, hateful, rule)
    for column, label in enumerate(recipe.auxiliary, start=recipe.num_outputs - len(recipe.auxiliary)):
        outputs[:, column] = _numbers(table, label, address)
    words = [table[column].cast(pa.string()).fill_null("") for column in ("id", "text", "image_text")]
    folder = address.rpartition("/")[0]
    images = [_image(folder, image) if image else "" for image in table["image_path"].to_pylist()]
    texts = (pa.array(values, pa.string()) for values in (images, [name] * len(table)))
    posts = pa.table([*words, *texts], names=COLUMNS)
    weights = np.tile(_weights(recipe, source), (len(table), 1))
    return Examples(posts, outputs, whole, weights, _repeats(source, strata))


def _image(folder: str, name: str) -> str:
    return name if name.startswith("/") else f"{folder}/{name}"


def _hateful(source: Source, said: Floats, strata: Sequence[str]) -> Floats:
    """Returns what annotators said of posts as a whole, and the recipe's guess by stratum where they said nothing."""
    guesses = np.array([source.hateful.get(stratum, np.nan) for stratum in strata], dtype=np.float32)
    return np.where(np.isnan(said), guesses, said)


def _weights(recipe: Recipe, source: Source) -> Floats:
    weights = np.full(recipe.num_outputs, source.weight, dtype=np.float32)
    for label_scheme, factor in source.label_scheme_weights.items():
        weights[list(recipe.columns[label_scheme])] *= factor
    return weights


def _of_scheme(table: pa.Table, column: str, label_scheme: str, address: str) -> Floats:
    """Returns a column, or the one that holds it under a label scheme alone, such as `racist@any`."""
    own = f"{column}@{label_scheme}"
    return _numbers(table, own if own in table.column_names else column, address)


def _numbers(table: pa.Table, column: str, address: str) -> Floats:
    """Returns a column's shares of annotators, (n,), NaN where nobody said anything.

    Raises:
        TableError: It holds something else than numbers from 0 to 1.
    """
    if column not in table.column_names:
        return np.full(len(table), np.nan, dtype=np.float32)
    try:
        numbers: Floats = table[column].to_numpy().astype(np.float32)
    except (TypeError, ValueError):
        raise _no_shares(address, column, f"is of {table[column].type}") from None
    wrong = np.flatnonzero((numbers < 0) | (numbers > 1))
    if len(wrong):
        post = table["id"][int(wrong[0])].as_py()
        raise _no_shares(address, column, f"has {numbers[wrong[0]]:g} for the post '{post}'")
    return numbers


def _no_shares(address: str, column: str, found: str) -> TableError:
    return TableError(f"{address}: column '{column}' must hold numbers from 0 to 1, and {found}.")


def _repeats(source: Source, strata: Sequence[str]) -> Floats:
    if isinstance(source.repeat, dict):
        return np.array([source.repeat.get(stratum, 0.0) for stratum in strata], dtype=np.float32)
    return np.full(len(strata), source.repeat, dtype=np.float32)
