"""Examples: posts and their targets as arrays."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from crossguard.data.datasets.rows import Row, write_table
from crossguard.training import examples as module
from crossguard.training.examples import Examples, HeldOut, folds, gather
from crossguard.training.recipe import Recipe
from crossguard.training.sources import read_examples


def examples(*posts: tuple[str, Path | None]) -> Examples:
    """Returns posts of these texts and images, whose ids are their places."""
    texts, images = [text for text, _ in posts], ["" if image is None else str(image) for _, image in posts]
    columns = {"id": [str(place) for place in range(len(posts))], "text": texts, "image_text": [""] * len(posts)}
    table = pa.table({**columns, "image": images, "source": ["t"] * len(posts)})
    column = np.zeros((len(posts), 1), dtype=np.float32)
    return Examples(table, column, column, column + 1, column[:, 0] + 1)


def image(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("mapped", [True, False])
def test_parts_are_gathered_whether_a_file_may_be_opened_twice_or_not(
    mapped: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAPPED", mapped)
    whole = gather([examples(("a", None), ("b", None)), examples(("c", None))])
    assert whole.posts["text"].to_pylist() == ["a", "b", "c"]
    assert whole.weights.shape == (3, 1)


def test_a_fingerprint_follows_the_posts_and_their_targets(tmp_path: Path) -> None:
    def fingerprint(text: str, share: float, folder: str) -> str:
        path = tmp_path / folder / "t.parquet"
        write_table([Row("a", text, labels={"racist": share})], ("racist",), "t", path)
        return read_examples(Recipe(labels=("racist",), aggregation="votes"), path)[0].fingerprint({})

    first = fingerprint("one", 0.5, "here")
    assert fingerprint("one", 0.5, "there") == first
    assert len({first, fingerprint("two", 0.5, "here"), fingerprint("one", 0.6, "here")}) == 3


def test_a_fingerprint_follows_the_images_and_not_their_folder() -> None:
    def fingerprint(path: str, content: str = "") -> str:
        return examples(("words", Path(path))).fingerprint({Path(path): content} if content else {})

    first = fingerprint("here/a.png", "one")
    assert fingerprint("s3:/bucket/a.png", "one") == first
    assert (
        len({first, fingerprint("here/a.png", "two"), fingerprint("here/b.png", "one"), fingerprint("here/a.png")}) == 4
    )


def test_memes_that_share_a_caption_alone_are_no_copies(tmp_path: Path) -> None:
    first, copy = image(tmp_path / "first.png", b"one"), image(tmp_path / "copy.png", b"one")
    other, gone = image(tmp_path / "other.png", b"two"), tmp_path / "gone.png"
    held_out = HeldOut(examples(("A caption!", first), ("words", None), ("", other)))
    trained = examples(
        ("a caption", other),
        ("a caption", copy),
        ("a caption", gone),
        ("a caption", None),
        ("Words", other),
        ("", first),
    )
    assert held_out.without_copies(trained).ids == ["0", "2", "5"]
    assert held_out.copies == 3


def test_memes_compressed_anew_with_the_words_of_a_held_out_one_are_copies(tmp_path: Path) -> None:
    def drawn(name: str, seed: int, size: int) -> Path:
        pixels = np.random.default_rng(seed).integers(0, 256, size=(6, 6, 3)).astype(np.uint8)
        Image.fromarray(pixels).resize((size, size)).save(tmp_path / name)
        return tmp_path / name

    first, copy, other = drawn("first.png", 1, 60), drawn("copy.jpg", 1, 47), drawn("other.jpg", 2, 47)
    held_out = HeldOut(examples(("a caption", first), ("a caption", image(tmp_path / "broken.png", b"no image"))))
    trained = examples(("A caption!", copy), ("A caption!", other), ("", copy), ("others", copy))
    assert held_out.without_copies(trained).ids == ["1", "2", "3"]


def test_copies_of_an_image_without_words_stay_out_of_training(tmp_path: Path) -> None:
    first, copy = image(tmp_path / "1.png", b"one"), image(tmp_path / "copy.png", b"one")
    other, larger = image(tmp_path / "other.png", b"two"), image(tmp_path / "larger.png", b"three")
    stored, same_name = Path("s3:/bucket/val/1.png"), Path("s3:/bucket/train/1.png")
    held_out = HeldOut(examples(("", first), ("\N{ANGRY FACE}", None), ("", stored), ("words", larger)))
    trained = examples(
        *(("", path) for path in (copy, other, larger, stored, same_name)),
        ("\N{WINKING FACE} @them", copy),
        ("\N{ANGRY FACE}", copy),
        ("\N{ANGRY FACE}", other),
        ("words", copy),
    )
    assert held_out.without_copies(trained).ids == ["1", "2", "4", "7", "8"]


def test_copies_of_a_tweet_that_differ_in_links_and_mentions_stay_out_of_training_and_in_one_fold() -> None:
    held_out = HeldOut(
        examples(("a joke https://t.co/one", None), ("https://t.co/two", None), ("\N{ANGRY FACE}", None))
    )
    copies = ("A joke! https://t.co/other", None), ("RT @them: a joke", None)
    trained = examples(*copies, ("https://t.co/two", None), ("https://t.co/new", None), ("\N{WINKING FACE}", None))
    assert held_out.without_copies(trained).ids == ["3", "4"]
    assert len(set(folds(examples(*copies, *copies), 1000).tolist())) == 1
    links = folds(examples(*((f"https://t.co/{place}", None) for place in range(40))), 4)
    assert set(links.tolist()) == {0, 1, 2, 3}


def test_posts_without_letters_are_shared_out_over_the_folds(tmp_path: Path) -> None:
    images = [image(tmp_path / f"{place}.png", bytes([place])) for place in range(40)]
    copies = [image(tmp_path / f"{place}-copy.png", bytes([place])) for place in range(40)]
    shown = folds(examples(*(("", path) for path in images)), 4)
    assert set(shown.tolist()) == {0, 1, 2, 3}
    np.testing.assert_array_equal(folds(examples(*(("!", path) for path in copies)), 4), shown)
    signs = folds(examples(*(("\N{ANGRY FACE}" * (1 + place % 20), None) for place in range(40))), 4)
    assert len(set(signs.tolist())) > 1
    np.testing.assert_array_equal(signs[:20], signs[20:])


def test_the_fold_of_a_post_with_letters_hangs_on_them_alone(tmp_path: Path) -> None:
    expected = [int(hashlib.sha256(key.encode()).hexdigest()[:12], 16) % 5 for key in ("somewords", "somewords", "x1")]
    posts = examples(("Some words!", None), ("some WORDS", image(tmp_path / "a.png", b"a")), ("x-1", None))
    assert folds(posts, 5).tolist() == expected
