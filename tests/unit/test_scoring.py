"""The function behind `crossguard score`, as a notebook calls it."""

from __future__ import annotations

import contextlib
import gzip
import json
import re
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from crossguard.bundle import Bundle
from crossguard.data.columns import Columns
from crossguard.data.image_limits import ImageLimits
from crossguard.data.writing import open_output, read_decisions
from crossguard.errors import ConfigError, InputError, OutputError, TableError
from crossguard.moderator import Moderator
from crossguard.records import Decision, Post
from crossguard.scoring import Transform, score_file, score_table

POSTS: list[Post] = [
    Post("a", "hello awful people"),
    Post.failed("line-2", "line_malformed", "Line 2: not valid JSON."),
    Post("c"),
    Post("d", "good morning"),
]


def test_summary_counts_everything(tiny: Moderator) -> None:
    summary = score_table(tiny, POSTS)
    assert (summary.posts, summary.scored, summary.previous) == (4, 2, 0)
    assert summary.failed == {"line_malformed": 1, "post_empty": 1}
    assert summary.actions.total() == 2
    decisions = list(tiny.stream(POSTS))
    assert summary.flags.total() == sum(len(decision.flags) for decision in decisions) > 0
    assert summary.seconds > 0


def test_each_post_comes_with_its_own_outcome(tiny: Moderator) -> None:
    pairs: list[tuple[Post, Decision]] = []
    score_table(tiny, POSTS, batch_size=3, watch=lambda *pair: pairs.append(pair))
    assert [(entry.id, outcome.id) for entry, outcome in pairs] == [(post.id, post.id) for post in POSTS]


def test_posts_are_taken_only_as_they_are_needed(tiny: Moderator) -> None:
    taken = 0

    def endless() -> Iterator[Post]:
        nonlocal taken
        while True:
            taken += 1
            yield Post(str(taken), "hello")

    assert score_table(tiny, endless(), limit=20, batch_size=4).scored == 20
    assert taken == 20


def test_watch_sees_a_post_after_it_is_written(tiny: Moderator, tmp_path: Path) -> None:
    seen: list[str] = []
    output = open_output(tmp_path / "out.jsonl", tiny.labels.names)
    score_table(tiny, POSTS, output, watch=lambda entry, outcome: seen.append(f"{entry.id} {outcome.status}"))
    assert seen == ["a scored", "line-2 failed", "c failed", "d scored"]
    assert [row.id for row in read_decisions(tmp_path / "out.jsonl")] == ["a", "line-2", "c", "d"]


