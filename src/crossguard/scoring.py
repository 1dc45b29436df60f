"""Scores a whole table of posts: what `crossguard score` does, as a function.

summary = crossguard.score_file("posts.csv", "decisions.csv", keep=True)
"""

from __future__ import annotations

import itertools
import os
import time
import warnings
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import closing, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from crossguard.checked_settings import check_count
from crossguard.data.columns import OTHER_NAMES, Columns, ColumnsInPython
from crossguard.data.digests import digest, is_other
from crossguard.data.formats import STDIN
from crossguard.data.image_sources import is_url
from crossguard.data.keeping import Keeper
from crossguard.data.outputs import Output
from crossguard.data.page import with_post
from crossguard.data.row_formats import one_cell
from crossguard.data.tables import PostReader
from crossguard.data.whole_files import EXCEL_DIGITS
from crossguard.data.writing import open_output, refuse_same_file
from crossguard.decision.policy import Policy
from crossguard.engine import up_to_error
from crossguard.errors import ConfigError, InputError, OutputError, TableError
from crossguard.loading import load
from crossguard.moderator import Moderator
from crossguard.posts import noted
from crossguard.preparation import OTHER_LANGUAGE
from crossguard.records import Decision, Post

Transform = Callable[[Iterator[Post]], Iterator[Post]]
Watch = Callable[[Post, Decision], None]
# What to do with a post that cannot be scored.
OnError: TypeAlias = Literal["record", "skip", "stop"]

# Of a run that goes on, so many posts are scored again. From machine to machine, scores of one model differ by .0005 on
# average, and that of a single post by .05 at most.
COMPARED: Final = 16
SAME_SCORES: Final = 0.01
# Posts among which one is looked for that can be read.
LOOKED_AT: Final = 100


@dataclass(slots=True)
class Summary:
    """What a run did, in numbers.

    Attributes:
        failed: How many posts could not be scored, by error code.
        examples: By error code, what is wrong with the first such post.
        other_languages: How many scored posts are in which language that the model does not know.
        left_out: Of how many posts a column is not kept, by the sentence that says why.
        long_ids: Ids of more than 15 digits, which Excel rounds in a CSV file.
    """

    previous: int = 0
    scored: int = 0
    actions: Counter[str] = field(default_factory=Counter)
    flags: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)
    other_languages: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    long_ids: int = 0
    seconds: float = 0.0

    @property
    def posts(self) -> int:
        """Posts that this run looked at."""
        return self.scored + self.failed.total()

    @property
    def notes(self) -> list[str]:
        """What a person should know about the columns that are kept, one sentence each."""
        return [f"{sentence} (posts: {count:,})" for sentence, count in self.left_out.most_common()]

    def add(self, decision: Decision) -> None:
        """Counts one decision."""
        self.long_ids += decision.id.isdigit() and len(decision.id) > EXCEL_DIGITS
        if (error := decision.error) is not None:
            self.failed[error.code] += 1
            self.examples.setdefault(error.code, f"'{decision.id}': {error.message}")
            return
        self.scored += 1
        self.actions[str(decision.action)] += 1
        self.flags.update(decision.flags)
        if OTHER_LANGUAGE in decision.notes:
            self.other_languages[decision.language] += 1


