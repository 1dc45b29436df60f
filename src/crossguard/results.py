"""Many decisions in the order of their posts: a list that knows how to be a data frame and a page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Self, SupportsIndex, overload

from crossguard.data.masking import excerpt, mask, visible
from crossguard.data.page import page, with_post
from crossguard.errors import needs_extra
from crossguard.markup import results_html
from crossguard.records import Action, Decision, Post
from crossguard.schema import Names, columns, flatten

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from crossguard.data.image_limits import ImageLimits

SHOWN = 20
NO_NAMES: Final = Names(())


class Results(list[Decision]):
    """Decisions, one per post; each keeps its post, in whatever order they are put.

    Args:
        decisions: Of the posts, in order. Those of other results have their posts already.
        posts: What was scored.
        names: Labels and attributes of whatever decided: columns of a data frame, even where nothing was scored; those
            of `decisions`, where these are results, when not given.
        image_root: Folder of relative image paths; that of `decisions`, or the working folder, when None.
        image_limits: Bounds of images that a page shows; those of `decisions`, or the usual ones, when None.
    """

    def __init__(
        self,
        decisions: Iterable[Decision] = (),
        posts: Iterable[Post] = (),
        names: Names = NO_NAMES,
        image_root: Path | None = None,
        *,
        image_limits: ImageLimits | None = None,
    ) -> None:
        of = iter(posts)
        super().__init__(_with_post(decision, next(of, None)) for decision in decisions)
        self._names: Names = names
        self._image_root: Path | None = image_root
        self._image_limits: ImageLimits | None = image_limits
        if isinstance(decisions, Results):
            self._names = decisions._names if names is NO_NAMES else names  # noqa: SLF001 ours
            self._image_root = decisions._image_root if image_root is None else image_root  # noqa: SLF001
            self._image_limits = image_limits or decisions._image_limits  # noqa: SLF001

    @property
    def posts(self) -> Sequence[Post]:
        """What was scored, a post per decision, whatever is done to these; an empty one where it is not known."""
        return _Posts(self)

    @property
    def failed(self) -> Self:
        """The decisions of posts that could not be scored."""
        return self._where(lambda decision: not decision.ok)

    @property
    def flagged(self) -> Self:
        """The decisions with at least one flag."""
        return self._where(lambda decision: bool(decision.flags))

    def to_dicts(self) -> list[dict[str, Any]]:
        """Returns the records, which `json.dumps` takes as they are."""
        return [decision.to_dict() for decision in self]

    def to_frame(self) -> pd.DataFrame:
        """Returns a pandas DataFrame with one row per post: the columns of a CSV of results, and the post's text.

        It has the index of the pandas DataFrame or Series that was scored, so that its columns can be put beside those.
        Actions are ordered categories: `frame[frame.action >= "review"]`.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        with needs_extra("A data frame", "pandas"):
            import pandas as pd
        labels = dict.fromkeys([*self._names.labels, *(name for decision in self for name in decision.labels)])
        attributes = dict.fromkeys(
            [*self._names.attributes, *(name for decision in self for name in decision.attributes)]
        )
        layout = columns(Names(tuple(labels), attributes=tuple(attributes)))
        frame = pd.DataFrame(
            [flatten(decision.to_dict(), layout) for decision in self], columns=[column.name for column in layout]
        )
        frame.insert(1, "text", [post.text for post in self.posts])
        actions = pd.CategoricalDtype([action.value for action in Action], ordered=True)
        for column in layout:
            if column.path[-1] == "action":
                frame[column.name] = frame[column.name].astype(actions)
        rows = [post._index for post in self.posts if post._index is not None]  # noqa: SLF001 ours
        if rows and len(rows) == len(self):
            index, names = pd.Index([label for label, _ in rows]), rows[0][1]
            frame.index = index.set_names(names) if index.nlevels == len(names) else index
        return frame

    def to_html(self, *, title: str = "Decisions") -> str:
        """Returns a page to sort and filter; words of flagged posts are masked, and images blurred.

        It writes no file: `Path("page.html").write_text(results.to_html(), encoding="utf-8")`.
        """
        shown = (with_post(*row, self._image_root, self._image_limits) for row in zip(self, self.posts, strict=True))
        return page(shown, title)

    def copy(self) -> Self:
        """Returns the same decisions in another list."""
        return self[:]

    def __add__(self, decisions: list[Decision], /) -> Self:  # type: ignore[override]  # holds nothing else
        return self._with([*self, *decisions])

    @overload
    def __getitem__(self, place: SupportsIndex, /) -> Decision: ...
    @overload
    def __getitem__(self, place: slice, /) -> Self: ...
    def __getitem__(self, place: SupportsIndex | slice, /) -> Decision | Self:
        found = super().__getitem__(place)
        return found if isinstance(found, Decision) else self._with(found)

    def __repr__(self) -> str:
        return f"Results({self._counts()})"

    def _repr_html_(self) -> str:
        """The first decisions in a notebook; what flagged posts say is masked, and images are not shown."""
        rows = []
        first = self[:SHOWN]
        for decision, post in zip(first, first.posts, strict=True):
            words = excerpt(mask(post.text) if decision.is_doubtful else visible(post.text))
            why = decision.error.message if decision.error else ", ".join(decision.reasons)
            score = "" if decision.top is None else f"{decision.top[0]} {decision.top[1]:.2f}"
            rows.append((decision.id, words, str(decision.action or decision.status), why or score))
        return results_html(self._counts(), rows, len(self) - len(rows))

    def _counts(self) -> str:
        counted = Counter(str(decision.action or decision.status) for decision in self)
        counts = ", ".join(f"{count:,} {name}" for name, count in counted.most_common())
        return f"{len(self):,} decisions" + (f": {counts}" if counts else "")

    def _where(self, wanted: Callable[[Decision], bool]) -> Self:
        return self._with(filter(wanted, self))

    def _with(self, decisions: Iterable[Decision]) -> Self:
        other = type(self)(names=self._names, image_root=self._image_root, image_limits=self._image_limits)
        other.extend(decisions)
        return other


def _with_post(decision: Decision, post: Post | None) -> Decision:
    return decision if post is None else replace(decision, _post=post)


class _Posts(Sequence[Post]):
    """The posts of decisions, found when they are asked for: a loop over places takes no longer than one over posts."""

    def __init__(self, results: Results) -> None:
        self._results = results

    def __len__(self) -> int:
        return len(self._results)

    def __getitem__(self, place: Any, /) -> Any:
        found = self._results[place]
        return tuple(found.posts) if isinstance(found, Results) else found._post or Post(found.id)  # noqa: SLF001 ours

    def __eq__(self, other: object, /) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    def __repr__(self) -> str:
        return repr(tuple(self))

    __hash__ = None  # type: ignore[assignment]  # its posts change with the decisions
