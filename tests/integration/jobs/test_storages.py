"""A whole job from the command line in each kind of storage: what is written there is what a disk would hold.

HDFS is no part of CI: tests/support/hdfs_server.sh runs a command beside one.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.support.gcs_server import gcs_server
from tests.support.object_storage import files_in, s3_server, upload
from tests.unit.jobs.conftest import png, write_jsonl, write_parquet

from crossguard.bundle import Bundle
from crossguard.cli import run as main
from crossguard.data.datasets.rows import Row, write_table
from crossguard.data.storage import Storage
from crossguard.training.pixels import cache_sources
from crossguard.training.recipe import Recipe, Source
from crossguard.training.sources import read_examples

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]


@pytest.fixture(scope="module", params=["s3", "gs", "hdfs"])
def address(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a storage, with `{}` where a name goes."""
    if request.param == "s3":
        with s3_server() as (found, _):
            yield found
    elif request.param == "gs":
        with gcs_server(every=20) as found:
            yield found
    elif "CROSSGUARD_TEST_HDFS" in os.environ:
        yield os.environ["CROSSGUARD_TEST_HDFS"] + "/test/{}"
    else:
        pytest.skip("no HDFS here: see tests/support/hdfs_server.sh")


def bodies(files: dict[str, bytes]) -> list[bytes]:
    """The parts, whose names hold a fingerprint of the input's times, without digests, which tell a path from bytes."""
    return [re.sub(rb', "digest": "\w+"', b"", body) for name, body in files.items() if "part-" in name]


def test_a_job_from_a_storage_into_it(address: str, tmp_path: Path, tiny_bundle: Bundle) -> None:
    here = tmp_path / "in"
    (here / "deep" / "images").mkdir(parents=True)
    (here / "_hidden").mkdir()
    write_jsonl(here / "a.jsonl", 20)
    write_jsonl(here / "_hidden" / "b.jsonl", 20)
    write_parquet(here / "deep" / "c.parquet", 30, rows_per_group=10)
    (here / "deep" / "images" / "blue.png").write_bytes(png((40, 40)))
    (here / "deep" / "memes.csv").write_text("id,image_path\n1,images/blue.png\n2,./images/blue.png\n")
    upload(address.format("in"), here)
    how = ["--model", str(tiny_bundle.folder), "--unit-posts", "10", "--workers", "1", "-q"]
    assert main(["score", str(here), "-o", f"{tmp_path}/out/", *how]) == 0
    command = ["score", address.format("in"), "-o", address.format("out"), *how]
    assert main(command) == 0
    written = files_in(address.format("out"))
    assert bodies(written) == bodies(files_in(f"{tmp_path}/out"))
    assert len(bodies(written)) == 2 + 3 + 1
    lost = Storage(address.format("out"))
    for name in (sorted(written)[2], "_manifest.jsonl"):
        lost.delete(name)
    assert main(command) == 7, "a job that is there is continued only when asked for"
    assert main([*command, "--resume"]) == 0
    assert files_in(address.format("out")) == written


def test_a_job_is_evaluated_where_it_lies(
    address: str, tmp_path: Path, tiny_bundle: Bundle, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [json.dumps({"id": f"{row}", "text": f"hello {row}", "racist": row % 2}) for row in range(10)]
    (tmp_path / "votes.jsonl").write_text("\n".join(lines))
    upload(address.format("votes"), tmp_path)
    votes, scores = address.format("votes"), address.format("scores")
    assert main(["score", votes, "-o", scores, "--model", str(tiny_bundle.folder), "--workers", "1", "-q"]) == 0
    assert main(["evaluate", votes, "--scores", scores, "--rounds", "0", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["main"]["posts"] == 10


def test_what_is_trained_on_may_lie_in_a_storage(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "images").mkdir()
    image = tmp_path / "images" / "blue.png"
    image.write_bytes(png((40, 40)))
    rows = [Row(f"p{number}", f"words {number}", image=image, labels={"racist": number % 2}) for number in range(8)]
    write_table(rows, ("racist",), "t", tmp_path / "t.parquet")
    upload(address.format("train"), tmp_path)
    recipe = Recipe(labels=("racist",), image_size=32, sources={"t": Source()})
    here, there = (read_examples(recipe, place)[0] for place in (tmp_path, address.format("train")))
    # As addresses of images have no place for settings, these come from the environment.
    for endpoint in re.findall("override=([^&]+)", address):
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{endpoint}")
        monkeypatch.setenv("CLOUD_STORAGE_EMULATOR_ENDPOINT", f"http://{endpoint}")
    stored, cached = (cache_sources(each, recipe.image_spec(), tmp_path / "cache") for each in (there, here))
    first, same = here.image_of(0), there.image_of(0)
    assert first is not None
    assert same is not None
    np.testing.assert_array_equal(stored.images[same], cached.images[first])
    assert there.fingerprint(stored.contents) == here.fingerprint(cached.contents) != here.fingerprint({})