def score_file(
    path: str | os.PathLike[str],
    out: str | os.PathLike[str] | None = None,
    *,
    model: Moderator | str | Path = "compact",
    policy: str | Path | Policy = "default",
    keep: bool = False,
    resume: bool = False,
    overwrite: bool = False,
    limit: int | None = None,
    columns: Columns | Mapping[str, str] | None = None,
    image_root: str | os.PathLike[str] | None = None,
) -> Summary:
    """Scores a table of posts, or a folder of images, from a file into a file; in order, and in constant memory.

    Args:
        path: .jsonl, .json, .csv, .tsv, .txt, .parquet, .xlsx, or a folder.
        out: .jsonl, .csv, .parquet, .xlsx, or a page to look at: .html. None only counts.
        model: A moderator, or what `load` takes.
        policy: See `load`; not beside a moderator, which has its own.
        keep: Whether results keep the columns of the input, above all the text.
        resume: Whether to go on behind the rows that `out` holds.
        overwrite: Whether what is in `out` may be replaced.
        limit: At most this many posts.
        columns: Which column holds what, such as `{"text": "words"}`; found by their usual names when None.
        image_root: Folder of relative image paths; the moderator's when None, and without one that of `path`.

    Returns:
        What the run did, in numbers.

    Raises:
        InputError: `path` is no path of a file here.
        TableError: The table cannot be read.
        OutputError: The output exists, or cannot be written.
        ConfigError: A policy beside a moderator, `resume` with `overwrite` or without `out`, a `limit` that is no
            number of posts, or `columns` of no meaning.
    """
    _check_path(path)
    if resume and overwrite:
        raise ConfigError("resume continues what is in the output, and overwrite replaces it. Choose one.")
    if resume and out is None:
        raise ConfigError("resume continues a file, so it needs out.")
    if isinstance(model, Moderator):
        if policy != "default":
            raise ConfigError("A moderator has its policy; choose another one with moderator.with_policy(...).")
        moderator = model
    else:
        moderator = load(model, policy=policy)
    if (root := moderator.image_root) is not None and path != STDIN:  # which is put before whatever is relative
        image_root, path = Path(image_root or root).absolute(), Path(path).absolute()
    reader = PostReader(path, columns=_columns(columns), image_root=image_root, extra=keep)
    posts = iter(reader)
    output = None
    if out is not None:
        refuse_same_file(Path(path), Path(out))
        posts, kept = kept_columns(posts, reader) if keep else (posts, ())
        output = open_output(
            Path(out),
            moderator.labels.names,
            kept=kept,
            attributes=moderator.bundle.manifest.attributes,
            resume=resume,
            overwrite=overwrite,
        )
    summary = score_table(moderator, posts, output, resume=resume, limit=limit, keep=keep)
    for note in [*reader.warnings, *summary.notes]:
        warnings.warn(f"'{path}': {note.rstrip('.')}.", stacklevel=2)
    return summary


def _check_path(path: object) -> None:
    if not isinstance(path, str | os.PathLike):
        raise InputError(
            f"score_file reads a file, and this is {type(path).__name__}. Posts in memory: crossguard.load().score(...)"
        )
    if is_url(str(path)):
        raise InputError(f"score_file reads a file here. One in a storage: crossguard.score_files({path!r}, FOLDER)")


def _columns(given: Columns | Mapping[str, str] | None) -> Columns:
    if given is None:
        return ColumnsInPython()
    if isinstance(given, Columns):
        return ColumnsInPython(**given.renamed, addresses=given.addresses)
    pairs: Any = given
    if not isinstance(pairs, Mapping) or not all(isinstance(name, str) for name in pairs.values()):
        raise ConfigError('columns are names by what they hold, such as {"text": "words"}.')
    if unknown := set(given) - set(OTHER_NAMES):
        raise ConfigError(f"columns names no {', '.join(sorted(unknown))}: a post has {', '.join(OTHER_NAMES)}.")
    named: dict[str, Any] = dict(given)
    return ColumnsInPython(**named)


def kept_columns(
    posts: Iterator[Post], reader: PostReader, *, words: bool = False
) -> tuple[Iterator[Post], tuple[str, ...]]:
    """Reads posts until one can be read, so that the columns are known; returns all, and what is kept of them.

    The id has a column of its own, and encoded images are not kept. `words` are read in images where they are missing.
    """
    first: list[Post] = []
    for post in itertools.islice(posts, LOOKED_AT):
        first.append(post)
        if reader.header:
            break
    names = dict.fromkeys([*reader.kept, *(["image_text"] if words else [])])
    return itertools.chain(first, posts), tuple(names)


