"""`crossguard report`, as people type it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.support.review import decision

from crossguard.cli import run
from crossguard.data.digests import digest
from crossguard.records import Post


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Two results: one flagged, one not; their posts lie beside them."""
    records = [decision("a", 0.7), decision("b", 0.01)]
    path = tmp_path / "decisions.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    (tmp_path / "posts.csv").write_text("id,text\na,you horrible people\nb,good morning\n")
    return path


def test_a_page_is_named_after_its_results_and_never_replaced_unasked(results: Path) -> None:
    page = results.with_suffix(".html")
    assert run(["report", str(results)]) == 0
    assert "<title>decisions.jsonl" in page.read_text()
    page.write_text("mine")
    assert run(["report", str(results)]) == 7
    assert page.read_text() == "mine"
    assert run(["report", str(results), "--overwrite", "--title", "Monday"]) == 0
    assert "<title>Monday" in page.read_text()


def test_posts_are_read_by_the_columns_that_they_were_scored_by(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    posts = tmp_path / "posts.data"
    posts.write_text("Nummer,Nachricht\na,you horrible people\nb,good morning\n")
    command = ["report", str(results), "--posts", str(posts), "--input-format", "csv"]
    assert run(command) == 3
    assert "To read one: --text-column NAME" in capsys.readouterr().err
    assert run([*command, "--text-column", "Nachricht", "--id-column", "Nummer"]) == 0
    assert "good morning" in results.with_suffix(".html").read_text()
    assert run(["report", str(results), "--text-column", "Nachricht"]) == 2
    assert "--text-column does nothing without --posts" in capsys.readouterr().err


def test_a_page_that_is_there_stays_where_the_new_one_has_other_posts(results: Path, tmp_path: Path) -> None:
    page = results.with_suffix(".html")
    page.write_text("mine")
    (tmp_path / "posts.csv").write_text("id,text\na,you horrible people\nc,good morning\n")
    assert run(["report", str(results), "--posts", str(tmp_path / "posts.csv"), "--overwrite"]) == 3
    assert page.read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["decisions.html", "decisions.jsonl", "posts.csv"]


def test_a_folder_in_the_place_of_the_page_is_told(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = results.with_suffix(".html")
    page.mkdir()
    assert run(["report", str(results), "--overwrite"]) == 7
    assert f"Cannot write '{page}': Is a directory." in capsys.readouterr().err
    assert not list(results.parent.glob(".*"))


@pytest.mark.parametrize("out", ["page.pdf", ".", "page"])
def test_a_page_that_does_not_end_in_html_is_refused(
    out: str, results: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(results.parent)
    before = set(Path().iterdir())
    assert run(["report", results.name, "-o", out]) == 2
    name = f"{results.parent.name}.html" if out == "." else "page.html"
    assert f"does not end in .html. Write: -o {name}" in capsys.readouterr().err
    assert set(Path().iterdir()) == before


def test_the_working_folder_is_no_results(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["report", "."]) == 3
    assert "'.' has no _manifest.jsonl" in capsys.readouterr().err


def test_a_folder_of_images_without_posts_is_refused(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["report", str(results), "--image-root", str(results.parent)]) == 2
    assert "--image-root does nothing without --posts" in capsys.readouterr().err


def test_a_page_gets_the_folder_that_it_names(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["report", str(results), "-o", str(tmp_path / "new" / "page.html")]) == 0
    assert "<title>decisions.jsonl" in (tmp_path / "new" / "page.html").read_text()
    assert run(["report", str(results), "-o", str(results / "page.html")]) == 7
    assert "Error: Cannot write" in capsys.readouterr().err


def test_words_come_from_the_posts_and_those_of_flagged_ones_are_masked_too(results: Path, tmp_path: Path) -> None:
    page = results.with_suffix(".html")
    assert run(["report", str(results)]) == 0
    assert "good morning" not in page.read_text(), "results without --keep hold no texts"
    assert run(["report", str(results), "--posts", str(tmp_path / "posts.csv"), "--overwrite"]) == 0
    assert "good morning" in page.read_text()
    assert "you h******* p*****" in page.read_text()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "posts.csv",
            "posts.csv': The file is not a result that Crossguard wrote, or it is damaged: it lacks columns of",
        ),
        ("posts.jsonl", "posts.jsonl': What stands after byte 0 is not a result"),
        ("posts.parquet", "posts.parquet': The file is not a result that Crossguard wrote, or it is damaged"),
        ("none.jsonl", "no such file"),
        ("empty.jsonl", "empty.jsonl' holds no results"),
        ("empty.csv", "empty.csv' holds no results"),
        ("notes.md", "is not a file of results"),
    ],
)
@pytest.mark.usefixtures("results")
def test_what_are_no_results_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, said: str) -> None:
    for other in ("notes.md", "posts.jsonl", "posts.parquet"):
        (tmp_path / other).write_text("notes")
    for other in ("empty.jsonl", "empty.csv"):
        (tmp_path / other).touch()
    assert run(["report", str(tmp_path / name)]) == 3
    assert said in capsys.readouterr().err
    assert list(tmp_path.glob("*.html")) == []


def test_posts_that_are_not_those_of_the_results_are_refused(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "posts.csv").write_text("id,text\na,you\nc,other\n")
    assert run(["report", str(results), "--posts", str(tmp_path / "posts.csv")]) == 3
    assert "results of other posts: 'b' meets 'c'" in capsys.readouterr().err
    results.write_text(json.dumps(decision("a", 0.7) | {"digest": digest(Post("a", "you"))}) + "\n")
    (tmp_path / "posts.csv").write_text("id,text\na,what was edited since\n")
    assert run(["report", str(results), "--posts", str(tmp_path / "posts.csv")]) == 3
    assert "another text when it was scored" in capsys.readouterr().err
    assert list(tmp_path.glob("*.html")) == []
