"""Every hostile image in one table, through the command line, under a cap of memory and a deadline."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from tests.support.capped import run_capped
from tests.support.hostile_images import hostile_images

from crossguard.bundle import Bundle, write_manifest

# Half of what the manifests for containers ship, for the process and its decoders each.
MIB = 1024


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    for name, (content, _) in hostile_images().items():
        (folder / name).write_bytes(content)
    os.mkfifo(folder / "pipe.png")
    return folder


@pytest.fixture(scope="module")
def cropping(tiny_bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that crops: the default of recipes and of converted checkpoints."""
    folder = tmp_path_factory.mktemp("crop") / "tiny"
    shutil.copytree(tiny_bundle.folder, folder)
    manifest = json.loads((folder / "bundle.json").read_text())
    manifest["image"]["resize"] = "crop"
    write_manifest(folder, manifest)
    return folder


def test_a_table_of_hostile_images_gives_a_record_for_each(folder: Path, cropping: Path) -> None:
    expected = {name: codes for name, (_, codes) in hostile_images().items()}
    expected |= {
        "pipe.png": {"image_not_a_file"},
        "/dev/zero": {"image_not_a_file"},
        "/proc/kmsg": {"image_empty", "image_unreadable"},
        "/proc/self/maps": {"image_empty"},
        ".": {"image_is_directory"},
        "no\0name": {"image_not_found"},
        "missing.png": {"image_not_found"},
    }
    table = folder / "posts.jsonl"
    posts = [{"id": name, "image_path": name} for name in expected] + [{"id": "last", "text": "good morning"}]
    table.write_text("".join(json.dumps(post) + "\n" for post in posts))
    out = table.with_name("out.jsonl")
    command = ["score", str(table), "-o", str(out), "--model", str(cropping), "--quiet"]
    run_capped(f"from crossguard.cli import run; import sys; sys.exit(run({command!r}))", mib=MIB, seconds=120)
    records = [json.loads(line) for line in out.read_text().splitlines()]
    assert [record["id"] for record in records] == [*expected, "last"]
    told = {record["id"]: _code(record) for record in records}
    assert told.pop("last") == "scored"
    assert {name: code for name, code in told.items() if code not in expected[name]} == {}


def _code(record: dict[str, Any]) -> str:
    return str(record["error"]["code"]) if record["error"] else "scored"
