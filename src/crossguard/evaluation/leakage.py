"""Notices posts that a model has met before: in its training data, or where its thresholds were fitted."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crossguard.evaluation.estimates import Estimate
from crossguard.records import Post

SKETCH_SIZE = 256
# Words of three letters share most 5-character pieces by chance; above this, texts read as the same.
SIMILAR = 0.7
_PIECE = 5
_BANDS, _ROWS = 16, 4
_PRIME = (1 << 31) - 1
_NOISE = re.compile(r"https?://\S+|\bt\.co/\S+|@\w+|\brt\b")
_MARKS = re.compile(r"[\W_]+")


def text_key(post: Post) -> str:
    """Returns the letters and digits of a post's words, without links, mentions and case."""
    return _MARKS.sub("", _NOISE.sub("", f"{post.text} {post.image_text}".lower()))


def duplicate_groups(posts: Sequence[Post]) -> NDArray[np.int64]:
    """Returns a number per post, (n,), that posts with the same words share."""
    return np.unique([_content(post) for post in posts], return_inverse=True)[1]


def sketch(posts: Iterable[Post]) -> list[str]:
    """Returns a fingerprint of a set of posts: the smallest of their hashes (a bottom-k sketch, Broder 1997).

    Small enough to travel with a policy, it tells later how many posts of another table are among these.
    """
    return sorted({_hash(post) for post in posts})[:SKETCH_SIZE]


def joined_sketch(one: Sequence[str], other: Sequence[str]) -> list[str]:
    """Returns the sketch of two sets together, by theirs."""
    return sorted({*one, *other})[:SKETCH_SIZE]


@dataclass(frozen=True, slots=True)
class Overlap:
    """How many of some posts a fingerprinted set contains, as far as its sketch can tell.

    Attributes:
        tested: Posts whose hash lies in the range that the sketch covers; all of them where the sketch is complete.
        seen: Of those, the posts that are in the set.
        share: `seen / tested`, an unbiased estimate for all the posts; 0 where none could be tested.
        low: Lower end of its 95 % Wilson interval.
    """

    tested: int
    seen: int
    share: float
    low: float


def overlap(fingerprint: Sequence[str], posts: Iterable[Post]) -> Overlap:
    """Estimates which share of these posts is in the set that the fingerprint was made of.

    A full sketch holds every hash of the set up to its largest one. So of the posts with a hash in that range, which
    are a random part of all posts, it is known for each whether the set contains it.
    """
    known = set(fingerprint)
    complete = len(fingerprint) < SKETCH_SIZE
    hashes = [_hash(post) for post in posts]
    inside = [entry for entry in hashes if complete or entry <= fingerprint[-1]] if known else []
    if not inside:
        return Overlap(0, 0, 0.0, 0.0)
    seen = sum(entry in known for entry in inside)
    if complete:
        return Overlap(len(inside), seen, seen / len(inside), seen / len(inside))
    return Overlap(len(inside), seen, seen / len(inside), Estimate.share(seen, len(inside)).low or 0.0)


def near_duplicates(posts: Sequence[Post], training: Sequence[Post]) -> NDArray[np.bool_]:
    """Finds posts whose words (nearly) occur in the training data.

    Texts with the same letters and digits, or with a Jaccard similarity of their 5-character pieces of at least 0.7,
    found by MinHash with banding (Broder 1997; Leskovec et al. 2014, chapter 3). Images are not compared. Ours, as
    datasketch would be a dependency for thirty lines.

    Returns:
        bool, (n,), True for a near-duplicate. Posts without words are never one.
    """
    keys, known = [text_key(post) for post in posts], sorted({text_key(post) for post in training} - {""})
    exact = set(known)
    result = np.array([key in exact for key in keys], dtype=np.bool_)
    open_ = [index for index, key in enumerate(keys) if key and not result[index]]
    if not open_ or not known:
        return result
    buckets: dict[bytes, list[int]] = {}
    for index, bands in enumerate(_bands(known)):
        for band in bands:
            buckets.setdefault(band, []).append(index)
    for index, bands in zip(open_, _bands([keys[i] for i in open_]), strict=True):
        candidates = {other for band in bands for other in buckets.get(band, ())}
        pieces = _pieces(keys[index])
        result[index] = any(_jaccard(pieces, _pieces(known[other])) >= SIMILAR for other in candidates)
    return result


def _content(post: Post) -> str:
    return text_key(post) or f"id:{post.id}"


def _hash(post: Post) -> str:
    return hashlib.sha256(_content(post).encode()).hexdigest()[:12]


def _pieces(key: str) -> set[str]:
    return {key[i : i + _PIECE] for i in range(max(1, len(key) - _PIECE + 1))}


def _jaccard(one: set[str], other: set[str]) -> float:
    return len(one & other) / len(one | other)


def _bands(keys: Sequence[str]) -> list[list[bytes]]:
    """Returns the band hashes of each text; similar texts are likely to share one."""
    random = np.random.default_rng(0)
    factor, offset = random.integers(1, _PRIME, size=(2, _BANDS * _ROWS, 1))
    result = []
    for key in keys:
        codes = np.frombuffer(key.encode("utf-32-le"), dtype=np.uint32).astype(np.int64)
        windows = np.lib.stride_tricks.sliding_window_view(np.pad(codes, (0, max(0, _PIECE - len(codes)))), _PIECE)
        hashes = windows @ np.array([1, 1_000_003, 10_007, 65_537, 257]) % _PRIME
        smallest = ((factor * hashes + offset) % _PRIME).min(axis=1).reshape(_BANDS, _ROWS)
        result.append([bytes([band]) + row.tobytes() for band, row in enumerate(smallest)])
    return result
