"""Decisions as a table for people: words of flagged posts are masked, and nothing in a post steers the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from crossguard.data.masking import STEERING, excerpt, mask, visible
from crossguard.records import Action, Decision, Post

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from crossguard.decision.policy import Bands

# Heads of what `bands` returns.
BANDS = ("review\nfrom", "flag\nfrom", "block\nfrom")

# Columns of a table in a pipe, where nothing wraps.
WIDE = 1000
_ROWS = 20
_ID_WIDTH = 14
_ACTION_WIDTH = 7
_FLAGS_WIDTH = 34
_GAPS = 8
# A narrower terminal has no place for texts and bars: ids, actions, labels and scores are never cut.
_NARROW = 64
_SHOWN_FLAGS = 2
_BAR_WIDTH = 20
_TEXT_WIDTH = 72
_COLOURS = {Action.ALLOW.value: "green", Action.REVIEW.value: "yellow", Action.BLOCK.value: "red", "failed": "magenta"}


class DecisionTable:
    """A table that is printed in parts while posts come in, so it may be of any length."""

    def __init__(self, console: Console, *, show_text: bool = False) -> None:
        self._console = console
        self._show_text = show_text
        self._rows: list[tuple[str, str, str, str]] = []
        self._begun = False
        self._narrow = console.width < _NARROW
        self._id_width = min(_ID_WIDTH, console.width // 4)
        left = console.width - self._id_width - _ACTION_WIDTH - _GAPS
        self._flags_width = min(_FLAGS_WIDTH, max(12, left if self._narrow else left - 12))
        self._text_width = min(_TEXT_WIDTH, max(12, left - self._flags_width))

    def add(self, post: Post, decision: Decision) -> None:
        """Adds one post."""
        action = str(decision.action or decision.status)
        self._rows.append((decision.id, self._words(post, decision), action, _reasons(decision)))
        if len(self._rows) >= _ROWS:
            self.flush()

    def flush(self) -> None:
        """Prints the rows that wait."""
        from rich.text import Text

        if not self._rows:
            return
        table = self._part()
        for id_, words, action, reasons in self._rows:
            coloured = Text(action, style=_COLOURS[action])
            shown = () if self._narrow else (Text(words),)
            table.add_row(Text(visible(id_)), *shown, coloured, Text(reasons))
        self._console.print(table)
        self._rows.clear()
        self._begun = True

    def _part(self) -> Table:
        from rich.box import SIMPLE_HEAD
        from rich.table import Table

        table = Table(box=SIMPLE_HEAD, show_edge=False, show_header=not self._begun, pad_edge=False)
        table.add_column("post", width=self._id_width, overflow="fold")
        if not self._narrow:
            table.add_column("text", width=self._text_width, no_wrap=True)
        table.add_column("action", width=_ACTION_WIDTH, no_wrap=True)
        table.add_column("flags, else highest score", width=self._flags_width, overflow="fold")
        return table

    def _words(self, post: Post, decision: Decision) -> str:
        if decision.error is not None:
            return excerpt(decision.error.message, self._text_width)
        return excerpt(post_words(post, hidden=decision.is_doubtful and not self._show_text), self._text_width)


def print_decision(post: Post, decision: Decision, console: Console, *, show_text: bool = False) -> None:
    """Prints one decision with every label."""
    from rich.text import Text

    words = post_words(post, hidden=decision.is_doubtful and not show_text)
    action = str(decision.action or decision.status)
    console.print(Text.assemble(Text(action, style=f"bold {_COLOURS[action]}"), "  ", words))
    console.print(_labels(decision, bars=console.width >= _NARROW))
    versions = f"{decision.model} {decision.model_version}, policy {decision.policy} {decision.policy_version}"
    console.print(Text(versions, style="dim"))
    if decision.notes:
        console.print(Text(f"notes: {', '.join(decision.notes)}", style="dim"))


def terminal(width: int | None = None) -> Console:
    """Returns a console that prints what it is told as it is, such as names in brackets, but for what steers it.

    Where its reader goes away, it raises what others raise; rich would exit with 1.
    """
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.segment import Segment

    class Terminal(Console):
        def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
            """Renders what is printed; all words of models and tables come this way, whoever made the table."""
            for segment in super().render(renderable, options):
                yield segment if segment.control else segment._replace(text=segment.text.translate(STEERING))

        def on_broken_pipe(self) -> None:
            raise BrokenPipeError

    return Terminal(width=width, markup=False, emoji=False)


def console() -> Console:
    """Returns a console that never cuts a table: as wide as the terminal, and as wide as needed in a pipe."""
    own = terminal()
    return own if own.is_terminal else terminal(WIDE)


def plain(columns: Sequence[str], left: int = 1) -> Table:
    """Returns a table without lines: the first columns hold names, the others numbers, which are never cut."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for place, name in enumerate(columns):
        table.add_column(name, justify="left" if place < left else "right", no_wrap=place >= left, overflow="fold")
    return table


def bands(rule: Bands) -> tuple[str, str, str]:
    """Returns the scores from which a rule asks for a review, flags its label and blocks, as cells of a table."""
    return f"{rule.review_from:.3f}", f"{rule.threshold:.3f}", "never" if rule.block is None else f"{rule.block:.3f}"


def post_words(post: Post, *, hidden: bool) -> str:
    """Returns what a post says on one line, the words of its image in brackets."""
    show = mask if hidden else visible
    parts = [show(post.text)] if post.text else []
    if post.image is not None or post.image_text:
        parts.append(f"[image: {show(post.image_text)}]" if post.image_text else "[image]")
    return " ".join(parts)


def _labels(decision: Decision, *, bars: bool) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=True, header_style="dim")
    table.add_column("label", overflow="fold")
    table.add_column("score", justify="right", no_wrap=True)
    if bars:
        table.add_column()
    table.add_column("threshold", justify="right", no_wrap=True)
    table.add_column("action", no_wrap=True)
    for name, score in decision.asking_attributes.items():
        word = str(decision.action)
        cells = ("",) * (2 if bars else 1)
        table.add_row(name, f"{score:.3f}", *cells, Text(word, style=_COLOURS[word]))
    for name, label in decision.labels.items():
        action = Text(label.action.value, style=_COLOURS[label.action.value])
        bar = (_bar(label.score, label.threshold),) if bars else ()
        table.add_row(name, f"{label.score:.3f}", *bar, f"{label.threshold:.3f}", action)
    return table


def _bar(score: float, threshold: float) -> str:
    """A bar of the score with a mark at the threshold."""
    filled, mark = round(score * _BAR_WIDTH), min(_BAR_WIDTH - 1, round(threshold * _BAR_WIDTH))
    cells = ["█" if index < filled else "·" for index in range(_BAR_WIDTH)]
    cells[mark] = "▌" if mark < filled else "|"
    return "".join(cells)


def _reasons(decision: Decision) -> str:
    if decision.error is not None:
        return decision.error.code
    found = list((decision.reasons or dict([decision.top or ("", 0.0)])).items())
    more = f" +{len(found) - _SHOWN_FLAGS}" if len(found) > _SHOWN_FLAGS else ""
    return ", ".join(f"{name} {score:.2f}" for name, score in found[:_SHOWN_FLAGS]) + more
