"""Many decisions in the order of their posts: a list that knows how to be a data frame and a page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Self, SupportsIndex, overload

from crossguard.data.masking import excerpt, mask, visible
from crossguard.data.page import page, with_post
from crossguard.errors import needs_extra
from crossguard.markup import results_html
from crossguard.records import Decision, Post
from crossguard.schema import Names, columns, flatten

if TYPE_CHECKING:
    import pandas as pd

SHOWN = 20


class Results(list[Decision]):
    """Decisions, one per post, in order.

    Attributes:
        posts: What was scored; empty where it was not kept.
    """

    def __init__(self, decisions: Iterable[Decision] = (), posts: Sequence[Post] = ()) -> None:
        super().__init__(decisions)
        self.posts = tuple(posts)

    @property
    def failed(self) -> Results:
        """The decisions of posts that could not be scored."""
        return self._where([not decision.ok for decision in self])

    @property
    def flagged(self) -> Results:
        """The decisions with at least one flag."""
        return self._where([bool(decision.flags) for decision in self])

    def to_dicts(self) -> list[dict[str, Any]]:
        """Returns the records, which `json.dumps` takes as they are."""
        return [decision.to_dict() for decision in self]

    def to_frame(self) -> pd.DataFrame:
        """Returns a pandas DataFrame with one row per post: the columns of a CSV of results, and the post's text.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        with needs_extra("A data frame", "pandas"):
            import pandas as pd
        scored = next((decision for decision in self if decision.ok), None)
        names = Names(tuple(scored.labels), attributes=tuple(scored.attributes)) if scored else Names(())
        layout = columns(names)
        frame = pd.DataFrame(
            [flatten(decision.to_dict(), layout) for decision in self], columns=[column.name for column in layout]
        )
        if self.posts:
            frame.insert(1, "text", [post.text for post in self.posts])
        return frame

    def to_html(self, title: str = "Decisions") -> str:
        """Returns a page to sort and filter; words of flagged posts are masked, and images blurred."""
        shown = map(with_post, self, self.posts) if self.posts else iter(self)
        return page(shown, title)

    @overload
    def __getitem__(self, place: SupportsIndex, /) -> Decision: ...
    @overload
    def __getitem__(self, place: slice, /) -> Self: ...
    def __getitem__(self, place: SupportsIndex | slice, /) -> Decision | Self:
        if isinstance(place, slice):
            return type(self)(super().__getitem__(place), self.posts[place])
        return super().__getitem__(place)

    def __repr__(self) -> str:
        return f"Results({self._counts()})"

    def _repr_html_(self) -> str:
        """The first decisions in a notebook; what flagged posts say is masked, and images are not shown."""
        rows = []
        for place, decision in enumerate(self[:SHOWN]):
            text = self.posts[place].text if place < len(self.posts) else ""
            words = excerpt(mask(text) if decision.flags else visible(text))
            why = decision.error.message if decision.error else ", ".join(decision.flags)
            score = "" if decision.top is None else f"{decision.top[0]} {decision.top[1]:.2f}"
            rows.append((decision.id, words, str(decision.action or decision.status), why or score))
        return results_html(self._counts(), rows, len(self) - len(rows))

    def _counts(self) -> str:
        counted = Counter(str(decision.action or decision.status) for decision in self)
        counts = ", ".join(f"{count:,} {name}" for name, count in counted.most_common())
        return f"{len(self):,} decisions" + (f": {counts}" if counts else "")

    def _where(self, kept: Sequence[bool]) -> Results:
        chosen = [place for place, keep in enumerate(kept) if keep]
        posts = [self.posts[place] for place in chosen] if self.posts else ()
        return Results([self[place] for place in chosen], posts)
