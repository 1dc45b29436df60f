from __future__ import annotations

import errno
import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from PIL import Image
from pyarrow import fs
from tests.unit.jobs.conftest import parts_of

from crossguard.bundle import Bundle
from crossguard.errors import ChangedError, OutputError, StorageError, TableError
from crossguard.jobs.run import score_files
from crossguard.jobs.storage import Entry, Storage, retried


class Faults:
    """Answers 503 in front of S3 for as many requests as it is told."""

    def __init__(self, application: Callable[..., Any]) -> None:
        self.application = application
        self.left = 0
        self.every = 0
        self.seen = 0
        self.puts = 0

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        self.seen += 1
        self.puts += environ["REQUEST_METHOD"] in {"PUT", "POST"}
        if self.left > 0 or (self.every and self.seen % self.every == 0):
            self.left -= 1
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            start_response("503 Slow Down", [("Content-Type", "application/xml"), ("Content-Length", "0")])
            return []
        return self.application(environ, start_response)


@pytest.fixture(scope="module")
def s3() -> Iterator[tuple[str, Faults]]:
    """The address of a bucket, with `{}` where a key goes, and what makes its server fail."""
    moto = pytest.importorskip("moto.server")
    serving = pytest.importorskip("werkzeug.serving")
    faults = Faults(moto.DomainDispatcherApplication(moto.create_backend_app))
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = serving.make_server("127.0.0.1", 0, faults, threaded=True)
    Thread(target=server.serve_forever, daemon=True).start()
    place = f"127.0.0.1:{server.server_port}"
    with _variables(AWS_ACCESS_KEY_ID="x", AWS_SECRET_ACCESS_KEY="x", AWS_EC2_METADATA_DISABLED="true"):  # noqa: S106
        client = fs.S3FileSystem(endpoint_override=place, scheme="http", region="us-east-1", allow_bucket_creation=True)
        client.create_dir("bucket")
        yield f"s3://bucket/{{}}?endpoint_override={place}&scheme=http&region=us-east-1", faults
    server.shutdown()
    server.server_close()


@contextmanager
def _variables(**values: str) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    yield
    for name, value in before.items():
        if value is None:
            del os.environ[name]
        else:
            os.environ[name] = value


def upload(address: str, folder: Path) -> None:
    target = Storage(address)
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            copy = path.with_suffix(".copy")
            copy.write_bytes(path.read_bytes())
            target.put(path.relative_to(folder).as_posix(), copy)
            copy.unlink()


def download(address: str) -> dict[str, bytes]:
    place = Storage(address)
    found = {}
    for entry in [*place.list(place.path, deep=True), place.entry(place.join("_manifest.jsonl"))]:
        assert entry is not None
        with place.open(entry) as stream:
            found[entry.path.removeprefix(f"{place.path}/")] = stream.readall()
    return found


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
    found = download(address.format("out"))
    faults.every = 7  # the client repeats these requests
    score_files(address.format("in"), address.format("busy"), **how)
    faults.every = 0
    assert download(address.format("busy")) == found
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
