from __future__ import annotations

import tarfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.unit.jobs.conftest import InlineWorker, parts_of, png, write_jsonl

from crossguard.bundle import Bundle
from crossguard.cli import run as main
from crossguard.cli import score_many
from crossguard.cli.score_many import JobProgress, print_job, wanted
from crossguard.errors import UnitError
from crossguard.jobs import estimate, run
from crossguard.jobs.summary import JobSummary
from crossguard.jobs.units import Part, Task

Score = Callable[..., tuple[int, str]]


@pytest.fixture
def score(tiny_bundle: Bundle, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Score:
    """Runs the command with workers in this process; returns its exit code and what it said on both streams."""
    monkeypatch.setattr(run, "make_workers", lambda _, job, __: [InlineWorker(job.spec, job.identity)])
    monkeypatch.setattr(estimate, "LocalWorker", lambda spec, identity, *_, **__: InlineWorker(spec, identity))

    def call(*args: str | Path) -> tuple[int, str]:
        capsys.readouterr()
        code = main(["score", "--model", str(tiny_bundle.folder), *map(str, args)])
        captured = capsys.readouterr()
        return code, captured.out + captured.err

    return call


@pytest.mark.parametrize(
    ("sources", "out", "expected"),
    [
        (["a.csv"], "a.jsonl", False),
        (["a.csv"], None, False),
        (["a.csv", "b.csv"], "out", True),
        (["s3://bucket/a.csv"], "out", True),
        (["a.csv"], "s3://bucket/out", True),
        (["*.csv"], "out", True),
        (["a.csv"], "out/", True),
    ],
)
def test_what_is_a_job(sources: list[str], out: str | None, *, expected: bool) -> None:
    assert wanted(sources, out) is expected


def test_a_question_mark_is_a_pattern_where_files_match_it(tmp_path: Path) -> None:
    (tmp_path / "part-1.csv").touch()
    assert wanted([f"{tmp_path}/part-?.csv"], "a.jsonl")
    assert not wanted([f"{tmp_path}/post-?.csv"], "a.jsonl")


def test_what_posts_are_scored_without_is_told_as_of_one_file(score: Score, tmp_path: Path) -> None:
    unread = "id,title,comment,image_url\n1,a,Women are too stupid to vote,https://a.example/x.jpg\n"
    (tmp_path / "one.csv").write_text(unread)
    (tmp_path / "two.csv").write_text("id,text\n2,Good morning\n")
    code, told = score(tmp_path / "one.csv", tmp_path / "two.csv", "-o", f"{tmp_path}/out/")
    assert code == 0
    for column in ("'image_url' is not read", "'title' is not scored", "'comment' is read as text"):
        assert f"note: column {column}" in told
    assert "(1 part)" in told
    _, alone = score(tmp_path / "one.csv", "-o", tmp_path / "one.jsonl")
    assert all(line in told for line in alone.splitlines() if line.startswith("note: "))


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--workers", "1", "-o", "out/"], "A job reads files: name them"),
        (["a.jsonl", "b.jsonl"], "Name one: -o decisions/"),
        (["a.jsonl", "b.jsonl", "-o", "out.csv"], "'out.csv' looks like a file"),
        (["a.jsonl", "-o", "out/", "--limit", "3"], "--limit does nothing for many files"),
        (["a.jsonl", "-o", "out/", "--verbose"], "--verbose does nothing for many files"),
        (["a.jsonl", "-o", "out/", "--show-text"], "--show-text does nothing for many files"),
        (["-", "--dry-run"], "A job reads files: name them"),
        (
            ["a.jsonl", "--dry-run", "--engine", "ray"],
            "--engine does nothing beside --dry-run, which measures the whole job on",
        ),
        (["a.jsonl", "--dry-run", "--metrics-port", "9"], "--metrics-port does nothing beside --dry-run"),
        (["a.jsonl", "-o", "s3://bucket/out.jsonl?region=eu"], "'s3://bucket/out.jsonl?region=eu' looks like a file"),
        (["a.jsonl", "-o", "out/", "--on-error", "skip"], "--on-error does nothing for many files"),
        (["a.jsonl", "--dry-run", "--resume"], "--resume does nothing beside --dry-run"),
        (["a.jsonl", "--dry-run", "--shards", "0/2"], "--shards does nothing beside --dry-run"),
        (["a.jsonl", "-o", "out", "--engine", "ray", "--limit", "3"], "--limit does nothing for many files"),
    ],
)
def test_a_wrong_command_line_is_told(score: Score, args: list[str], message: str) -> None:
    code, said = score(*args)
    assert code == 2
    assert message in " ".join(said.split())


