"""Tables, as a recipe's sources ask for them, as arrays to train and to measure on."""

from __future__ import annotations

import hashlib
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import starmap
from pathlib import Path, PurePosixPath
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from crossguard.cache import cache_folder
from crossguard.data.datasets.chunks import lost_images, read_chunks, table_files
from crossguard.data.datasets.rows import FIXED, letters
from crossguard.data.storage import Storage
from crossguard.errors import ConfigError, TableError, suggest
from crossguard.training.recipe import Recipe, Source
from crossguard.training.targets import Floats, targets, unions

if TYPE_CHECKING:
    import pyarrow as pa

# Posts whose words are lists for a moment.
CHUNK: Final = 2048
COLUMNS: Final = ("id", "text", "image_text", "image", "source")


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """n annotated posts.

    Attributes:
        posts: Arrow table of n rows with `id`, `text`, `image_text`, `image` (a file, or empty) and `source` (the name
            of its table). `gather` maps it from a file, and processes that load batches share it.
        targets: float32 (n, outputs) in [0, 1], NaN where unknown.
        unions: float32 (n, label_schemes), whether a post carries any label; NaN where unknown.
        weights: float32 (n, outputs), what the loss of a post counts.
        repeats: float32 (n,), how often an epoch draws a post.
    """

    posts: pa.Table
    targets: Floats
    unions: Floats
    weights: Floats
    repeats: Floats

    def __len__(self) -> int:
        return int(self.posts.num_rows)

    @property
    def ids(self) -> list[str]:
        """Names of the posts."""
        return self._column("id")

    @property
    def sources(self) -> list[str]:
        """Name of the table of each post."""
        return self._column("source")

    @property
    def words(self) -> list[tuple[str, str]]:
        """What authors wrote, and the words read from their images."""
        return list(zip(self._column("text"), self._column("image_text"), strict=True))

    @property
    def images(self) -> list[Path | None]:
        """Files of the images; None where there is none."""
        return [Path(name) if name else None for name in self._column("image")]

    def words_of(self, row: int) -> tuple[str, str]:
        """Returns one entry of `words`."""
        return self.posts["text"][row].as_py(), self.posts["image_text"][row].as_py()

    def image_of(self, row: int) -> Path | None:
        """Returns one entry of `images`."""
        name = self.posts["image"][row].as_py()
        return Path(name) if name else None

    def fingerprint(self) -> str:
        """Returns a hash of the posts, their order and their targets; the folder of the images does not matter."""
        digest = hashlib.sha256()
        for chunk in self.chunks():
            names = (image.name if image else "" for image in chunk.images)
            for id_, words, name, source in zip(chunk.ids, chunk.words, names, chunk.sources, strict=True):
                digest.update("\x1f".join((id_, *words, name, source)).encode() + b"\x1e")
        for values in (self.targets, self.unions, self.weights, self.repeats):
            digest.update(np.ascontiguousarray(values).tobytes())
        return digest.hexdigest()

    def take(self, rows: Sequence[int] | NDArray[np.int64]) -> Examples:
        """Returns these posts."""
        index = np.asarray(rows, dtype=np.int64)
        arrays = (values[index] for values in (self.targets, self.unions, self.weights, self.repeats))
        return Examples(self.posts.take(index), *arrays)

    def chunks(self) -> Iterator[Examples]:
        """Yields all posts, so many at a time that lists of their words are small; once, where there are none."""
        for start in range(0, max(1, len(self)), CHUNK):
            arrays = (self.targets, self.unions, self.weights, self.repeats)
            yield Examples(self.posts.slice(start, CHUNK), *(values[start : start + CHUNK] for values in arrays))

    def _column(self, name: str) -> list[str]:
        values: list[str] = self.posts[name].to_pylist()
        return values


