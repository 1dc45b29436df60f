"""Text to token ids, as a bundle says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from crossguard.checked_settings import StrictModel
from crossguard.errors import BundleError
from crossguard.preprocessing.disguises.lexicon import Lexicon
from crossguard.preprocessing.language import LATIN, UNDETERMINED, language_of
from crossguard.preprocessing.lines import lines_of
from crossguard.preprocessing.normalization import MOST_CHARACTERS, NormalizerName, normalize, shorten
from crossguard.preprocessing.undisguise import STRETCH, Reading, foreign, undisguise, without_markup_in_place
from crossguard.preprocessing.windows import Alignment, Span, Window, ends, pair_sizes, stretches

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer

# The first window never needs more characters than this per token, and a long post about a fourth of it.
CHARACTERS_PER_TOKEN: Final = 24
CHARACTERS_PER_TOKEN_OF_LONG_TEXT: Final = 8
# A longer line fills a window as it is.
CHARACTERS_PER_TOKEN_OF_LINE: Final = 4
# How many lines of a text are read for each window that is.
LINES_PER_WINDOW: Final = 4
FEWEST_WORDS: Final = 1000


class TextSpec(StrictModel):
    """How a bundle wants its text."""

    max_length: int = Field(ge=4, le=8192)  # tokens of a window at most, special tokens included
    # Windows of a long text at most; the longest text that is read in whole has about two thirds as many times
    # `max_length` tokens
    windows: int = Field(default=32, ge=1, le=256)
    # `longest` (of the batch) or `max_length` (SigLIP was trained on full length and has no mask)
    padding: Literal["longest", "max_length"] = "longest"
    pad_id: int = Field(default=0, ge=0)  # token id of padding
    attention_mask: bool = True  # whether the text graph takes a mask
    normalization: NormalizerName = "none"  # which normaliser cleans the raw text
    # What to do with words read from the image: `pair` (second segment), `append`, or `ignore`
    image_text: Literal["pair", "append", "ignore"] = "append"
    undisguise: bool = True  # whether a disguised text is also (or only, where that is certain) scored as what it says
    lines: bool = True  # whether of a text of several lines each is scored on its own, too

    @property
    def most_characters(self) -> int:
        """How many characters of a text are tokenised at most, after everything invisible was removed."""
        return self.max_length * max(CHARACTERS_PER_TOKEN, self.windows * CHARACTERS_PER_TOKEN_OF_LONG_TEXT)


@dataclass(frozen=True, slots=True)
class Tokens:
    """The words of one post as token ids."""

    windows: tuple[Window, ...]  # one, or several that overlap when the text is long; none when the post has no text
    truncated: bool  # whether text was left out because it was too long for `TextSpec.windows`
    language: str = ""  # ISO 639 code, `und` where it cannot be told; empty where it was not asked for

    def with_lines(self, lines: Iterable[tuple[Tokens, Span]]) -> Tokens:
        """Returns these windows, and behind them those of lines that fill no more than one and say something new."""
        windows, known = [*self.windows], {window.ids for window in self.windows}
        for line, span in lines:
            readings = Counter(window.undisguised for window in line.windows)
            if max(readings.values(), default=0) <= 1:
                new = [replace(window, text=span, line=True) for window in line.windows if window.ids not in known]
                windows += new
                known |= {window.ids for window in new}
        return replace(self, windows=tuple(windows))

    @property
    def ids(self) -> tuple[int, ...]:
        """Those of the first window; empty when the post has no text."""
        return self.windows[0].ids if self.windows else ()


@dataclass(frozen=True, slots=True)
class _Part:
    """What is tokenised as one sequence: a text, the words of an image, or both joined."""

    raw: str  # as written; of a reading without the markup
    clean: str  # normalised
    cut: bool  # whether it was too long to be read in whole
    # Where in `raw` the words of the image begin; None where the author did not write `raw`, or not all of it was read
    joint: int | None

    def written(self, spans: Sequence[Span], normalization: NormalizerName) -> list[tuple[Span | None, Span | None]]:
        """Returns where stretches of `clean` lie in the text and in the words of the image, as written."""
        if self.joint is None or len(spans) == 1:
            return [(None, None)] * len(spans)
        alignment = Alignment(self.raw, self.clean, lambda text: normalize(text, normalization))
        return [_divided(alignment.locate(span), self.joint) for span in spans]


class _Said(NamedTuple):
    """The parts of what a disguised post says, and whether they are scored instead of it; none without a disguise."""

    parts: Sequence[_Part]
    certain: bool


_NOTHING: Final = _Said((), certain=False)


class TextEncoder:
    """Turns texts into token ids with the tokenizer of a bundle.

    Memory and time grow with the length of a text and end at `TextSpec.most_characters`: the parts of a post are
    tokenised apart and cut here, because the tokenizer's own truncation keeps what it cuts off, for a pair every
    combination of both.
    """

    def __init__(
        self, tokenizer_file: Path, spec: TextSpec, languages: Sequence[str] = (), *, alike: bool = False
    ) -> None:
        """Reads the tokenizer; with the `languages` of the model, every text is told which one it is in.

        With `alike`, texts in other languages are read like those in these; else no lines are looked for in them.

        Raises:
            BundleError: The file is no tokenizer.
        """
        from tokenizers import Tokenizer

        self.spec = spec
        self._languages = languages
        self._alike = alike
        try:
            self._tokenizer = Tokenizer.from_file(str(tokenizer_file))
        except Exception as error:  # noqa: BLE001 the library raises no class of its own
            raise BundleError(f"Cannot read {tokenizer_file}: {error}. Download or export the bundle again.") from None
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._frames = {count: _frame(self._tokenizer, count) for count in (1, 2)}
        self._lexicon = _lexicon(self._tokenizer) if spec.undisguise else None

    def encode(self, texts: Sequence[tuple[str, str]]) -> list[Tokens]:
        """Tokenises pairs of (text, image_text).

        Returns:
            Windows of each pair: of the text as it was written, then, where a disguise was undone, of what it says;
            only of what it says where that is certain; then those of its lines. There are none for a pair with no
            visible character.
        """
        found = self._read(texts, self._languages)
        # A model that takes every text at full length would pay that for each line.
        if not self.spec.lines or self.spec.padding == "max_length":
            return found
        spans = [self._lines(text, tokens) for (text, _), tokens in zip(texts, found, strict=True)]
        lines = [(text[slice(*span)], "") for (text, _), own in zip(texts, spans, strict=True) for span in own]
        read = iter(self._read(lines, ()) if lines else ())
        return [
            whole.with_lines([(next(read), span) for span in own]) if own else whole
            for whole, own in zip(found, spans, strict=True)
        ]

    def _lines(self, text: str, whole: Tokens) -> list[Span]:
        """Returns where the lines of a text lie, if it is not known to be in another language."""
        if not whole.windows or not self._reads(whole.language):
            return []
        longest = CHARACTERS_PER_TOKEN_OF_LINE * self.spec.max_length
        return lines_of(text[:MOST_CHARACTERS], longest, LINES_PER_WINDOW * self.spec.windows)

    def _read(self, texts: Sequence[tuple[str, str]], languages: Sequence[str]) -> list[Tokens]:
        written = [self._parts(text, image_text) for text, image_text in texts]
        said = [self._said(parts) for parts in written]
        whole = self._encode([() if other.certain else parts for parts, other in zip(written, said, strict=True)])
        readings = self._encode([other.parts for other in said])
        found = []
        for pair, parts, other, tokens, reading in zip(texts, written, said, whole, readings, strict=True):
            undisguised = (replace(window, undisguised=True) for window in reading.windows)
            # Where nothing can be seen, the rest of a very long text was not read.
            unread = not parts and max(map(len, pair)) > MOST_CHARACTERS
            language = self._language(parts, other.parts) if parts and languages else ""
            truncated = tokens.truncated or reading.truncated or unread
            found.append(Tokens((*tokens.windows, *undisguised), truncated, language))
        return found

    def _language(self, written: Sequence[_Part], undisguised: Sequence[_Part]) -> str:
        """Returns the language of a text; what a disguise says counts, where that is in a language of the model."""
        language = language_of(_joined(written), self._languages)
        if not undisguised or language in {*self._languages, UNDETERMINED}:
            return language
        said = language_of(_joined(undisguised), self._languages)
        # What looks like another script may be a few words in this one.
        hidden = said == UNDETERMINED and not LATIN.search(_joined(written))
        return said if said in self._languages or hidden else language

    def _reads(self, language: str) -> bool:
        return self._alike or language in {"", UNDETERMINED, *self._languages}

    def _said(self, written: Sequence[_Part]) -> _Said:
        """Returns what disguised parts say; of a text in another language, only words of hate are found."""
        if self._lexicon is None:
            return _NOTHING
        readings = [undisguise(part.raw, self._lexicon) for part in written]
        found = self._found(written, readings)
        guessed = any(reading is not None and reading.guessed for reading in readings)
        # Words of another language are no misspelt ones, but words of hate may be hidden among them.
        if found.parts and guessed and self._languages and not self._reads(self._language(written, found.parts)):
            return self._found(written, [foreign(part.raw[:STRETCH], self._lexicon) for part in written])
        if found.certain and guessed and self._languages:
            return found._replace(certain=self._reads(language_of(_joined(written), self._languages)))
        return found

    def _found(self, written: Sequence[_Part], readings: Sequence[Reading | None]) -> _Said:
        """Returns the parts of a post as they were read; nothing where the tokenizer would see the same."""
        if not any(readings):
            return _NOTHING
        said = [
            part if reading is None else self._reading(part, reading)
            for part, reading in zip(written, readings, strict=True)
        ]
        same = all(a.clean.casefold() == b.clean.casefold() for a, b in zip(said, written, strict=True))
        if same or not any(part.clean for part in said):
            return _NOTHING
        if not said[-1].clean:  # of an image's words, nothing was left
            said.pop()
        return _Said(said, certain=all(reading is None or reading.certain for reading in readings))

    def _reading(self, written: _Part, reading: Reading) -> _Part:
        """Returns what a part says, with its place where only that is scored and it stands in the same order."""
        part = self._part(reading.text, 0)
        # Where the text is scored as it was written, too, its windows have places. A short one has one window.
        alone = reading.certain and reading.ordered and len(part.clean) > self.spec.max_length
        if not alone or part.joint is None:
            return replace(part, joint=None)
        return replace(part, raw=without_markup_in_place(written.raw), joint=written.joint)

    def _encode(self, posts: Sequence[Sequence[_Part]]) -> list[Tokens]:
        short = self.spec.max_length * CHARACTERS_PER_TOKEN
        fits = [all(len(part.clean) <= short for part in parts) for parts in posts]
        together = [part.clean for parts, fit in zip(posts, fits, strict=True) if fit for part in parts]
        ids = (encoding.ids for encoding in self._tokenizer.encode_batch_fast(together, add_special_tokens=False))
        return [
            self._tokens(parts, [next(ids) for _ in parts] if fit else None)
            for parts, fit in zip(posts, fits, strict=True)
        ]

    def _parts(self, text: str, image_text: str) -> list[_Part]:
        """Returns what is tokenised: nothing, one sequence or a pair."""
        first = self._part(text, len(text))
        second = self._part("" if self.spec.image_text == "ignore" else image_text, 0)
        if not second.clean:
            return [first] if first.clean else []
        if self.spec.image_text == "pair":
            return [first, second]
        if not first.clean:
            return [second]
        raw, clean = f"{first.raw} {second.raw}", f"{first.clean} {second.clean}"
        joint = None if None in {first.joint, second.joint} else len(first.raw) + 1
        return [_Part(raw, clean, first.cut or second.cut, joint)]

    def _part(self, raw: str, joint: int) -> _Part:
        if not raw:
            return _Part("", "", cut=False, joint=joint)
        most, name = self.spec.most_characters, self.spec.normalization
        short = raw if len(raw) <= most else shorten(raw, name)
        # Where nothing is left, as of a lone link, what a reader sees is scored as it is: it is never empty.
        clean = normalize(short[:most], name) or normalize(short[:most], "none")
        cut = len(raw) > MOST_CHARACTERS or len(short) > most or len(clean) > most
        return _Part(raw, clean[:most].strip(), cut, joint if short is raw and not cut else None)

    def _tokens(self, parts: Sequence[_Part], ids: Sequence[list[int]] | None) -> Tokens:
        if not parts:
            return Tokens((), truncated=False)
        frame = self._frames[len(parts)]
        budget = self.spec.max_length - sum(map(len, frame))
        if ids is not None and sum(map(len, ids)) <= budget:
            return Tokens((Window(_framed(frame, ids)),), any(part.cut for part in parts))
        # Places are only needed now, and one post at a time keeps memory flat.
        return self._cut(parts, frame, budget)

    def _cut(self, parts: Sequence[_Part], frame: Sequence[tuple[int, ...]], budget: int) -> Tokens:
        # As a batch: a single text is encoded without letting other threads run, and a long one takes 25 ms.
        encodings = self._tokenizer.encode_batch([part.clean for part in parts], add_special_tokens=False)
        lengths = [len(encoding) for encoding in encodings]
        sizes = pair_sizes(lengths[0], lengths[1], budget) if len(parts) > 1 else (budget,)
        cuts = [stretches(length, size) for length, size in zip(lengths, sizes, strict=True)]
        kept = [ends(cut, self.spec.windows) for cut in cuts]
        ids = [encoding.ids for encoding in encodings]
        places = [
            part.written(_characters(encoding, spans), self.spec.normalization)
            for part, encoding, spans in zip(parts, encodings, kept, strict=True)
        ]
        windows = []
        for row in range(max(map(len, kept))):
            # The last stretch of the shorter part goes with all that are left of the longer one.
            at = [min(row, len(spans) - 1) for spans in kept]
            window = [part[slice(*spans[index])] for part, spans, index in zip(ids, kept, at, strict=True)]
            texts, image_texts = zip(*(place[index] for place, index in zip(places, at, strict=True)), strict=True)
            windows.append(Window(_framed(frame, window), _first(texts), _first(image_texts)))
        return Tokens(tuple(windows), any(part.cut for part in parts) or kept != cuts)


def _joined(parts: Sequence[_Part]) -> str:
    return " ".join(part.raw for part in parts)


def _divided(place: Span | None, joint: int) -> tuple[Span | None, Span | None]:
    """Returns which part of a place lies before the joint, and which behind it, from there on."""
    if place is None:
        return None, None
    start, stop = place
    # A space stands before the words of the image.
    text = (start, stop if stop <= joint else joint - 1) if start < joint else None
    return text, (max(start - joint, 0), stop - joint) if stop > joint else None


def _lexicon(tokenizer: Tokenizer) -> Lexicon | None:
    """Returns the words of a tokenizer; None where it has too few to tell a word from letters."""
    resources = files("crossguard") / "resources"
    slang, starred = ((resources / f"{name}.txt").read_text(encoding="utf-8").split() for name in ("words", "starred"))
    lexicon = Lexicon(tokenizer.get_vocab(), slang, starred)
    return lexicon if len(lexicon) > len(slang) + len(starred) + FEWEST_WORDS else None


def _frame(tokenizer: Tokenizer, parts: int) -> list[tuple[int, ...]]:
    """Returns the special tokens before, between and behind one sequence or two, as the tokenizer places them."""
    encoding = tokenizer.encode("a") if parts == 1 else tokenizer.encode("a", "a")
    around: list[list[int]] = [[]]
    for id_, sequence in zip(encoding.ids, encoding.sequence_ids, strict=True):
        if sequence is None:
            around[-1].append(id_)
        elif len(around) == sequence + 1:
            around.append([])
    return [tuple(ids) for ids in around]


def _framed(frame: Sequence[tuple[int, ...]], ids: Sequence[list[int]]) -> tuple[int, ...]:
    whole = list(frame[0])
    for part, after in zip(ids, frame[1:], strict=True):
        whole.extend((*part, *after))
    return tuple(whole)


def _characters(encoding: Encoding, spans: Sequence[Span]) -> list[Span]:
    """Returns the characters of stretches of tokens."""
    # One by one: `offsets` of all tokens would take milliseconds for a long text.
    return [
        (_place(encoding, start)[0], _place(encoding, stop - 1)[1]) if start < stop else (0, 0) for start, stop in spans
    ]


def _place(encoding: Encoding, token: int) -> Span:
    return encoding.token_to_chars(token) or (0, 0)


def _first(spans: Sequence[Span | None]) -> Span | None:
    return next((span for span in spans if span is not None), None)


def pad(rows: list[tuple[int, ...]], spec: TextSpec, multiple: int = 1) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pads token ids to one length, a multiple of `multiple` where the model knows that many tokens.

    Returns:
        ids and mask, int64, (rows, length); length 0 rows are not allowed.
    """
    length = spec.max_length if spec.padding == "max_length" else max((len(row) for row in rows), default=0)
    length = min(-(-length // multiple) * multiple, max(length, spec.max_length))
    ids = np.full((len(rows), length), spec.pad_id, dtype=np.int64)
    mask = np.zeros((len(rows), length), dtype=np.int64)
    for index, row in enumerate(rows):
        ids[index, : len(row)] = row
        mask[index, : len(row)] = 1
    return ids, mask
