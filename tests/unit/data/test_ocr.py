"""The words in images: read for real, remembered by content, and optional."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont
from tests.support.pictures import encoded

from crossguard.cache import keep
from crossguard.data.image_limits import ImageLimits
from crossguard.data.image_sources import read_encoded
from crossguard.data.images import decode, thumbnail
from crossguard.data.ocr import AHEAD, WordReader, _content_key
from crossguard.errors import ImageError, MissingExtraError
from crossguard.machine import available_cores
from crossguard.records import Post


def drawn(*lines: str) -> Image.Image:
    image = Image.new("RGB", (460, 60 * len(lines) + 40), "white")
    for row, line in enumerate(lines):
        ImageDraw.Draw(image).text((20, 20 + 60 * row), line, font=ImageFont.load_default(40), fill="black")
    return image


def png(image: Image.Image) -> bytes:
    return encoded(image, "PNG")


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> WordReader:
    pytest.importorskip("rapidocr", reason="needs crossguard[ocr]")
    return WordReader(tmp_path_factory.mktemp("cache"))


def test_words_are_read_line_by_line(reader: WordReader) -> None:
    assert reader.read(drawn("GOOD MORNING", "dear friends")).splitlines() == ["GOOD MORNING", "dear friends"]


def test_words_of_a_photo_that_is_scored_at_a_smaller_size_are_read(reader: WordReader) -> None:
    """As phones write 48 MP: turned by its EXIF. In full, decoding it would take too much memory."""
    photo = Image.new("RGB", (8064, 6048), "white")
    photo.paste(drawn("GOOD MORNING").resize((4600, 1000)), (1000, 1000))
    photo = photo.rotate(180)
    exif = photo.getexif()
    exif[0x0112] = 3
    turned = encoded(photo, "JPEG", exif=exif)
    with pytest.raises(ImageError, match=r"would take 390,168,576 \(8064 x 6048"):
        decode(turned)
    assert reader.read(turned) == "GOOD MORNING"
    assert thumbnail(turned).startswith("data:image/jpeg;base64,")


def test_no_words(reader: WordReader) -> None:
    assert reader.read(Image.new("RGB", (80, 60), "white")) == ""


def test_words_of_every_sampled_frame_once(reader: WordReader) -> None:
    frames = [drawn("HELLO"), drawn("HELLO"), drawn("WORLD")]
    animation = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=100)
    assert reader.read(animation).splitlines() == ["HELLO", "WORLD"]


def test_same_content_is_read_once(reader: WordReader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = png(drawn("ONCE ONLY"))
    assert reader.read(data) == "ONCE ONLY"
    path = tmp_path / "copy.png"
    path.write_bytes(data)

    def fail(*_: object) -> None:
        raise AssertionError("the engine ran again")

    monkeypatch.setattr(reader, "_lines", fail)
    assert reader.read(path) == "ONCE ONLY"
    pixels = np.asarray(drawn("GOOD MORNING", "dear friends"))
    with pytest.raises(AssertionError, match="ran again"):
        reader.read(pixels)


def test_what_was_read_in_another_way_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("rapidocr", reason="needs crossguard[ocr]")
    monkeypatch.setattr(WordReader, "_lines", lambda *_: ["BETTER"])
    image = png(drawn("WORDS"))
    monkeypatch.setattr("crossguard.data.ocr._READING", 0)
    old = WordReader(tmp_path)
    keep(old._cache / _content_key(image)[:2] / f"{_content_key(image)}.txt", b"BAD")
    assert old.read(image) == "BAD"
    monkeypatch.undo()
    monkeypatch.setattr(WordReader, "_lines", lambda *_: ["BETTER"])
    assert WordReader(tmp_path).read(image) == "BETTER"


def test_cache_that_cannot_be_written_does_not_matter(reader: WordReader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "_cache", Path("/proc/nowhere"))
    assert reader.read(drawn("STILL READ")) == "STILL READ"


def test_posts_are_filled_where_words_are_missing(reader: WordReader) -> None:
    image = png(drawn("WORDS HERE"))
    entries = [
        Post("filled", image=image),
        Post("given", image=image, image_text="kept"),
        Post("text only", text="hello"),
        Post("broken", image=b"no image"),
        Post.failed("line-5", "line_malformed", "Line 5."),
    ]
    filled = list(reader.fill(entries))
    assert filled[0] == Post("filled", image=image, image_text="WORDS HERE")
    assert filled[1:] == entries[1:]


def test_broken_image_is_an_error(reader: WordReader) -> None:
    with pytest.raises(ImageError) as caught:
        reader.read(b"no image")
    assert caught.value.code == "image_not_an_image"


def test_missing_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(__import__("sys").modules, "rapidocr", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'crossguard\[ocr\]'"):
        WordReader(tmp_path)


def test_many_images_are_read_at_once_and_in_order(reader: WordReader) -> None:
    words = ["ONE", "TWO", "THREE", "FOUR", "FIVE", "SIX", "SEVEN", "EIGHT", "NINE", "TEN"]
    filled = list(reader.fill(Post(word, image=png(drawn(word))) for word in words))
    assert [post.image_text for post in filled] == words


def test_few_posts_are_taken_ahead(reader: WordReader) -> None:
    taken = 0

    def endless() -> Iterator[Post]:
        nonlocal taken
        while True:
            taken += 1
            yield Post(str(taken), "no image")

    posts = reader.fill(endless())
    for done in range(1, 4):
        next(posts)
        assert taken <= done + AHEAD * available_cores()


def test_an_image_is_loaded_once(reader: WordReader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "image.png"
    path.write_bytes(png(drawn("LOADED")))
    loaded: list[object] = []

    def counted(source: Any, limits: ImageLimits) -> bytes:
        loaded.append(source)
        return read_encoded(source, limits)

    monkeypatch.setattr("crossguard.data.ocr.read_encoded", counted)
    monkeypatch.setattr("crossguard.data.images.read_encoded", lambda source, *_: source)
    assert reader.read(path) == "LOADED"
    assert loaded == [path]


def test_images_that_wait_are_left_unread_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python waits for its threads: a run that was stopped went on until all of them had been read."""
    pytest.importorskip("rapidocr", reason="needs crossguard[ocr]")
    begun: list[object] = []
    closed = threading.Event()

    def read(_: WordReader, image: object) -> str:
        begun.append(image)
        if image != b"first":
            closed.wait()
        return ""

    monkeypatch.setattr(WordReader, "_read", read)
    reader = WordReader(tmp_path)
    images = (b"first", *[b"other"] * 10 * available_cores())
    posts = reader.fill(Post(str(place), image=image) for place, image in enumerate(images))
    next(posts)
    reader.close()
    closed.set()
    reader._pool.shutdown()
    assert len(begun) <= 1 + available_cores()