@dataclass(frozen=True, slots=True)
class Fold:
    """One part of a cross-validation: part `index` of `count` is held out."""

    index: int
    count: int


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
        TableError: A table cannot be read or knows none of the labels.
    """
    measured = gather(_picked(recipe, data, fold, held=True))
    known = {key for chunk in measured.chunks() for key in starmap(letters, chunk.words)}
    trained = gather(without(part, known) for part in _picked(recipe, data, fold, held=False))
    if not len(trained):
        raise ConfigError(f"{data} holds no posts in the splits that the recipe trains on.")
    return trained, measured


def _picked(recipe: Recipe, data: str | Path, fold: Fold | None, *, held: bool) -> Iterator[Examples]:
    """Yields the posts that are held out, or those that are trained on, of one stretch of a table after the other."""
    for name, source, place in tables(recipe, data):
        for address, table in read_chunks(place):
            splits = np.array(table["split"].to_pylist(), dtype=np.str_)
            everything = _examples(recipe, name, source, table, address)
            trained = np.isin(splits, source.train_splits)
            kept = np.isin(splits, source.eval_splits) & (fold is None) & source.evaluate
            if fold is not None and source.cross_validate:
                kept = trained & (folds(everything, fold.count) == fold.index)
                trained &= ~kept
            yield everything.take(np.flatnonzero(kept if held else trained & (everything.repeats > 0)))


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
        if not table_files(above):
            raise ConfigError(f"The recipe has no sources, so {data} must be one table of annotated posts.")
        rules = dict.fromkeys(recipe.label_schemes, recipe.aggregation)
        own = Source(label_schemes=rules, cross_validate=True)
        return [(PurePosixPath(above.path).stem, own, above)]
    names = {name: f"{source.table or name}.parquet" for name, source in recipe.sources.items()}
    found = [(name, source, above.at(above.join(names[name]))) for name, source in recipe.sources.items()]
    missing = [names[name] for name, _, place in found if not table_files(place)]
    if missing:
        raise ConfigError(f"{data} lacks the tables {', '.join(missing)}. Write each with: crossguard prepare")
    return found


def gather(parts: Iterable[Examples]) -> Examples:
    """Returns the posts of all parts, one after the other; at least one. Words are mapped from a file of the cache."""
    import pyarrow as pa

    folder = cache_folder() / "tables"
    folder.mkdir(parents=True, exist_ok=True)
    arrays = []
    with NamedTemporaryFile(dir=folder, suffix=".arrow") as file:
        with pa.ipc.new_file(file, pa.schema([(name, pa.string()) for name in COLUMNS])) as sink:
            for part in parts:
                sink.write_table(part.posts.combine_chunks())
                arrays.append((part.targets, part.unions, part.weights, part.repeats))
        file.flush()
        # The file has no name after this, and goes when nothing maps it any more.
        posts = pa.ipc.open_file(pa.memory_map(file.name)).read_all()
    return Examples(posts, *map(np.concatenate, zip(*arrays, strict=True)))


def without(examples: Examples, known: Container[str]) -> Examples:
    """Returns the posts whose letters are not among these, whatever the table they come from."""
    keys = starmap(letters, examples.words)
    return examples.take([row for row, key in enumerate(keys) if not key or key not in known])


def folds(examples: Examples, count: int) -> NDArray[np.int64]:
    """Returns a fold per post, (n,), that depends on its letters alone, so that copies stay together."""
    hashes = (hashlib.sha256(key.encode()).hexdigest() for key in starmap(letters, examples.words))
    return np.array([int(value[:12], 16) % count for value in hashes], dtype=np.int64)


def _examples(recipe: Recipe, name: str, source: Source, table: pa.Table, address: str) -> Examples:
    import pyarrow as pa

    known = [column.partition("@")[0] for column in table.column_names if column not in FIXED]
    if not set(known) & {*recipe.labels, *recipe.auxiliary}:
        hint = suggest(recipe.labels[0], known) if known else " It has no column of numbers from 0 to 1 per label."
        raise TableError(f"{address} has none of the labels {list(recipe.labels)}.{hint}")
    strata = table["stratum"].to_pylist()
    outputs = np.full((len(table), recipe.num_outputs), np.nan, dtype=np.float32)
    whole = np.full((len(table), len(recipe.label_schemes)), np.nan, dtype=np.float32)
    for label_scheme, rule in source.label_schemes.items():
        shares = np.stack([_of_scheme(table, label, label_scheme) for label in recipe.labels], axis=1)
        hateful = _hateful(source, _of_scheme(table, "hateful", label_scheme), strata)
        outputs[:, list(recipe.columns[label_scheme])] = targets(shares, rule)
        whole[:, recipe.label_schemes.index(label_scheme)] = unions(shares, hateful, rule)
    for column, label in enumerate(recipe.auxiliary, start=recipe.num_outputs - len(recipe.auxiliary)):
        outputs[:, column] = _numbers(table, label)
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


def _of_scheme(table: pa.Table, column: str, label_scheme: str) -> Floats:
    """Returns a column, or the one that holds it under a label scheme alone, such as `racist@any`."""
    own = f"{column}@{label_scheme}"
    return _numbers(table, own if own in table.column_names else column)


def _numbers(table: pa.Table, column: str) -> Floats:
    if column not in table.column_names:
        return np.full(len(table), np.nan, dtype=np.float32)
    numbers: Floats = table[column].to_numpy().astype(np.float32)
    return numbers


def _repeats(source: Source, strata: Sequence[str]) -> Floats:
    if isinstance(source.repeat, dict):
        return np.array([source.repeat.get(stratum, 0.0) for stratum in strata], dtype=np.float32)
    return np.full(len(strata), source.repeat, dtype=np.float32)
