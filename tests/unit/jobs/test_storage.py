from __future__ import annotations

import errno
import json
import os
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from PIL import Image
from pyarrow import ArrowInvalid
from tests.support.object_storage import Faults, files_in, s3_server, upload
from tests.unit.jobs.conftest import parts_of

from crossguard.bundle import Bundle
from crossguard.cli.evaluate import command
from crossguard.data.storage import Entry, Storage, retried
from crossguard.data.writing import read_decisions
from crossguard.errors import ChangedError, ConfigError, OutputError, StorageError, TableError
from crossguard.evaluation.annotated import read_annotated
from crossguard.jobs.run import score_files


@pytest.fixture(scope="module")
def s3() -> Iterator[tuple[str, Faults]]:
    """The address of a bucket, with `{}` where a key goes, and what makes its server fail."""
    with s3_server() as server:
        yield server


@pytest.mark.usefixtures("inline")
def test_a_storage_holds_what_a_disk_would(
    s3: tuple[str, Faults], folder: Path, tmp_path: Path, tiny_bundle: Bundle
) -> None:
    address, faults = s3
    how: dict[str, Any] = {"model": tiny_bundle.folder, "unit_posts": 10}
    score_files(folder, tmp_path / "whole", **how)
    expected = parts_of(tmp_path / "whole")
    upload(address.format("in"), folder)
    puts = faults.puts
    summary = score_files(address.format("in"), address.format("out"), **how)
    assert summary.totals is not None
    assert summary.totals.posts == 90
    assert faults.puts - puts == 9 + 3  # parts, plan, job and manifest: one request each
    again = score_files(address.format("in"), address.format("out"), resume=True, **how)
    assert (again.previous, again.done) == (9, 0)
    found = files_in(address.format("out"))
    faults.every = 7  # the client repeats these requests
    score_files(address.format("in"), address.format("busy"), **how)
    faults.every = 0
    assert files_in(address.format("busy")) == found
    # Names and manifest differ by the times of the input, which are part of its identity; the rows are the same.
    assert [body for name, body in found.items() if "part-" in name] == [
        body for name, body in expected.items() if "part-" in name
    ]


@pytest.mark.usefixtures("inline")
def test_images_beside_a_table_in_a_storage(s3: tuple[str, Faults], tmp_path: Path, tiny_bundle: Bundle) -> None:
    address, _ = s3
    image = BytesIO()
    Image.new("RGB", (40, 40), "blue").save(image, "PNG")
    (tmp_path / "in" / "images").mkdir(parents=True)
    (tmp_path / "in" / "images" / "blue.png").write_bytes(image.getvalue())
    (tmp_path / "in" / "posts.csv").write_text("id,image_path\n1,images/blue.png\n2,images/none.png\n3,../x.png\n")
    upload(address.format("memes"), tmp_path / "in")
    summary = score_files(address.format("memes/*.csv"), tmp_path / "out", model=tiny_bundle.folder)
    assert (summary.posts, summary.failed) == (3, {"image_not_found": 1, "image_outside_root": 1})