@pytest.mark.parametrize("size", [(1, 20_000), (8, 8_000), (4_001, 1), (65_000, 16), (1, 100)])
def test_lines_and_strips_are_no_failure(reader: WordReader, size: tuple[int, int]) -> None:
    assert reader.read(Image.new("RGB", size, "white")) == ""


def test_every_line_of_a_long_screenshot_is_read_whole(reader: WordReader) -> None:
    shot = Image.new("RGB", (720, 6000), "white")
    said = [f"line {number} says good morning" for number in range(75)]
    for number, line in enumerate(said):
        ImageDraw.Draw(shot).text((24, 20 + 80 * number), line, font=ImageFont.load_default(28), fill="black")
    read = [line.replace(" ", "") for line in reader.read(shot).lower().splitlines()]
    assert len(set(read) & {line.replace(" ", "") for line in said}) >= 73, "a few letters may be misread"


def test_words_on_a_long_strip_are_read(reader: WordReader) -> None:
    strip = Image.new("RGB", (12_000, 60), "white")
    for x, word in ((100, "GOOD"), (9_000, "MORNING")):
        ImageDraw.Draw(strip).text((x, 5), word, font=ImageFont.load_default(40), fill="black")
    assert reader.read(strip).split() == ["GOOD", "MORNING"]


def test_images_that_differ_in_their_palette_are_two(reader: WordReader) -> None:
    shown = drawn("HELLO").convert("P", palette=Image.Palette.ADAPTIVE, colors=2)
    blank = shown.copy()
    blank.putpalette([255] * 768)
    assert (reader.read(blank), reader.read(shown)) == ("", "HELLO")


def test_a_pil_image_that_cannot_be_decoded_is_told() -> None:
    whole = png(drawn("HELLO"))
    with Image.open(io.BytesIO(whole[: len(whole) // 2])) as image, pytest.raises(ImageError):
        _content_key(image)
