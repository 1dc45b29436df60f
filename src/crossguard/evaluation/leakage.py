"""Notices posts that a model has met before: in its training data, or where its thresholds were fitted."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections import defaultdict
from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crossguard.bundle import PROVENANCE, sha256
from crossguard.data.datasets.rows import letters
from crossguard.evaluation.estimates import Estimate
from crossguard.likeness import Likeness
from crossguard.records import Post

SKETCH_SIZE = 256
NOTABLE = 0.005
"""A few common phrases are in any two tables; a warning needs more than that, beyond chance."""
MOST_COMPARED = 30
"""Of the training posts that share a band with a post, so many are compared with it."""


def duplicate_groups(posts: Sequence[Post]) -> NDArray[np.int64]:
    """Returns a number per post, (n,), that posts with the same words share, or without words with the same image."""
    contents = [_content(post) or f"#{place}" for place, post in enumerate(posts)]
    # NumPy's arrays of text take for every post as much memory as the longest one needs.
    numbers = {content: number for number, content in enumerate(sorted(set(contents)))}
    return np.array([numbers[content] for content in contents], dtype=np.int64)


def group_number(post: Post, place: str) -> int:
    """Returns a number, 0 to 2**63 - 1, that posts with the same words share, or without words with the same image.

    A post with neither has a number of its own, that of its place.
    """
    content = _content(post) or f"#{place}"
    return int.from_bytes(hashlib.blake2b(content.encode("utf-8", "replace"), digest_size=8).digest(), "big") >> 1


def numbered(keys: Iterable[Hashable]) -> NDArray[np.int64]:
    """Returns a number per key, (n,), that equal ones share: from 0 on, in the order of the first ones."""
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], dtype=np.int64)


def keys_of(contents: Iterable[str], sources: Iterable[str], ids: Iterable[str]) -> Iterator[str]:
    """Yields what tells posts apart by their `post_hash`: that, or source and id of those of which it is empty."""
    for content, source, id_ in zip(contents, sources, ids, strict=True):
        yield content or f"{source}\n{id_}"


def sketch(posts: Iterable[Post]) -> list[str]:
    """Returns a fingerprint of a set of posts: the smallest of their hashes (a bottom-k sketch, Broder 1997).

    Small enough to travel with a policy, it tells later how many posts of another table are among these.
    """
    return sorted(set(hashes(posts)))[:SKETCH_SIZE]


def joined_fingerprints(entries: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Returns one `name` and `sketch` for each name, of all posts under it together."""
    sketches: dict[str, list[str]] = {}
    for entry in entries:
        # The smallest hashes of two sketches are the smallest of both sets together.
        sketches[entry["name"]] = sorted({*sketches.get(entry["name"], ()), *entry["sketch"]})[:SKETCH_SIZE]
    return [{"name": name, "sketch": known} for name, known in sketches.items()]


def stored_fingerprints(run: Path, part: str) -> list[dict[str, Any]]:
    """Returns what a run, or a bundle beside weights, says of its posts; `part` is `trained_on` or `measured_on`."""
    path = run / PROVENANCE
    stored = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    if "model" not in stored:
        return list(stored.get(part, ()))
    # The bundle says the same of them in its own words.
    told = {"trained_on": stored["model"], "measured_on": stored.get("policies", {}).get("default", {})}
    return list(told[part].get("fitted_on", ()))


@dataclass(frozen=True, slots=True)
class Overlap:
    """How many of some posts a fingerprinted set contains, as far as its sketch can tell."""

    tested: int  # posts whose hash lies in the range that the sketch covers; all of them where the sketch is complete
    seen: int  # of those, the posts that are in the set
    share: float  # `seen / tested`, an unbiased estimate for all the posts; 0 where none could be tested
    low: float  # lower end of its 95 % Wilson interval


def overlap(fingerprint: Sequence[str], hashed: Iterable[str]) -> Overlap:
    """Estimates which share of posts, given by their hashes, is in the set that the fingerprint was made of.

    A full sketch holds every hash of the set up to its largest one. So of the posts with a hash in that range, which
    are a random part of all posts, it is known for each whether the set contains it.
    """
    known = set(fingerprint)
    complete = len(fingerprint) < SKETCH_SIZE
    inside = [entry for entry in hashed if complete or entry <= fingerprint[-1]] if known else []
    if not inside:
        return Overlap(0, 0, 0.0, 0.0)
    seen = sum(entry in known for entry in inside)
    share = seen / len(inside)
    low = share if complete else Estimate.share(seen, len(inside)).low or 0.0
    return Overlap(len(inside), seen, share, low)