def test_a_storage_that_is_down_is_told_and_not_taken_for_damage(
    s3: tuple[str, Faults], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, faults = s3
    (tmp_path / "a.jsonl").write_text('{"text": "a"}\n')
    upload(address.format("down"), tmp_path)
    place = Storage(address.format("down"))
    entry = place.entry(place.join("a.jsonl"))
    assert entry is not None
    monkeypatch.setattr(time, "sleep", lambda _: None)
    with place.open(entry) as stream:
        faults.left = 10_000
        with pytest.raises(StorageError, match=r"a\.jsonl' cannot be reached"):
            stream.readall()
        faults.left = 0


def test_requests_are_repeated_ever_later(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    answers: list[Exception] = [OSError("slow down"), OSError("slow down")]

    def request() -> str:
        if answers:
            raise answers.pop()
        return "done"

    assert retried(request, "x") == "done"
    assert waits == pytest.approx([0.2, 0.6])
    answers += [OSError("down")] * 9
    with pytest.raises(StorageError, match="'x' cannot be reached: down"):
        retried(request, "x")


def test_a_request_that_the_storage_calls_invalid_is_not_repeated() -> None:
    asked = []

    def refuse() -> None:
        asked.append(1)
        raise ArrowInvalid("google::cloud::Status(INVALID_ARGUMENT: bad name)\nmore")

    with pytest.raises(StorageError, match=r"refuses 'x': google::cloud::Status\(INVALID_ARGUMENT: bad name\)$"):
        retried(refuse, "x")
    assert len(asked) == 1


def test_a_file_is_put_at_once(tmp_path: Path) -> None:
    place = Storage(str(tmp_path / "out"))
    with place.scratch() as scratch:
        (scratch / "file").write_text("whole")
        place.put("00000/part", scratch / "file")
    assert (tmp_path / "out" / "00000" / "part").read_text() == "whole"
    assert list((tmp_path / "out" / "_unfinished").iterdir()) == []


@pytest.mark.parametrize(("code", "kind"), [(errno.ENOSPC, OutputError), (errno.EIO, StorageError)])
def test_a_full_disk_is_another_thing_than_a_slow_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, kind: type[Exception]
) -> None:
    place = Storage(str(tmp_path))

    def refuse(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    with place.scratch() as scratch:
        (scratch / "file").write_text("x")
        monkeypatch.setattr(Path, "replace", refuse)
        with pytest.raises(kind, match=os.strerror(code)):
            place.put("part", scratch / "file")


def test_a_file_that_changed_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("one")
    place = Storage(str(tmp_path))
    entry = place.entry(place.join("a"))
    assert entry is not None
    with place.open(entry, [(0, 1), (2, 3)]) as stream:
        assert stream.readall() == b"oe"
    with pytest.raises(ChangedError, match="changed since"):
        place.open(Entry(entry.path, entry.size, 1))
    (tmp_path / "a").unlink()
    with pytest.raises(ChangedError, match="is gone since"):
        place.open(entry)


def test_an_address_that_is_none_is_told() -> None:
    with pytest.raises(TableError, match="Cannot understand the address"):
        Storage("s3://")


def test_what_hdfs_needs_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARROW_LIBHDFS_DIR", "/none")
    for _ in range(2):
        with pytest.raises(ConfigError, match=r"'hdfs://namenode:8020/': .*Set JAVA_HOME, ARROW_LIBHDFS_DIR"):
            Storage("hdfs://namenode:8020/posts")


@pytest.mark.parametrize(
    ("address", "path", "again"),
    [
        ("gs://bucket/a/b", "bucket/a/b", "gs://bucket/a/b"),
        ("gs://anonymous@bucket/a/", "bucket/a", "gs://anonymous@bucket/a"),
        ("s3://bucket/a?region=us-east-1", "bucket/a", "s3://bucket/a"),
        ("s3://key:secret@bucket/?region=us-east-1", "bucket", "s3://bucket"),
    ],
)
def test_a_path_is_told_as_an_address(address: str, path: str, again: str) -> None:
    place = Storage(address)
    assert (place.path, place.address_of(place.path)) == (path, again)


@pytest.mark.usefixtures("inline")
def test_a_table_is_evaluated_where_it_lies(s3: tuple[str, Faults], tmp_path: Path, tiny_bundle: Bundle) -> None:
    address, _ = s3
    for part in range(2):
        lines = [f'{{"id": "{part}{row}", "text": "hello {row}", "racist": {row % 2}}}\n' for row in range(10)]
        (tmp_path / f"{part}.jsonl").write_text("".join(lines))
    upload(address.format("votes"), tmp_path)
    for kind in ("jsonl", "parquet"):
        score_files(address.format("votes"), address.format(kind), model=tiny_bundle.folder, format=kind)
        arguments = [address.format("votes"), "--scores", address.format(kind), "--rounds", "0", "--json"]
        done = CliRunner().invoke(command, arguments, catch_exceptions=False)
        assert json.loads(done.stdout)["main"]["posts"] == 20
    read = read_annotated(tmp_path, ["racist"], words=False)
    assert (read.ids[0], read.posts[0].text, read.truth[:2].tolist()) == ("00", "", [[0.0], [1.0]])
    with pytest.raises(OutputError, match="no _manifest"):
        next(read_decisions(address.format("votes")))
