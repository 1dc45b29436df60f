"""`--confine-images`: an image of a table lies below the image root, whatever the table says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from crossguard.data.tables import PostReader


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "images"
    (root / "inside").mkdir(parents=True)
    for path in (root / "inside" / "a.png", tmp_path / "secret.png"):
        Image.new("RGB", (8, 8)).save(path)
    (root / "to-inside.png").symlink_to(root / "inside" / "a.png")
    (root / "to-outside.png").symlink_to(tmp_path / "secret.png")
    (root / "folder").symlink_to(tmp_path)
    return root


def read(root: Path, image: str, *, confine: bool = True) -> str | None:
    table = root.parent / "posts.jsonl"
    table.write_text(json.dumps({"id": "1", "image_path": image}))
    (post,) = PostReader(table, image_root=root, confine_images=confine)
    return post.error.code if post.error else None


@pytest.mark.parametrize(
    "image", ["../secret.png", "inside/../../secret.png", "to-outside.png", "folder/secret.png", "{outside}"]
)
def test_an_image_outside_the_root_is_refused_and_only_then(root: Path, image: str) -> None:
    image = image.replace("{outside}", str(root.parent / "secret.png"))
    assert read(root, image) == "image_outside_root"
    assert read(root, image, confine=False) is None


@pytest.mark.parametrize("image", ["inside/a.png", "inside/../inside/a.png", "to-inside.png"])
def test_an_image_below_the_root_is_read(root: Path, image: str) -> None:
    assert read(root, image) is None