@pytest.mark.parametrize("args", [[], ["-o", "out/"], ["-o", "out.csv"], ["--dry-run"]])
def test_the_command_that_images_are_told_scores_them(score: Score, tmp_path: Path, args: list[str]) -> None:
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(png((40, 30)))
    for images in ([tmp_path / "a.png", tmp_path / "b.png"], [tmp_path / "*.png"], [tmp_path / "a.png"]):
        code, told = score(*images, *args)
        told = " ".join(told.split())
        assert code != 0
        assert told.endswith(f": crossguard score {tmp_path}/"), told
    assert score(f"{tmp_path}/", "-o", tmp_path / "out.csv")[0] == 0


@pytest.mark.parametrize("out", [None, "out.jsonl", "out/"])
@pytest.mark.parametrize(
    "text",
    [
        ["what the f*** man"],
        ["f***"],
        ["b*tch!"],
        ["look at https://t.co/abc now"],
        ["https://t.co/abc look"],
        ["you", "f***", "https://t.co/abc"],
        ["I do not know what to think about this. " * 8],
        ["I do not know what to think about this. " * 8, "foo"],
    ],
)
def test_a_text_is_no_job(score: Score, tmp_path: Path, text: list[str], out: str | None) -> None:
    code, said = score(*text, *(["-o", f"{tmp_path}/{out}"] if out else []))
    assert code == 2
    assert f"To score a text: crossguard score --text '{' '.join(text)[:20].strip()}" in said
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_downloaded(score: Score, tmp_path: Path) -> None:
    for out in ("out.jsonl", "out/"):
        code, said = score("https://example.com/posts.csv", "-o", tmp_path / out)
        assert (code, "INPUT is never downloaded" in said) == (2, True)
    (tmp_path / "in.csv").write_text("text\nhello\n")
    _, said = score(tmp_path / "in.csv", "https://example.com/posts.csv", "-o", tmp_path / "out/")
    assert "There is no file 'https://example.com/posts.csv'" in said, "the other one is there"


@pytest.mark.parametrize(
    ("sources", "told"),
    [(["a b.csv", "x.csv"], True), (["*.csv"], False), (["s3://b/c.csv"], False)],
)
def test_a_command_for_one_file_is_shown_only_where_it_is_one(score: Score, sources: list[str], *, told: bool) -> None:
    code, said = score(*sources)
    assert (code, "crossguard score 'a b.csv' -o decisions.csv" in said) == (2, told)
    assert ("The decisions on one file" in said) is told


