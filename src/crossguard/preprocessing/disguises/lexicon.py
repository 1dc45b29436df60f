"""The words that a tokenizer knows, most frequent first: what a disguised word can have been."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from itertools import islice, product
from typing import Final

WORD: Final = re.compile(r"[a-z]+")
VOWELS: Final = re.compile("[aeiou]")
LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"
ENDINGS: Final = ("s", "es", "ed", "d", "ing", "er", "ers", "ly", "y")
LAST_OF_ENDINGS: Final = frozenset(end[-1] for end in ENDINGS)
FORMS: Final = ("s", "d", "ed", "ing", "r")
# Single letters that are words; every other one has a place in the vocabulary, too.
SINGLE: Final = frozenset("aiu")
# Of tokens that begin or end a word.
MARKS: Final = ("</w>", "\u2581", "\u0120")
LONGEST: Final = 24
# Longer ones are not looked up: correcting a word tries some thirty others per letter, and costs are remembered.
MOST_LETTERS: Final = 2 * LONGEST
# Letters by which it is told whether a word may begin. A stem that is inflected has one less at least.
HEAD: Final = 4
# Unknown letters cost more than any word, so that a text is only split where words are found.
UNKNOWN: Final = 14.0
SLANG_RANK: Final = 4000
COMMON_RANK: Final = 600


class Lexicon:
    """Known words with their cost, the negative logarithm of a frequency that Zipf's law gives to their rank.

    Args:
        vocabulary: Token to id; whole words are those that a WordPiece, BPE or Unigram tokenizer marks as such, and ids
            grow as frequency falls.
        slang: Words that it lacks, of which all are taken to be as frequent as the `SLANG_RANK`-th.
        starred: Words of which people hide letters, the likelier ones first; they are known, too, and come
            before slang.

    Attributes:
        starred: Those words.
    """

    def __init__(self, vocabulary: Mapping[str, int], slang: Iterable[str] = (), starred: Sequence[str] = ()) -> None:
        ranked = _whole_words(sorted(vocabulary, key=vocabulary.__getitem__))
        scale = math.log(len(ranked) + 2)
        self._costs: dict[str, float] = {}
        for rank, word in enumerate(ranked, start=1):
            if len(word) > 1 or word in SINGLE:
                self._costs.setdefault(word, math.log(rank * scale))
        self._scale = scale
        for rank, words in ((SLANG_RANK - 1, starred), (SLANG_RANK, slang)):
            for word in words:
                self._costs.setdefault(word, math.log(rank * scale))
        self.starred = frozenset(starred)
        self._hidden = {size: [word for word in starred if len(word) == size] for size in set(map(len, starred))}
        self._longest = min(LONGEST, max(map(len, self._costs), default=0))

        self._cost = lru_cache(maxsize=16_384)(self._find_cost)

    def __contains__(self, word: str) -> bool:
        return word in self._costs or (len(word) <= MOST_LETTERS and self._cost(word) is not None)

    def __len__(self) -> int:
        return len(self._costs)

    def _find_cost(self, word: str) -> float | None:
        """Returns what a word costs; an inflected one a little more than its stem."""
        cost = self._costs.get(word)
        if cost is not None:
            return cost
        # Plain loops: correcting one word asks some three hundred times.
        costs, size = self._costs, len(word)
        known = []
        if size > 3:  # noqa: PLR2004
            known = [costs[word + end] for end in FORMS if word + end in costs and _takes(word, end)]
        if word[-1:] in LAST_OF_ENDINGS:
            for end in ENDINGS:
                if size - len(end) > 2 and word.endswith(end):  # noqa: PLR2004
                    stem = word[: -len(end)]
                    cost = costs.get(stem)
                    if cost is not None and _takes(stem, end):
                        known.append(cost)
        return min(known) + 1.0 if known else None

    def common(self, word: str, rank: int = COMMON_RANK) -> bool:
        """Returns whether a word is among the `rank` most frequent ones, so that even a short one is no chance."""
        return self._costs.get(word, UNKNOWN) < math.log(rank * self._scale)

    def known(self, words: Iterable[str]) -> float:
        """Returns which share of the letters stands in known words, in [0, 1]; 1 without letters."""
        found = [(len(word), word in self) for word in words]
        total = sum(length for length, _ in found)
        return sum(length for length, hit in found if hit) / total if total else 1.0

    def best(self, candidates: Iterable[str]) -> str | None:
        """Returns the most frequent known word among the candidates; an inflected one only where there is no other."""
        short = [word for word in candidates if len(word) <= MOST_LETTERS]
        costs = {word: self._costs[word] for word in short if word in self._costs} or {
            word: cost for word in short if (cost := self._cost(word)) is not None
        }
        return min(costs, key=costs.__getitem__) if costs else None

    def split(self, letters: str) -> list[str] | None:
        """Splits letters without spaces into words (Viterbi); None where no more than half of them are in words."""
        # Most places are no beginning of a longer word, which spares trying all its lengths.
        begins = [letters[at : at + HEAD] in self._heads for at in range(len(letters))]
        best: list[tuple[float, int]] = [(0.0, 0)]
        for stop in range(1, len(letters) + 1):
            choices = [(best[stop - 1][0] + UNKNOWN, stop - 1)]
            for start in range(max(0, stop - self._longest), stop):
                if stop - start >= HEAD and not begins[start]:
                    continue
                cost = self._cost(letters[start:stop])
                if cost is not None:
                    choices.append((best[start][0] + cost, start))
            best.append(min(choices))
        words, stop = [], len(letters)
        while stop:
            start = best[stop][1]
            words.append(letters[start:stop])
            stop = start
        words.reverse()
        return words if self.known(words) > 0.5 and len(words) > 1 else None  # noqa: PLR2004

    def _plausible(self, words: Iterable[str]) -> Iterator[str]:
        """Yields the words that begin as known ones do."""
        heads = self._heads
        return (word for word in words if len(word) < HEAD or word[:HEAD] in heads)

    @cached_property
    def _heads(self) -> frozenset[str]:
        """The first letters of all words of so many or more, inflected ones included."""
        heads = {word[:HEAD] for word in self._costs if len(word) >= HEAD}
        heads.update(word + end[0] for word in self._costs if len(word) == HEAD - 1 for end in ENDINGS)
        return frozenset(heads)

    def correct(self, word: str) -> str | None:
        """Returns the known word that one typing error (or shuffled inner letters) turned into this one."""
        if len(word) > MOST_LETTERS:
            return None
        if not VOWELS.search(word[1:-1]) and (full := self._consonants.get(_skeleton(word))):
            return full  # of all letters, vowels are left out most
        errors = (_transposed(word), _inserted(word), _others(word))
        one = next(filter(None, (self.best(self._plausible(words)) for words in errors)), None)
        return one or self._shuffled.get(_outline(word)) or self._consonants.get(_skeleton(word))

    @cached_property
    def _shuffled(self) -> dict[str, str]:
        """The most frequent word of each first letter, last letter, and letters between."""
        return self._index(_outline)

    @cached_property
    def _consonants(self) -> dict[str, str]:
        """The most frequent word of each first letter, last letter, and consonants between."""
        return self._index(_skeleton)

    def _index(self, key: Callable[[str], str]) -> dict[str, str]:
        index: dict[str, str] = {}
        # Of words that are nearly as frequent, those that people hide come first.
        for word in sorted(self._costs, key=lambda word: self._costs[word] - (word in self.starred)):
            index.setdefault(key(word), word)
        return index

    def hidden(self, pattern: str) -> str | None:
        """Returns the likeliest word that people hide and that fits a pattern, with `*` for each unknown letter."""
        same = self._hidden.get(len(pattern), ())
        return next((word for word in same if all(a in ("*", b) for a, b in zip(pattern, word, strict=True))), None)

    def filled(self, pattern: str) -> str | None:
        """Returns the most frequent word that fits a pattern with one unknown letter, `*`."""
        return self.best(pattern.replace("*", letter, 1) for letter in LETTERS)


def _takes(stem: str, end: str) -> bool:
    """Returns whether a word may have an ending: `bake` no `ed`, `see` no second `d`, `jews` no second `s`."""
    if end[0] == "e":
        return stem[-1] != "e"
    return stem[-1] == "e" if end in ("d", "r") else end != "s" or stem[-1] != "s"


def variants(word: str, options: Mapping[str, Sequence[str]], most: int = 64) -> Iterator[str]:
    """Yields the word with each ambiguous character as each of its options, the first ones first."""
    choices = [options.get(character, character) for character in word]
    yield from ("".join(combination) for combination in islice(product(*choices), most))


def _whole_words(tokens: list[str]) -> list[str]:
    """Returns the tokens that are words; some tokenizers mark where one begins or ends."""
    together = "\n".join(tokens)  # one search in place of one per token
    mark = next((mark for mark in MARKS if mark in together), None)
    if mark is not None:
        tokens = [token.replace(mark, "") for token in tokens if mark in token]
    return [word for word in map(str.lower, tokens) if word.isascii() and word.isalpha()]


def _outline(word: str) -> str:
    return f"{word[:1]}{''.join(sorted(word[1:-1]))} {word[-1:]}"


def _skeleton(word: str) -> str:
    return f"{word[:1]}{VOWELS.sub('', word[1:-1])} {word[-1:]}"


def _transposed(word: str) -> Iterator[str]:
    for at in range(len(word) - 1):
        yield word[:at] + word[at + 1] + word[at] + word[at + 2 :]


def _inserted(word: str) -> Iterator[str]:
    """Yields what a letter may have been deleted from."""
    for at in range(1, len(word)):
        for letter in LETTERS:
            yield word[:at] + letter + word[at:]


def _others(word: str) -> Iterator[str]:
    for at in range(len(word)):
        yield word[:at] + word[at + 1 :]
        for letter in LETTERS:
            yield word[:at] + letter + word[at + 1 :]
