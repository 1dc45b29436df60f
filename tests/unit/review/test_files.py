"""Posts and suggestions from files, as people type the command."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import select
from tests.support.review import submission

from crossguard.cli import run
from crossguard.review.store import votes
from crossguard.review.store.database import Database
from crossguard.review.store.schema import items

PAGE = Path(__file__).resolve().parents[3] / "docs" / "how-to" / "review.md"


def importing(file: Path, *options: str) -> list[str]:
    """The command that imports a file into a database beside it, without a model."""
    return ["review", "--database", str(file.parent / "r.sqlite"), "--model", "none", "import", str(file), *options]


def stored(folder: Path) -> Sequence[Any]:
    """What is in the database there, in the order in which it came."""
    with closing(Database.open(str(folder / "r.sqlite"))) as opened, opened.read() as db:
        return db.execute(select(items).order_by(items.c.id)).all()


def test_results_are_joined_to_their_posts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    posts, results = tmp_path / "posts.jsonl", tmp_path / "results.jsonl"
    texts = [submission(str(index), score=0.7) for index in range(3)]
    posts.write_text("".join(json.dumps({"id": t.id, "text": t.text, "author": "a"}) + "\n" for t in texts))
    results.write_text("".join(json.dumps(t.decision) + "\n" for t in texts))
    command = ["review", "--database", str(tmp_path / "r.sqlite"), "import", str(posts), "--results", str(results)]
    assert run(command) == 0
    assert "Queued 3 items;" in capsys.readouterr().err
    assert run(command) == 0
    assert "Queued 0 items; 3 were already known;" in capsys.readouterr().err
    results.write_text("".join(json.dumps((t.decision or {}) | {"digest": "0" * 16}) + "\n" for t in texts))
    assert run(command) == 3
    assert "post '0' had another text when it was scored" in capsys.readouterr().err
    results.write_text(json.dumps(texts[1].decision) + "\n")
    assert run(command) == 3
    assert "does not fit" in capsys.readouterr().err


def test_posts_of_two_tables_without_ids_are_different_posts(tmp_path: Path) -> None:
    for day, texts in (("monday", ["one", "two"]), ("tuesday", ["three", "two"]), ("monday", ["one", "two", "four"])):
        (tmp_path / f"{day}.csv").write_text("\n".join(["text", *texts]) + "\n")
        assert run(importing(tmp_path / f"{day}.csv")) == 0
    texts = sorted(row.text for row in stored(tmp_path))
    assert texts == ["four", "one", "three", "two"], "the same row is the same post, another is not"


def test_columns_and_format_are_named_as_for_scoring(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    posts = tmp_path / "posts.data"
    posts.write_text("Nummer,Nachricht,author\n7,Guten Tag,bob\n")
    command = importing(posts, "--input-format", "csv")
    assert run(command) == 3
    assert "To read one: --text-column NAME" in capsys.readouterr().err
    assert run([*command, "--text-column", "Nachricht", "--id-column", "Nummer"]) == 0
    (row,) = stored(tmp_path)
    assert (row.external, row.text, row.author) == ("7", "Guten Tag", "bob")


def test_deleted_rows_of_a_table_without_ids_make_no_new_posts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    posts = tmp_path / "posts.csv"
    command = importing(posts)
    posts.write_text(f"text\none\ntwo\n{'word ' * 20_001}\nthree\ntwo\nfour\n")
    assert run(command) == 3
    assert "Queued 5 items;" in capsys.readouterr().err
    for rows, queued in (("one two three two four", 0), ("two four two", 0), ("zero two two two four one", 2)):
        posts.write_text("\n".join(["text", *rows.split()]) + "\n")
        assert run(command) == 0
        assert f"Queued {queued} items;" in capsys.readouterr().err
    assert sorted(row.text for row in stored(tmp_path)) == ["four", "one", "three", "two", "two", "two", "zero"]


def test_columns_are_found_in_any_case_and_objects_in_cells_of_text(tmp_path: Path) -> None:
    posts = tmp_path / "posts.csv"
    expected = '"{""action"": ""block"", ""labels"": {""sexist"": ""yes""}}"'
    posts.write_text(f"id,text,Author,EXPECTED\n1,one,bob,\n2,two,bob,{expected}\n")
    assert run(importing(posts)) == 0
    rows = stored(tmp_path)
    assert [(row.external, row.author, row.kind) for row in rows] == [("1", "bob", "flag"), ("2", "bob", "gold")]
    assert rows[1].expected == {"action": "block", "labels": {"sexist": "yes"}}


@pytest.mark.parametrize("column", ["report", "expected"])
@pytest.mark.parametrize("cell", ["block", "{'action': 'block'}", "3"])
def test_a_cell_that_is_no_object_is_told_with_one_that_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], column: str, cell: str
) -> None:
    posts = tmp_path / "posts.csv"
    posts.write_text(f'id,text,{column}\n1,one,\n2,two,"{cell}"\n')
    assert run(importing(posts)) == 3
    told = capsys.readouterr().err
    assert f"row 2: '{column}' must be an object of JSON, such as " in told
    example = told.partition("such as ")[2].splitlines()[0].removesuffix(".")
    quoted = example.replace('"', '""')
    posts.write_text(f'id,text,{column}\n1,one,\n2,two,"{quoted}"\n')
    assert run(importing(posts)) == 0
    assert f"| `{column}` | `{example[:-2]}" in PAGE.read_text()


def test_fields_that_only_other_rows_have_are_empty(tmp_path: Path) -> None:
    posts = tmp_path / "posts.parquet"
    reports = [{"reporter": "u", "reason": "rude"}, {"reporter": "u"}, None, None]
    expected = [None, None, *({"action": "block", "labels": {label: "yes"}} for label in ("racist", "sexist"))]
    texts = ["one", "two", "three", "four"]
    pq.write_table(pa.table({"id": list("1234"), "text": texts, "report": reports, "expected": expected}), posts)
    assert run(importing(posts)) == 0
    rows = stored(tmp_path)
    assert [row.reports for row in rows] == [1, 1, 0, 0]
    assert [row.expected for row in rows] == expected


def test_what_reviewers_will_not_see_of_the_posts_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    posts = tmp_path / "posts.csv"
    posts.write_text("title,text,images\na,b,c.jpg\n")
    assert run(importing(posts)) == 0
    told = capsys.readouterr().err
    assert "note: column 'images' is not read" in told
    assert "note: column 'title' is not scored" in told


def test_suggestions_become_votes_that_decide_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "suggestions.jsonl"
    line = {"time": "2026-11-26T01:00:00+00:00", "text": "Go away, all of you.", "attributes": {"TOXICITY": 0.9}}
    more = {"community_id": None, "client_token": None}
    lines = [line | more | {"caller": caller} for caller in ("forum", "blog", "forum")]
    file.write_text("".join(json.dumps(entry) + "\n" for entry in lines))
    command = importing(file, "--suggestions")
    assert run(command) == 0
    assert "Queued 1 items;" in capsys.readouterr().err
    assert run(command) == 0
    (row,) = stored(tmp_path)
    with closing(Database.open(str(tmp_path / "r.sqlite"))) as opened, opened.read() as db:
        said = [(vote.kind, vote.person, vote.labels) for vote in votes.of(db, row.id)]
        assert votes.standing(db, row.id) == []
    assert (row.kind, row.queue, row.state, row.reports) == ("report", "main", "open", 0)
    assert said == [("suggest", None, {"TOXICITY": 0.9})] * 2
    file.write_text('{"text": 3}\n')
    assert run(command) == 3
    assert "line 1: no suggestion" in capsys.readouterr().err


def test_what_was_taken_before_an_error_is_told_and_numbers_are_keys_of_authors(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    posts, results = tmp_path / "posts.jsonl", tmp_path / "results.jsonl"
    rows = [{"id": n, "text": f"t {n}", "author": 42 if n % 2 else 42.0} for n in range(202)]
    posts.write_text("\n".join(map(json.dumps, rows)))
    results.write_text("".join(json.dumps(submission(str(n)).decision) + "\n" for n in range(201)))
    assert run(importing(posts, "--results", str(results))) == 3
    told = capsys.readouterr().err
    assert "Queued 200 items;" in told
    assert "post '201' meets its end" in told
    assert {row.author for row in stored(tmp_path)} == {"42"}


ODD = (
    ({"language": "Portuguese (Brazil)"}, "'language': String should have at most 16 characters"),
    ({"text": "word " * 20_001}, "'text': String should have at most 100000 characters"),
    ({"posted_at": math.nan}, "'posted_at': Input should be a finite number"),
    ({"queue": "nowhere"}, "Post '2': Unknown queue 'nowhere'"),
    ({"expected": {"action": "blok"}}, "Post '2': Unknown action 'blok'"),
    ({"text": 3.5, "report": "rude"}, "'report' must be an object of JSON"),
    ({"report": '{"a":' * 100_000}, "'report' must be an object of JSON"),
    ({"text": {"a": 1}}, "line-2: 'text' must be a text, not dict"),
)


@pytest.mark.parametrize(("fields", "reason"), ODD)
@pytest.mark.parametrize("with_results", [False, True])
def test_a_row_that_is_not_taken_costs_no_other(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    fields: dict[str, Any],
    reason: str,
    *,
    with_results: bool,
) -> None:
    posts, results = tmp_path / "posts.jsonl", tmp_path / "results.jsonl"
    rows = [{"id": str(n), "text": f"t {n}"} | (fields if n == 2 else {}) for n in range(1, 4)]
    posts.write_text("\n".join(map(json.dumps, rows)))
    results.write_text("".join(json.dumps(submission(str(n)).decision) + "\n" for n in range(1, 4)))
    for queued in (2, 0):
        assert run(importing(posts, *(["--results", str(results)] if with_results else []))) == 3
        told = capsys.readouterr().err
        assert f"Queued {queued} items; {2 - queued} were already known;" in told
        assert f"Error: 1 row of '{posts}' was left out; the others were taken." in told
        assert f"\n  - row 2: {reason}" in told
    assert [row.external for row in stored(tmp_path)] == ["1", "3"]


def test_of_many_rows_that_are_not_taken_the_first_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    posts = tmp_path / "posts.jsonl"
    lines = [json.dumps({"id": n, "text": f"t {n}", "queue": "nowhere" if n == 3 else "main"}) for n in range(1, 500)]
    for odd in (1, 249, 250, 499):
        lines[odd - 1] = "{" if odd == 249 else json.dumps({"id": odd, "text": "t", "language": "a" * 17})
    posts.write_text("\n".join(lines))
    assert run(importing(posts)) == 3
    told = capsys.readouterr().err
    assert "Queued 494 items;" in told
    summary, *shown = told[told.index("Error: ") :].splitlines()
    assert summary.startswith(f"Error: 5 rows of '{posts}' were left out;")
    assert [line.partition(":")[0] for line in shown] == ["  - row 1", "  - row 3", "  - row 249", "  - and 2 more"]


@pytest.mark.parametrize("more", [[], ["--suggestions"]])
def test_a_source_that_is_wrong_in_every_row_is_told_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str]
) -> None:
    posts = tmp_path / "posts.jsonl"
    posts.write_text('{"text": "a"}\n{"text": "b"}\n')
    assert run(importing(posts, "--source", "a forum", *more)) == 5
    assert "Error: The name of the source: 'source': String should match" in capsys.readouterr().err


def test_a_golden_item_with_another_text_costs_no_other_row(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    posts = tmp_path / "posts.jsonl"
    golden = {"id": "1", "expected": {"action": "block"}}
    posts.write_text(json.dumps(golden | {"text": "first"}))
    assert run(importing(posts)) == 0
    posts.write_text("\n".join(map(json.dumps, [golden | {"text": "other"}, {"id": "2", "text": "b"}])))
    assert run(importing(posts)) == 3
    told = capsys.readouterr().err
    assert "Queued 1 items;" in told
    assert "row 1: The golden item '1' is there with another text" in told


def test_suggestions_that_are_no_text_are_told_with_their_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "s.jsonl").write_bytes(b"\xff\xfe\x00{}\n")
    assert run(importing(tmp_path / "s.jsonl", "--suggestions")) == 3
    assert "line 1: no suggestion" in capsys.readouterr().err
