from __future__ import annotations

import tracemalloc
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from crossguard.evaluation.leakage import MOST_COMPARED, duplicate_groups, hashes, near_duplicates, overlap, sketch
from crossguard.likeness import Likeness
from crossguard.records import Post

WORDS = "the quick brown fox jumps over the lazy dog while seven wizards brew a potion of purple plums"


def posts(count: int, start: int = 0) -> list[Post]:
    return [Post(str(i), f"{i} bottles and {i * 7919 % 104729} cans") for i in range(start, start + count)]


def test_a_sketch_tells_how_many_of_its_posts_are_in_a_table() -> None:
    fingerprint = sketch(posts(2000))
    assert len(fingerprint) == 256
    assert overlap(fingerprint, hashes(posts(2000))).share == 1.0
    assert overlap(fingerprint, hashes(posts(1000, start=5000))).share == 0.0
    assert overlap([], hashes(posts(1))).share == 0.0


def test_the_share_is_that_of_the_evaluated_posts() -> None:
    fingerprint = sketch(posts(2000))
    assert overlap(fingerprint, hashes(posts(160))).share == 1.0, "8 % of the set, and every evaluated post"
    half = overlap(fingerprint, hashes([*posts(1000), *posts(1000, start=5000)]))
    assert abs(half.share - 0.5) < 0.1
    assert half.low < 0.5
    small = overlap(sketch(posts(50)), hashes(posts(200)))
    assert (small.tested, small.seen, small.low) == (200, 50, 0.25)


def test_ids_do_not_hide_a_post_that_was_seen() -> None:
    again = Post("b", "same WORDS! https://t.co/x @you")
    assert overlap(sketch([Post("a", "Same words")]), hashes([again])).share == 1.0


def test_posts_that_differ_in_vowel_signs_are_others_and_so_are_links() -> None:
    others = [
        Post("1", "\u0e21\u0e32"),
        Post("2", "\u0e21\u0e35"),
        Post("3", "https://t.co/a"),
        Post("4", "https://t.co/b"),
    ]
    assert len(set(duplicate_groups(others))) == 4


def test_small_changes_stay_duplicates_and_other_texts_do_not() -> None:
    training = [Post("1", WORDS), *posts(300)]
    asked = [
        Post("exact", f"RT @someone {WORDS.upper()}!!"),
        Post("one word more", f"{WORDS} again"),
        Post("other", "nothing of this was ever said in the training data, not even closely"),
        Post("no words"),
    ]
    assert near_duplicates(asked, training).tolist() == [True, True, False, False]


def test_posts_of_one_template_take_few_comparisons_and_hide_no_duplicate(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    ends = ["".join(rng.choice(list("abcdefghijklmnopqrstuvwxyz"), 22)) for _ in range(300)]
    training = [
        Post(str(i), f"a phrase that very many posts begin with, word for word, {end}") for i, end in enumerate(ends)
    ]
    asked = [
        *(Post(post.id, f"{post.text[:-22]}{post.text[-22:][::-1]}") for post in training),
        Post("new", f"{training[200].text}s"),
    ]
    compared = Counter[str]()
    near = Likeness.near

    def counted(one: Likeness, other: Likeness) -> bool:
        compared[one.words] += 1
        return near(one, other)

    monkeypatch.setattr(Likeness, "near", counted)
    assert near_duplicates(asked, training).tolist() == [False] * 300 + [True]
    assert max(compared.values()) <= MOST_COMPARED


def test_pictures_without_words_are_no_duplicates_of_each_other() -> None:
    assert near_duplicates([Post("1", image="a.png")], [Post("2", image="b.png")]).tolist() == [False]


def test_posts_with_the_same_words_are_one_group_and_posts_without_words_none() -> None:
    posts = [Post("1", "Hello you!"), Post("2", "other"), Post("3", "@them hello YOU"), Post("4"), Post("5")]
    groups = duplicate_groups(posts).tolist()
    assert groups[0] == groups[2]
    assert len(set(groups)) == 4


def test_posts_without_letters_are_known_by_their_image_or_signs_and_never_by_their_ids(tmp_path: Path) -> None:
    for name, content in (("a.png", b"one"), ("b.png", b"two"), ("c.png", b"one")):
        (tmp_path / name).write_bytes(content)
    first, second, copy = (Post("line-2", image=tmp_path / f"{name}.png") for name in "abc")
    missing = Post("line-2", image="https://a.example/x.png")
    assert overlap(sketch([first]), hashes([second, missing])).share == 0
    assert overlap(sketch([first]), hashes([replace(copy, id="9"), second])).share == 0.5
    assert overlap(sketch([replace(first, image=b"one")]), hashes([first])).share == 1
    signs = [Post("1", "\U0001f622"), Post("2", "\U0001f600")]
    assert overlap(sketch([Post("1", "\U0001f600")]), hashes(signs)).share == 0.5
    assert len(set(duplicate_groups([first, second, copy, missing, missing]))) == 4


def test_one_long_post_costs_memory_once() -> None:
    table = [*posts(2000), Post("long", "word " * 20_000)]
    tracemalloc.start()
    groups = duplicate_groups(table)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(set(groups)) == 2001
    assert most < 10_000_000