def score_table(
    moderator: Moderator,
    posts: Iterable[Post],
    output: Output | None = None,
    *,
    resume: bool = False,
    limit: int | None = None,
    on_error: OnError = "record",
    batch_size: int | None = None,
    transform: Transform | None = None,
    watch: Watch | None = None,
    summary: Summary | None = None,
    keep: bool = False,
) -> Summary:
    """Scores posts in order and in constant memory.

    Args:
        moderator: Scores.
        posts: What to score; one with an `error` stays in its place.
        output: Where the decisions go, besides `watch`.
        resume: Whether to go on behind the rows that the output holds: of the same posts, model, policy and runtime.
        limit: At most this many posts, those of the earlier run included.
        on_error: `record` writes a failed record, `skip` leaves it out, `stop` raises at the first.
        batch_size: Posts per run of the model.
        transform: What to do with the posts that are left before they are scored, such as reading the words in images;
            words that it adds are in the output. Where a run goes on, also with its last posts, which are compared.
        watch: Called with each post and its decision, once it is written.
        summary: Counted into while the run goes on, so that it tells how far a run came that was interrupted.
        keep: Whether decisions keep what came with the posts: texts, image paths, and `Post.extra`.

    Raises:
        InputError: A post cannot be scored and `on_error` is `stop`, or the table is damaged from one on; the rows
            before it are written. Or the moderator cannot score any more; the output is then left as it was.
        OutputError: The output cannot be written, or was made from other posts or by another model.
        ConfigError: `limit` or `batch_size` is no number of posts, or `resume` with `skip`: a file without the failed
            posts does not say how far it came.
    """
    check_count(limit, "limit", least=0)
    check_count(batch_size, "batch_size", least=1)
    if resume and on_error == "skip":
        raise ConfigError(
            "--resume needs a row for every post, and --on-error skip leaves some out. Use --on-error record."
        )
    summary = summary if summary is not None else Summary()
    entries: Iterator[Post] = itertools.islice(posts, limit)
    started = time.monotonic()
    if not resume:  # a table that cannot be read shall leave no empty output behind, nor cost one that was there
        entries = itertools.chain(list(itertools.islice(entries, 1)), entries)
    originals: deque[Post] = deque()
    waiting: deque[Post] = deque()
    broken: list[Exception] = []
    left = noted(up_to_error(entries, broken, TableError), originals)
    posts_left = noted(transform(left) if transform else left, waiting)
    with output or nullcontext(), closing(moderator.stream(posts_left, batch_size)) as decisions:
        if output is not None:
            summary.previous = _skip_written(entries, output, moderator, transform, keep=keep) if resume else 0
            output.start()
        keeper = Keeper(keep=keep, columns=output.kept if output is not None else None)
        summary.left_out = keeper.left_out
        for decision in decisions:
            summary.seconds = time.monotonic() - started
            original, post = originals.popleft(), waiting.popleft()
            error = decision.error
            if error is not None and on_error == "stop":
                raise InputError(f"Post '{decision.id}' cannot be scored ({error.code}): {error.message}")
            if output is not None and not (error is not None and on_error == "skip"):
                row = replace(decision, digest=digest(original), input=keeper.of(original, post))
                shown = with_post(row, post, image_limits=moderator.image_limits) if output.for_people else row
                output.write(shown)
            summary.add(decision)
            if watch is not None:
                watch(post, decision)
        if output is not None:
            output.finish()
    summary.seconds = time.monotonic() - started
    if broken:
        raise broken[0]
    return summary


def with_posts(decisions: Iterable[Decision], posts: Iterable[Post]) -> Iterator[Decision]:
    """Yields decisions with what their posts say and show.

    Raises:
        InputError: They are not the decisions of these posts.
    """
    for decision, post in itertools.zip_longest(decisions, posts):
        if decision is None:  # a run that was cut, or --limit
            return
        if post is None or post.id != decision.id:
            seen = f"'{post.id}'" if post is not None else "the end of the posts"
            raise InputError(f"These are results of other posts: '{decision.id}' meets {seen}.")
        if is_other(decision, post):
            raise InputError(f"These are results of other posts: '{post.id}' had another text when it was scored.")
        yield with_post(decision, post)


