"""Scores a whole table of posts: what `crossguard score` does, as a function.

from crossguard.data.tables import PostReader
from crossguard.data.writing import open_output
from crossguard.scoring import score_table

output = open_output(Path("decisions.jsonl"), moderator.labels.names, resume=True)
summary = score_table(moderator, PostReader("posts.jsonl"), output, resume=True)
"""

from __future__ import annotations

import itertools
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, nullcontext
from dataclasses import dataclass, field
from enum import StrEnum

from crossguard.data.outputs import Output
from crossguard.errors import ConfigError, InputError, OutputError
from crossguard.moderator import Moderator
from crossguard.records import Decision, Post

Transform = Callable[[Iterator[Post]], Iterator[Post]]
Watch = Callable[[Post, Decision], None]


class OnError(StrEnum):
    """What to do with a post that cannot be scored."""

    RECORD = "record"
    SKIP = "skip"
    STOP = "stop"


@dataclass(slots=True)
class Summary:
    """What a run did, in numbers.

    Attributes:
        previous: Rows of an earlier run that were kept.
        scored: Posts that got a decision in this run.
        actions: How many decisions asked for which action.
        flags: How many decisions flagged which label.
        failed: How many posts could not be scored, by error code.
        seconds: Time that this run took.
    """

    previous: int = 0
    scored: int = 0
    actions: Counter[str] = field(default_factory=Counter)
    flags: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    @property
    def posts(self) -> int:
        """Posts that this run looked at."""
        return self.scored + self.failed.total()

    def add(self, decision: Decision) -> None:
        """Counts one decision."""
        if decision.error is not None or decision.action is None:
            self.failed[decision.error.code if decision.error else ""] += 1
            return
        self.scored += 1
        self.actions[decision.action.value] += 1
        self.flags.update(decision.flags)


def score_table(
    moderator: Moderator,
    posts: Iterable[Post],
    output: Output | None = None,
    *,
    resume: bool = False,
    limit: int | None = None,
    on_error: OnError = OnError.RECORD,
    batch_size: int | None = None,
    transform: Transform | None = None,
    watch: Watch | None = None,
    summary: Summary | None = None,
) -> Summary:
    """Scores posts in order and in constant memory.

    Args:
        moderator: Scores.
        posts: What to score; one with an `error` stays in its place.
        output: Where the decisions go, besides `watch`.
        resume: Whether to go on behind the rows that the output holds. Their ids, model and policy must be the same.
        limit: At most this many posts, those of the earlier run included.
        on_error: `record` writes a failed record, `skip` leaves it out, `stop` raises at the first.
        batch_size: Posts per run of the model.
        transform: What to do with the posts that are left before they are scored, such as reading the words in images.
        watch: Called with each post and its decision, once it is written.
        summary: Counted into while the run goes on, so that it tells how far a run came that was interrupted.

    Raises:
        InputError: A post cannot be scored and `on_error` is `stop`; the rows before it are written.
        OutputError: The output cannot be written, or was made from other posts or by another model.
        ConfigError: `resume` with `skip`: a file without the failed posts does not say how far it came.
    """
    if resume and on_error is OnError.SKIP:
        raise ConfigError(
            "--resume needs a row for every post, and --on-error skip leaves some out. Use --on-error record."
        )
    summary = summary if summary is not None else Summary()
    entries = itertools.islice(posts, limit)
    started = time.monotonic()
    with output or nullcontext():
        if output is not None:
            summary.previous = _skip_written(entries, output, moderator) if resume else 0
            output.start()
        left = transform(entries) if transform else entries
        for post, decision in paired(moderator, left, batch_size):
            summary.seconds = time.monotonic() - started
            error = decision.error
            if error is not None and on_error is OnError.STOP:
                raise InputError(f"Post '{decision.id}' cannot be scored ({error.code}): {error.message}")
            if output is not None and not (error is not None and on_error is OnError.SKIP):
                output.write(decision)
            summary.add(decision)
            if watch is not None:
                watch(post, decision)
        if output is not None:
            output.finish()
    summary.seconds = time.monotonic() - started
    return summary


def paired(
    moderator: Moderator, posts: Iterable[Post], batch_size: int | None = None
) -> Iterator[tuple[Post, Decision]]:
    """Yields each post with its decision; only the posts on their way are held."""
    waiting: deque[Post] = deque()

    def passing() -> Iterator[Post]:
        for post in posts:
            waiting.append(post)
            yield post

    with closing(moderator.stream(passing(), batch_size)) as decisions:
        for decision in decisions:
            yield waiting.popleft(), decision


def _skip_written(entries: Iterator[Post], output: Output, moderator: Moderator) -> int:
    """Takes the posts that have their row already; returns how many."""
    count = 0
    for row in output.previous():
        entry = next(entries, None)
        count += 1
        if entry is None:
            raise OutputError(f"Cannot resume: the output has more rows than the input has posts ({count - 1}).")
        if entry.id != row.id:
            raise OutputError(
                f"Cannot resume: row {count} of the output is post '{row.id}', and post {count} of the input is "
                f"'{entry.id}'. The output is from another input; choose another name, or start again with --overwrite."
            )
        _check_same_model(row, moderator)
    return count


def _check_same_model(row: Decision, moderator: Moderator) -> None:
    model, policy = moderator.bundle.manifest.model, moderator.policy
    now = (model.name, model.version, policy.name, policy.version)
    then = (row.model, row.model_version, row.policy, row.policy_version)
    if now != then or (row.ok and tuple(row.labels) != moderator.labels.names):
        raise OutputError(
            f"Cannot resume: the output was made with model {then[0]} {then[1]} under policy {then[2]} {then[3]}, "
            f"and this run uses {now[0]} {now[1]} under {now[2]} {now[3]}. Choose another name, or use --overwrite."
        )