def overlaps(
    entries: Sequence[Mapping[str, Any]], posts: Iterable[Post]
) -> Iterator[tuple[Mapping[str, Any], Overlap]]:
    """Yields each fingerprint, by its `sketch`, of a set that contains notably many of these posts."""
    hashed = hashes(posts) if entries else []
    for entry in entries:
        found = overlap(entry.get("sketch", ()), hashed)
        if found.low >= NOTABLE:
            yield entry, found


def leaks(provenance: Mapping[str, Any], posts: Sequence[Post]) -> list[str]:
    """Returns a sentence for each part of these posts that something was fitted on, by sketches under `fitted_on`."""
    told = []
    for entry, found in overlaps(provenance.get("fitted_on", ()), posts):
        tested = "" if found.tested == len(posts) else f" ({found.seen} of the {found.tested} that can be told)"
        told.append(
            f"FITTED ON THESE POSTS: {'about ' if tested else ''}{found.share:.0%} of the evaluated posts{tested} are "
            f"in '{entry.get('name', 'the data')}', on which {_what(entry)} were fitted."
        )
    return told


def _what(entry: Mapping[str, Any]) -> str:
    labels = ", ".join(map(str, entry.get("labels", ())))
    return str(entry.get("what", "thresholds and calibration")) + (f" of {labels}" if labels else "")


def near_duplicates(posts: Sequence[Post], training: Sequence[Post]) -> NDArray[np.bool_]:
    """Finds posts whose letters and digits (nearly) occur in the training data; images are not compared.

    Returns:
        bool, (n,), True for a near-duplicate. Posts without words are never one.
    """
    known = {like.words: like for post in training if (like := _likeness(post))}
    of_band: dict[int, list[Likeness]] = defaultdict(list)
    for like in known.values():
        for band in like.bands:
            of_band[band].append(like)
    return np.array([_is_near(_likeness(post), known, of_band) for post in posts], dtype=np.bool_)


def _is_near(post: Likeness | None, known: Collection[str], of_band: Mapping[int, Sequence[Likeness]]) -> bool:
    if post is None or post.words in known:
        return post is not None
    # A band that few posts share tells most; those of a common phrase may be in every post.
    rarest_first = sorted((of_band.get(band, ()) for band in post.bands), key=len)
    candidates = dict.fromkeys(itertools.islice(itertools.chain(*rarest_first), MOST_COMPARED))
    return any(post.near(other) for other in candidates)


def _likeness(post: Post) -> Likeness | None:
    key = letters(post.text, post.image_text)
    return Likeness(key) if key else None


def _content(post: Post) -> str:
    """Returns what makes a post the same as another: its words, else its image, else its signs; empty without any.

    Never its id, which in tables without ids is the number of its line.
    """
    signs = f"{post.text} {post.image_text}".strip()
    return letters(post.text, post.image_text) or _image_key(post) or signs


def _image_key(post: Post) -> str:
    image = post.image
    if isinstance(image, bytes):
        return f"image:{hashlib.sha256(image).hexdigest()}"
    if isinstance(image, str | Path):
        with suppress(OSError, ValueError):  # it is missing, or a URL
            return f"image:{sha256(Path(image))}"
    return ""


def hashes(posts: Iterable[Post]) -> list[str]:
    """Returns a hash of each post that can be told from others."""
    return [known for post in posts if (known := post_hash(post))]


def post_hash(post: Post) -> str:
    """Returns a hash that posts with the same words share, or without words with the same image; empty without both."""
    content = _content(post).encode("utf-8", "replace")
    return hashlib.sha256(content).hexdigest()[:12] if content else ""


def is_another(known: str, post: Post) -> bool:
    """Whether a stored `post_hash` is known to be that of another post than this one.

    Of a post without letters nothing is known where its image, or that of the other one, is not at hand.
    """
    if letters(post.text, post.image_text):
        return known != post_hash(post)
    return bool(known and _image_key(post)) and known != post_hash(post)