def test_a_name_that_is_too_long_is_one_line(score: Score, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("text\nhello\n")
    code, said = score(tmp_path / "in.csv", "-o", tmp_path / f"{'a' * 300}.jsonl")
    assert code == 7
    assert "File name too long" in said


def test_a_job_is_run_and_summed_up(score: Score, tmp_path: Path) -> None:
    source = write_jsonl(tmp_path / "in.jsonl", 12)
    code, said = score(source, "-o", f"{tmp_path}/out/", "--unit-posts", "5", "--core-hour-price", "0.04")
    assert code == 0
    assert "3 parts, 12 posts" in said
    assert "core-hours at 0.04 = 0.00" in said
    assert "not scored: line_malformed 1" in said
    assert f"decisions: {tmp_path}/out/: 3 parts, 12 posts, 1 of them not scored" in said
    assert score(source, "-o", f"{tmp_path}/out/", "--unit-posts", "5", "--resume", "-q") == (0, "")
    assert len(parts_of(tmp_path / "out")) == 4


def test_units_that_are_left_have_an_exit_code(score: Score, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse_one(self: InlineWorker, task: Task, progress: Callable[[int], None]) -> Part:
        if task.unit.index == 1:
            raise UnitError("Unit 1 ends its worker")
        return task_run(self, task, progress)

    task_run = InlineWorker.run
    monkeypatch.setattr(InlineWorker, "run", refuse_one)
    source = write_jsonl(tmp_path / "in.jsonl", 12)
    code, said = score(source, "-o", f"{tmp_path}/out/", "--unit-posts", "5")
    assert code == score_many.UNFINISHED
    assert "Error: Unit 1 ends its worker" in said
    assert "the manifest is written with the last of them" in said


def test_ctrl_c_says_how_to_continue(score: Score, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: Any) -> Part:
        raise KeyboardInterrupt

    monkeypatch.setattr(InlineWorker, "run", interrupt)
    code, said = score(write_jsonl(tmp_path / "in.jsonl", 12), "-o", f"{tmp_path}/out/")
    assert code == 130
    assert "the same command with --resume does the rest" in said


def test_a_dry_run_says_what_a_job_would_cost_and_writes_nothing(
    score: Score, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_jsonl(tmp_path / "in.jsonl", 12)
    monkeypatch.chdir(tmp_path)
    code, said = score(source, "-o", f"{tmp_path}/out/", "--dry-run", "--core-hour-price", "0.04")
    assert code == 0
    for told in ("input: 1 file, ", "12 posts", "output: 1 part\n", "measured: 12 of these", "core-hours at 0.04 ="):
        assert told in said
    assert list(tmp_path.iterdir()) == [source]


def test_a_dry_run_reads_no_parts_of_a_job_in_the_folder_of_its_input(score: Score, tmp_path: Path) -> None:
    write_jsonl(tmp_path / "in.jsonl", 12)
    assert score(tmp_path, "-o", f"{tmp_path}/out/")[0] == 0
    assert "input: 1 file, " in score(tmp_path, "-o", f"{tmp_path}/out/", "--dry-run")[1]


def test_a_dry_run_counts_images_of_a_folder_and_posts_of_tar_files(score: Score, tmp_path: Path) -> None:
    images, packed = tmp_path / "images", tmp_path / "packed"
    images.mkdir()
    packed.mkdir()
    for place in range(8):
        (images / f"{place}.png").write_bytes(png((20, 20)) if place else b"no image")
    with tarfile.open(packed / "posts.tar", "w") as tar:
        for place in range(1, 8):
            tar.add(images / f"{place}.png", f"{place}.png")
    code, said = score(images, "-o", f"{tmp_path}/out/", "--dry-run", "--unit-posts", "5")
    assert code == 0
    for told in ("input: 8 files, ", " 8 posts\n", "output: 2 parts\n", "measured: 8 of these posts, 1 of them not"):
        assert told in said
    code, said = score(packed, "-o", f"{tmp_path}/out/", "--dry-run")
    for told in ("input: 1 file, ", "about 7 posts\n", "output: 1 part\n", "measured: 7 of these posts; "):
        assert told in said


def test_images_beside_tables_are_told_and_can_be_scored(score: Score, tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    (source / "note.txt").write_text("one line\n")
    for place in range(7):
        (source / f"{place}.png").write_bytes(png((20, 20)))
    told = "note: 7 images beside the tables, not scored as posts of their own. For images instead of tables: "
    for args in (["--dry-run"], ["-o", f"{tmp_path}/a/"], ["-o", f"{tmp_path}/a/", "--resume"]):
        code, said = score(source, *args)
        assert (code, f"{told}--input-format folder\n" in said) == (0, True)
    folder = (source, "-o", f"{tmp_path}/b/", "--input-format", "folder")
    code, said = score(*folder)
    assert (code, "1 part, 7 posts" in said, "note:" in said) == (0, True, False)
    assert score(*folder, "--resume")[0] == 0


def test_what_is_left_out_of_a_folder_is_told(score: Score, tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    for name in ("note.txt", "a.csv.bz2", "b.csv.bz2", "c.xlsx.gz", "LICENSE"):
        (source / name).write_text("one line\n")
    told = (
        "note: left out, as they are no tables that are read: 4 files (.csv.bz2 2, without a suffix 1, .xlsx.gz 1)\n",
        f"note: left out, as it holds the decisions of a job: {source}/dec1\n",
    )
    first = score(source, "-o", f"{source}/dec1/")[1]
    assert [line in first for line in told] == [True, False]
    for args in (["--dry-run"], ["-o", f"{source}/dec2/"], ["-o", f"{source}/dec2/", "--resume"]):
        code, said = score(source, *args)
        assert (code, [line in said for line in told]) == (0, [True, True])
        assert "1 file, " in said or "1 post" in said


@pytest.mark.parametrize(
    ("out", "expected"),
    [
        ("s3://bucket/one.jsonl", True),
        ("s3://bucket/one.parquet?endpoint_override=127.0.0.1:9000", True),
        ("s3://bucket/one.jsonl/", False),
        ("s3://my.bucket", False),
        ("s3://bucket/v1.4?endpoint_override=127.0.0.1:9000", False),
        ("out.jsonl", True),
        ("out.d/", False),
    ],
)
def test_what_looks_like_a_file(out: str, expected: bool) -> None:
    assert score_many._looks_like_a_file(out) is expected


def test_progress_is_a_line_every_half_minute(capsys: pytest.CaptureFixture[str]) -> None:
    summary = JobSummary(planned=10, previous=2, done=4, posts=400, moving=20, seconds=40.0, cores=2)
    with JobProgress(bar=False, quiet=False, price=36.0) as progress:
        progress.see(20, summary)
        progress.see(20, summary)
    said = capsys.readouterr().err
    assert said == "420 posts, 10/s, 6 of 10 parts, cost 0.80, 40 s left for 0.80\n"
    with JobProgress(bar=False, quiet=True) as progress:
        progress.see(20, summary)
    assert capsys.readouterr().err == ""


def test_the_bar_shows_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    with JobProgress(bar=True, quiet=False) as progress:
        assert progress._bar is not None
        progress.see(20, JobSummary(planned=10, done=4, posts=400, seconds=40.0))
        task = progress._bar.tasks[0]
        assert (task.completed, task.total, task.fields["posts"]) == (4, 10, "400 posts, 10/s, 4 of 10 parts")
    assert "every half" not in capsys.readouterr().err


def test_a_sum_without_a_manifest_says_where_the_parts_are(capsys: pytest.CaptureFixture[str]) -> None:
    print_job(JobSummary(done=3, previous=1, posts=30, seconds=2.0, failed=Counter({"post_empty": 2})), "out/")
    said = capsys.readouterr().err
    assert said.startswith("3 parts after 1 of earlier runs, 30 posts, 15 posts/s\nnot scored: post_empty 2\n")
    assert "decisions: parts in out/" in said


def test_files_and_posts_that_were_lost_are_named(score: Score, tmp_path: Path) -> None:
    (tmp_path / "good.csv").write_text("id,text\n1,hello\n2,\n")
    (tmp_path / "bad.parquet").write_text("no table")
    (tmp_path / "worse.csv").write_text("id,number\n1,2\n")
    (tmp_path / "none.jsonl").touch()
    (tmp_path / "short.xlsx").write_text("no table")
    code, said = score(*sorted(tmp_path.glob("*.*")), "-o", f"{tmp_path}/out/")
    assert code == 0
    assert f"file_unreadable, such as '{tmp_path}/bad.parquet': " in said
    assert f"file_unreadable, such as '{tmp_path}/worse.csv': " in said
    assert f"file_unreadable, such as '{tmp_path}/none.jsonl': '{tmp_path}/none.jsonl' is empty (0 bytes)." in said
    assert f"file_unreadable, such as '{tmp_path}/short.xlsx': '{tmp_path}/short.xlsx' cannot be read as Excel" in said
    assert f"post_empty, such as '{tmp_path}/good.csv', '2': " in said


def test_a_job_that_scores_nothing_ends_with_its_own_code(score: Score, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("id,image_path\n1,gone.png\n2,gone.png\n")
    code, said = score(tmp_path / "in.csv", "-o", f"{tmp_path}/out/")
    assert (code, "image_not_found 2" in said) == (8, True)
    assert score(tmp_path / "in.csv", "-o", f"{tmp_path}/out/", "--resume")[0] == 8


def test_a_folder_may_have_a_dot_in_its_name(score: Score, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("text\nhello\n")
    assert score(tmp_path / "in.csv", "-o", f"{tmp_path}/decisions-v1.4/")[0] == 0


def test_columns_without_room_are_told_of_a_job_too(score: Score, tmp_path: Path) -> None:
    rows = ['{"text": "a"}'] * 100 + ['{"text": "b", "author": "x"}']
    (tmp_path / "in.jsonl").write_text("\n".join(rows))
    said = score(tmp_path / "in.jsonl", "-o", f"{tmp_path}/out/", "--keep", "--format", "csv")[1]
    assert "note: column 'author' is not kept" in said
