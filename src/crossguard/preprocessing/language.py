"""Which language a text is in, as far as it tells: a model's scores mean little in one that it was not trained on.

The classifier is py3langid's (after Lui and Baldwin, ACL 2012), which needs a tenth of a millisecond. Most texts in
English are told by their function words in a few microseconds, so that it is not even loaded.
"""

from __future__ import annotations

import io
import re
import unicodedata
from collections.abc import Collection
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from crossguard.cache import cache_folder, keep
from crossguard.preprocessing.normalization import BLOCK_TAG, INLINE_TAG, MENTION, RETWEET, URL, WISH, as_shown, visible

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

UNDETERMINED: Final = "und"
# What is read of a text; more changes nothing.
MOST_CHARACTERS: Final = 1000
# With the signs for vowels of Hebrew, Arabic and the scripts of South and South-East Asia, no letters to `re`.
WORD: Final = re.compile(r"(?:[^\W\d_][\u0591-\u05c7\u064b-\u065f\u0900-\u0e4e]*)+(?:['\u2019][^\W\d_]+)*")
LATIN: Final = re.compile(r"[A-Za-z\u00c0-\u024f]")
# Shorter texts are called by any name; a word of another script says more.
FEWEST_LATIN_LETTERS: Final = 16
FEWEST_LETTERS: Final = 5
MANY_LATIN: Final = re.compile(rf"(?:[^{LATIN.pattern[1:-1]}]*+{LATIN.pattern}){{{FEWEST_LATIN_LETTERS}}}")
SURE: Final = 0.5  # among languages in Latin letters; those of another script are at least not one of these
# Nothing linguistic, and Nigerian Pidgin, which slang is taken for.
NO_LANGUAGE: Final = frozenset({"zxx", "pcm"})
# Words that no language but English has so often; where every sixth word is one, and two are, the text is in English.
OFTEN_IN_ENGLISH: Final = (
    "the and you your you're they their this that these those with have has had what when who why because from just "
    "don't can't isn't didn't doesn't it's i'm i've would could should will been being were about there here his her "
    "she him them know think people like not but out get got all how some than then into only our we're ain't"
)
ENGLISH: Final = frozenset(OFTEN_IN_ENGLISH.split())
TABLES: Final = ("scores", "prior", "codes", "moves", "rows", "output")
FEWEST_ENGLISH: Final = 2
EVERY: Final = 6


def language_of(text: str, known: Collection[str] = ()) -> str:
    """Returns the ISO 639 code of the language of a text, or `und`.

    Args:
        text: As it was written; links and mentions do not count.
        known: Languages of the model, which spares the classifier where English is one.

    Returns:
        `und` for a text of few letters, and where the classifier is not sure; in another script the likeliest one.
    """
    text = WISH.sub(" ", as_shown(text[:MOST_CHARACTERS]))
    text = unicodedata.normalize("NFKC", text)  # full-width letters are Latin ones
    text = BLOCK_TAG.sub(" ", INLINE_TAG.sub("", text))
    text = MENTION.sub(" ", URL.sub(" ", RETWEET.sub("", text)))
    words = WORD.findall(visible(text))  # last, since what cannot be seen ends links
    if "en" in known and _is_english(words):
        return "en"
    # The classifier counts, and "die die die" is no more German or Afrikaans than "die". Another script tells enough.
    words = [
        word
        for word, before in zip(words, ["", *words], strict=False)
        if not LATIN.search(word) or word.lower() != before.lower()
    ]
    letters = " ".join(words)
    latin = len(LATIN.findall(letters))
    if not MANY_LATIN.match(letters) and sum(map(len, words)) - latin < FEWEST_LETTERS:
        return UNDETERMINED
    language, probability = classifier().classify(letters)
    return UNDETERMINED if (latin and probability < SURE) or language in NO_LANGUAGE else language


def _is_english(words: list[str]) -> bool:
    hits = sum(word.lower() in ENGLISH for word in words)
    return hits >= FEWEST_ENGLISH and hits * EVERY >= len(words)


@cache
def classifier() -> LanguageIdentifier:
    """Loads the classifier, once per process.

    Unpacking its 70 MB of tables takes most of a second, and each process would hold them. They are kept unpacked in
    the cache and mapped from there, so that processes share what they touch of them, which is little.
    """
    from py3langid.langid import MODEL_DIR, MODEL_FILE, LanguageIdentifier
    from py3langid.modelio import load_model

    tables = _mapped()
    if tables is None:
        scores, prior, codes, moves, rows, output = load_model(MODEL_DIR / MODEL_FILE)
        tables = dict(zip(TABLES, map(np.asarray, (scores, prior, codes, moves, rows, output)), strict=True))
        for name, table in tables.items():
            buffer = io.BytesIO()
            np.save(buffer, table, allow_pickle=False)
            keep(_file(name), buffer.getvalue())
        tables = _mapped() or tables
    # Memory views give Python's own integers, several times as fast as NumPy's.
    return LanguageIdentifier(
        np.asarray(tables["scores"]),  # still mapped; an array that knows so is slower in every step
        np.array(tables["prior"]),
        tables["codes"].tolist(),
        tables["moves"].data,
        tables["output"].tolist(),
        norm_probs=True,
        tk_row=tables["rows"].data,
    )


def _file(table: str) -> Path:
    return cache_folder() / "languages" / f"py3langid-{version('py3langid')}.{table}.npy"


def _mapped() -> dict[str, NDArray[Any]] | None:
    try:
        return {name: np.load(_file(name), mmap_mode="r") for name in TABLES}
    except (OSError, ValueError, EOFError):  # not kept yet, or broken
        return None