def test_stop_names_the_post_and_keeps_the_rows_before_it(tiny: Moderator, tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    with pytest.raises(InputError, match="'line-2' cannot be scored"):
        score_table(tiny, POSTS, open_output(path, tiny.labels.names), on_error="stop")
    assert [row.id for row in read_decisions(path)] == ["a"]


def test_resume_transforms_only_what_is_left_and_what_it_compares(tiny: Moderator, tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    score_table(tiny, POSTS, open_output(path, tiny.labels.names), limit=3)
    transformed: list[str] = []

    def note(entries: Iterator[Post]) -> Iterator[Post]:
        for entry in entries:
            transformed.append(entry.id)
            yield entry

    output = open_output(path, tiny.labels.names, resume=True)
    summary = score_table(tiny, POSTS, output, resume=True, transform=note)
    assert (summary.previous, summary.scored, transformed) == (3, 1, ["a", "d"])


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_a_model_of_the_same_name_with_other_scores_does_not_go_on(
    tiny: Moderator, tmp_path: Path, suffix: str
) -> None:
    posts = [Post(str(place), "hello you" if place else "awful people") for place in range(30)]
    path = tmp_path / f"out.{suffix}"
    score_table(tiny, posts, open_output(path, tiny.labels.names), limit=20)
    written = path.read_text()
    for shift, refused in ((0.001, False), (-0.05, True), (0.05, True)):
        names = tiny.labels.names
        with open_output(tmp_path / f"other.{suffix}", names, overwrite=True) as other:
            other.start()
            for row in read_decisions(path):
                labels = {name: replace(label, score=label.score + shift) for name, label in row.labels.items()}
                other.write(replace(row, labels=labels))
        output = open_output(tmp_path / f"other.{suffix}", names, resume=True)
        if not refused:
            assert score_table(tiny, posts, output, resume=True).previous == 20
            continue
        with pytest.raises(OutputError, match=r"other scores now \(by 0\.050; the last 16 were compared\)"):
            score_table(tiny, posts, output, resume=True)
        assert len(list(read_decisions(tmp_path / f"other.{suffix}"))) == 20
    assert path.read_text() == written


def test_an_image_that_was_moved_is_not_compared(tiny: Moderator, tmp_path: Path, red: bytes) -> None:
    path = tmp_path / "out.jsonl"
    (tmp_path / "a.png").write_bytes(red)
    posts = [Post("a", image=tmp_path / "a.png"), Post("b", "hello")]
    score_table(tiny, posts, open_output(path, tiny.labels.names), limit=1)
    (tmp_path / "a.png").unlink()
    assert score_table(tiny, posts, open_output(path, tiny.labels.names, resume=True), resume=True).previous == 1


def test_resume_with_skip_is_refused(tiny: Moderator, tmp_path: Path) -> None:
    output = open_output(tmp_path / "out.jsonl", tiny.labels.names, resume=True)
    with pytest.raises(ConfigError, match="--on-error record"):
        score_table(tiny, POSTS, output, resume=True, on_error="skip")


def test_what_is_no_batch_size_costs_no_output_that_was_there(tiny: Moderator, tmp_path: Path) -> None:
    path = tmp_path / "decisions.jsonl"
    path.write_text("earlier\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="batch_size is 0; it must be a whole number of at least 1"):
        score_table(tiny, POSTS, open_output(path, tiny.labels.names, overwrite=True), batch_size=0)
    assert path.read_text(encoding="utf-8") == "earlier\n"


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "html"])
def test_a_closed_moderator_costs_no_output_that_was_there(tiny_bundle: Bundle, tmp_path: Path, suffix: str) -> None:
    moderator = Moderator.load(tiny_bundle.folder)
    moderator.close()
    posts, old, new = (tmp_path / name for name in ("posts.csv", f"old.{suffix}", f"new.{suffix}"))
    posts.write_text("text\nhello\n", encoding="utf-8")
    old.write_text("earlier\n", encoding="utf-8")
    for out in (old, new):
        with pytest.raises(InputError, match="This moderator was closed"):
            score_file(posts, out, model=moderator, overwrite=True)
    assert old.read_text(encoding="utf-8") == "earlier\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"old.{suffix}", "posts.csv"]


@pytest.mark.parametrize("limit", [-1, "5", 1.5])
def test_what_is_no_limit_is_refused(tiny: Moderator, limit: Any) -> None:
    with pytest.raises(ConfigError, match=f"limit is {limit!r}; it must be a whole number of at least 0, or None"):
        score_table(tiny, POSTS, limit=limit)
    assert score_table(tiny, POSTS, limit=0).posts == 0


def test_what_is_continued_is_not_replaced(tiny: Moderator, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Choose one"):
        score_file("gone.csv", tmp_path / "out.jsonl", model=tiny, resume=True, overwrite=True)
    with pytest.raises(ConfigError, match="resume continues a file, so it needs out"):
        score_file("gone.csv", model=tiny, resume=True)


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet"])
@pytest.mark.parametrize("keep", [True, False])
def test_rows_with_and_without_what_was_kept_are_not_mixed(
    tiny: Moderator, tmp_path: Path, suffix: str, keep: bool
) -> None:
    (tmp_path / "posts.csv").write_text("id,text,more\n1,hello,a\n2,you,b\n")
    posts, out = tmp_path / "posts.csv", tmp_path / f"out.{suffix}"
    score_file(posts, out, model=tiny, keep=keep, limit=1)
    with pytest.raises(OutputError, match="--keep"):
        score_file(posts, out, model=tiny, keep=not keep, resume=True)
    if suffix != "parquet":  # that of a finished run
        assert score_file(posts, out, model=tiny, keep=keep, resume=True).previous == 1


@pytest.mark.filterwarnings("ignore:.*is not kept")
@pytest.mark.parametrize("suffix", ["jsonl", "csv"])
def test_rows_without_anything_that_the_table_keeps_are_continued(tiny: Moderator, tmp_path: Path, suffix: str) -> None:
    posts, out = tmp_path / "posts.jsonl", tmp_path / f"out.{suffix}"
    rows = [
        {"id": "1", "text": "hello", "tags": ["a"]},
        {"id": "2", "image_path": "gone.png"},
        {"id": "3", "comment": "you", "tags": []},
        {"id": "4", "image_text": "awful people", "tags": [], "more": ""},
        {"id": "5", "text": "good morning"},
    ]
    posts.write_text("\n".join(map(json.dumps, rows)))
    score_file(posts, out, model=tiny, keep=True, limit=4)
    assert score_file(posts, out, model=tiny, keep=True, resume=True).previous == 4
    with pytest.raises(OutputError, match="--keep"):
        score_file(posts, out, model=tiny, resume=True)


@pytest.mark.parametrize(("suffix", "text"), [("jsonl", "hello"), ("csv", "")])
def test_rows_with_words_that_were_read_are_not_continued_without(
    tiny: Moderator, tmp_path: Path, red: bytes, suffix: str, text: str
) -> None:
    def words(posts: Iterator[Post]) -> Iterator[Post]:
        return (replace(post, image_text=post.image_text or "awful people") for post in posts)

    def score(name: str, limit: int, transform: Transform | None) -> int:
        output = open_output(tmp_path / f"{name}.{suffix}", tiny.labels.names, resume=True)
        return score_table(tiny, posts, output, resume=True, limit=limit, transform=transform).previous

    posts = [Post("given", text, red, "you"), Post("read", text, red), Post("last", "good morning")]
    score("with", 1, words)
    assert score("with", 2, None) == 1, "the words of the first were given"
    score("without", 2, None)
    assert score("without", 3, None) == 2
    score("read", 2, words)
    with pytest.raises(OutputError, match="made with --ocr, which read words of post 'read'"):
        score("read", 3, None)
    assert score("read", 3, words) == 2


def test_what_json_does_not_have_is_not_written(tiny: Moderator, tmp_path: Path) -> None:
    (tmp_path / "posts.jsonl").write_text(
        '{"text": "hello", "a": Infinity, "b": NaN, "c": [-Infinity, 1.5, {"d": NaN}]}\n'
    )
    score_file(tmp_path / "posts.jsonl", tmp_path / "out.jsonl", model=tiny, keep=True)

    def refuse(number: str) -> None:
        raise AssertionError(number)

    record = json.loads((tmp_path / "out.jsonl").read_text(), parse_constant=refuse)
    assert record["input"] == {"text": "hello", "a": None, "c": [None, 1.5, {"d": None}]}


def test_a_table_that_cannot_be_read_leaves_what_was_there(tiny: Moderator, tmp_path: Path) -> None:
    (tmp_path / "posts.csv").write_text("id,words\n1,hello\n")
    out = tmp_path / "out.jsonl"
    with pytest.raises(TableError):
        score_file(tmp_path / "posts.csv", out, model=tiny, columns=Columns(text="none"))
    assert not out.exists()
    out.write_text("what was there\n")
    with pytest.raises(TableError):
        score_file(tmp_path / "posts.csv", out, model=tiny, overwrite=True, columns=Columns(text="none"))
    assert out.read_text() == "what was there\n"


def test_what_posts_are_scored_without_is_warned_of(tiny: Moderator, tmp_path: Path) -> None:
    (tmp_path / "posts.csv").write_text("id,title,text\n1,a,hello\n")
    with pytest.warns(UserWarning, match="column 'title' is not scored"):
        assert score_file(tmp_path / "posts.csv", model=tiny).posts == 1


def test_sheets_that_are_not_read_and_ids_that_repeat_are_warned_of(tiny: Moderator, tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl", reason="needs crossguard[excel]")
    book = openpyxl.Workbook()
    for row in (("id", "text"), ("1", "hello"), ("1", "you")):
        book.active.append(row)
    book.create_sheet("more")
    book.save(tmp_path / "two.xlsx")
    with pytest.warns(UserWarning) as told:  # noqa: PT030 - of several
        assert score_file(tmp_path / "two.xlsx", model=tiny).posts == 2
    said = [str(each.message) for each in told]
    assert any("only its first sheet, 'Sheet', is read, and not: more." in each for each in said)
    assert any(each.endswith("(the first is '1'); all rows are kept, in order.") for each in said)


@pytest.mark.parametrize("suffix", ["csv", "parquet", "xlsx"])
def test_columns_that_a_table_has_no_room_for_are_warned_of(tiny: Moderator, tmp_path: Path, suffix: str) -> None:
    (tmp_path / "posts.jsonl").write_text('{"text": "hello"}\n{"text": "you", "author": "x"}\n')
    with pytest.warns(UserWarning, match=r"column 'author' is not kept: .*\(posts: 1\)"):
        score_file(tmp_path / "posts.jsonl", tmp_path / f"out.{suffix}", model=tiny, keep=True)


def test_the_text_that_is_kept_is_the_one_that_was_scored(tiny: Moderator, tmp_path: Path) -> None:
    (tmp_path / "posts.csv").write_text("headline,text\nawful people,good morning\n")
    for name in ("out.jsonl", "out.csv"):
        with pytest.warns(UserWarning) as told:  # noqa: PT030 - of several
            score_file(tmp_path / "posts.csv", tmp_path / name, model=tiny, keep=True, columns=Columns(text="headline"))
        assert any("column 'text' is not kept" in str(each.message) for each in told)
        (decision,) = read_decisions(tmp_path / name)
        assert decision.input["text"] == "awful people"


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet", "xlsx"])
def test_what_stands_before_a_damaged_place_is_scored_and_written(tiny: Moderator, tmp_path: Path, suffix: str) -> None:
    lines = "".join(json.dumps({"id": str(n), "text": f"hello {n} {n * 7919}"}) + "\n" for n in range(500))
    whole = gzip.compress(lines.encode())
    (tmp_path / "in.jsonl.gz").write_bytes(whole[:-400])
    out = tmp_path / f"out.{suffix}"
    with pytest.raises(TableError, match=r"is damaged after (\d+) posts") as told:
        score_file(tmp_path / "in.jsonl.gz", out, model=tiny)
    (count,) = re.findall(r"after (\d+) posts", str(told.value))
    assert int(count) > 200
    assert sum(1 for _ in read_decisions(out)) == int(count)
    (tmp_path / "in.jsonl.gz").write_bytes(whole)
    summary = score_file(tmp_path / "in.jsonl.gz", out, model=tiny, resume=True)
    assert (summary.previous, summary.posts) == (int(count), 500 - int(count))


def test_columns_with_names_of_several_lines_are_read_again(tiny: Moderator, tmp_path: Path) -> None:
    posts = [Post(str(n), "hello", extra={"Why?\n(optional)": "so"}) for n in range(4)]
    out = tmp_path / "out.csv"
    with open_output(out, tiny.labels.names, kept=("text", "Why?\n(optional)")) as output:
        score_table(tiny, posts[:3], output, keep=True)
    assert [row.id for row in read_decisions(out)] == ["0", "1", "2"]
    output = open_output(out, tiny.labels.names, kept=("text", "Why?\n(optional)"), resume=True)
    assert score_table(tiny, posts, output, resume=True, keep=True).previous == 3
    assert next(read_decisions(out)).input == {"text": "hello", "Why? (optional)": "so"}


def test_a_damaged_first_line_costs_no_columns(tiny: Moderator, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('{"text": "hel\n{"text": "hello", "author": "x"}\n')
    score_file(tmp_path / "in.jsonl", tmp_path / "out.csv", model=tiny, keep=True)
    _, row = read_decisions(tmp_path / "out.csv")
    assert row.input == {"text": "hello", "author": "x"}


def test_a_column_of_ids_that_are_not_used_is_kept(tiny: Moderator, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("post_id,id,text\np1,7,hello\n")
    score_file(tmp_path / "in.csv", tmp_path / "out.csv", model=tiny, keep=True, columns=Columns(id="post_id"))
    (row,) = read_decisions(tmp_path / "out.csv")
    assert (row.id, row.input) == ("p1", {"id": "7", "text": "hello"})


def test_a_table_without_rows_lacks_no_column(tiny: Moderator, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("post,body\n")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert score_file(tmp_path / "in.csv", model=tiny, columns=Columns(id="post", text="body")).posts == 0


def test_a_column_that_no_object_has_is_told(tiny: Moderator, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('{"post": "1", "body": "hello"}\n{"post": "2", "photo": "a.png"}\n')
    columns = Columns(id="post_idd", text="body", image_path="photo")
    with pytest.warns(UserWarning, match="no post has the column 'post_idd', so it was not read. Did you mean 'post'"):
        score_file(tmp_path / "in.jsonl", model=tiny, columns=columns)


@pytest.mark.parametrize(
    ("given", "error", "told"),
    [
        ({"path": 3}, InputError, r"score_file reads a file, and this is int. Posts in memory: crossguard.load\(\)"),
        ({"path": "s3://bucket/posts.csv"}, InputError, r"crossguard.score_files\('s3://bucket/posts.csv', FOLDER\)"),
        ({"columns": {"txt": "words"}}, ConfigError, "columns names no txt: a post has id, text"),
        ({"columns": ["words"]}, ConfigError, "columns are names by what they hold"),
        ({"columns": None}, TableError, r'To read one: columns=\{"text": "NAME"\} or columns='),
        ({"columns": {"text": None}}, ConfigError, "columns are names by what they hold"),
    ],
)
def test_what_a_file_cannot_be_scored_by_is_told(
    tiny: Moderator, tmp_path: Path, given: dict[str, Any], error: type[Exception], told: str
) -> None:
    (tmp_path / "posts.csv").write_text("words\nhello\n", encoding="utf-8")
    given_all: dict[str, Any] = {"path": tmp_path / "posts.csv", "model": tiny, **given}
    with pytest.raises(error, match=told):
        score_file(**given_all)
    assert score_file(tmp_path / "posts.csv", model=tiny, columns={"text": "words"}).scored == 1


def test_images_are_below_the_root_of_the_moderator(tiny_bundle: Bundle, tmp_path: Path, red: bytes) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.png").write_bytes(red)
    (tmp_path / "posts.csv").write_text("image_path\na.png\n", encoding="utf-8")
    with contextlib.chdir(tmp_path):
        moderator = Moderator.load(tiny_bundle.folder, image_root="images")
        assert score_file("posts.csv", model=moderator).scored == 1
        assert score_file("images", model=moderator).scored == 1
        assert score_file("posts.csv", model=moderator, image_root="images").scored == 1


def test_a_page_shows_images_within_the_limits_of_the_moderator(tiny_bundle: Bundle, tmp_path: Path) -> None:
    Image.new("1", (70_000, 1)).save(tmp_path / "wide.png")
    (tmp_path / "posts.csv").write_text("image_path\nwide.png\n", encoding="utf-8")
    moderator = Moderator.load(tiny_bundle.folder, image_limits=ImageLimits(max_side=70_000))
    assert score_file(tmp_path / "posts.csv", tmp_path / "out.html", model=moderator).scored == 1
    assert "data:image/jpeg;base64," in (tmp_path / "out.html").read_text(encoding="utf-8")