def _skip_written(
    entries: Iterator[Post], output: Output, moderator: Moderator, transform: Transform | None, *, keep: bool
) -> int:
    """Takes the posts that have their row already; returns how many."""
    count = 0
    scored: deque[tuple[Decision, Post]] = deque(maxlen=COMPARED)
    for row in output.previous():
        entry = next(entries, None)
        count += 1
        if entry is None:
            raise _cannot_resume(f"the output has more rows than this run has posts ({count - 1}; --limit counts).")
        if entry.id != row.id:
            raise _cannot_resume(
                f"row {count} of the output is post '{row.id}', and post {count} of the input is '{entry.id}'."
            )
        if row.digest is not None and row.digest != digest(entry):
            raise _cannot_resume(f"post '{row.id}' (row {count}) was another one: its text or image changed.")
        _check_same_model(row, moderator)
        if transform is None and _has_words_of_its_own(row, entry):
            raise _cannot_resume(
                f"the output was made with --ocr, which read words of post '{row.id}', and this run is without it."
            )
        if not output.for_people:
            _check_same_keep(row, entry, output, keep=keep)
        if row.ok:
            scored.append((row, entry))
    _check_same_scores(scored, moderator, transform)
    return count


def _has_words_of_its_own(row: Decision, entry: Post) -> bool:
    """Whether a row is known to count words that its post came without: a flat row may tell by its weights alone."""
    if entry.image_text:
        return False
    return bool(row.input.get("image_text") or (not entry.text and row.text_weight))


def _check_same_keep(row: Decision, entry: Post, output: Output, *, keep: bool) -> None:
    then = _said(row.input)
    now = _said(Keeper(keep=keep).of(entry, entry))
    expected = now if output.kept is None else now & set(output.kept)
    # A row with nothing to keep, or with nothing that the table has room for, is the same with and without.
    if bool(then) != keep and (then or expected):
        told = ("with", "without") if then else ("without", "with")
        raise _cannot_resume(f"the output was made {told[0]} --keep, and this run is {told[1]} it.")


def _said(kept: Mapping[str, Any]) -> set[str]:
    """Returns the columns of the input that a row holds, but for cells that are empty in a flat row."""
    return {name for name, value in kept.items() if one_cell(value) not in (None, "")} - {"image_text"}


def _check_same_model(row: Decision, moderator: Moderator) -> None:
    model, policy = moderator.bundle.manifest.model, moderator.policy
    now = (model.name, model.version, policy.name, policy.version, moderator.runtime.name)
    then = (row.model, row.model_version, row.policy, row.policy_version, row.runtime)
    if now != then or (row.ok and tuple(row.labels) != moderator.labels.names):
        told = "model {} {} under policy {} {} on {}"
        raise _cannot_resume(f"the output was made with {told.format(*then)}, and this run uses {told.format(*now)}.")


def _check_same_scores(
    compared: Collection[tuple[Decision, Post]], moderator: Moderator, transform: Transform | None
) -> None:
    """Scores posts again: two models may have one name and version, and no row tells of all options."""
    posts = (post for _, post in compared)
    again = moderator.stream(transform(posts) if transform else posts)
    differences = [
        max(abs(now.scores[name] - score) for name, score in then.scores.items())
        for (then, _), now in zip(compared, again, strict=True)
        if now.ok  # an image may have been moved
    ]
    average = sum(differences) / max(1, len(differences))
    if average > SAME_SCORES:
        raise _cannot_resume(
            f"posts in the output get other scores now (by {average:.3f}; the last {len(differences)} were compared): "
            "the model is another one of the same name and version, options that count differ, or the images do."
        )


def _cannot_resume(why: str) -> OutputError:
    return OutputError(f"Cannot resume: {why} Choose another name, or start again with --overwrite.")
