"""Parts that tasks put into a folder or a storage, and what others read there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from tests.support.object_storage import Faults, files_in, s3_server, upload
from tests.unit.jobs.conftest import parts_of, png

from crossguard.bundle import Bundle
from crossguard.cli.evaluate import command
from crossguard.data.writing import read_decisions
from crossguard.errors import TableError
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
    (tmp_path / "in" / "images").mkdir(parents=True)
    (tmp_path / "in" / "images" / "blue.png").write_bytes(png((40, 40)))
    (tmp_path / "in" / "posts.csv").write_text("id,image_path\n1,images/blue.png\n2,images/none.png\n3,../x.png\n")
    upload(address.format("memes"), tmp_path / "in")
    summary = score_files(address.format("memes/*.csv"), tmp_path / "out", model=tiny_bundle.folder)
    assert (summary.posts, summary.failed) == (3, {"image_not_found": 1, "image_outside_root": 1})


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
    with pytest.raises(TableError, match="no _manifest"):
        next(read_decisions(address.format("votes")))
