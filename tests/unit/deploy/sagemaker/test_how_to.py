"""Every file that the how-to shows is one that `apply` takes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.support.aws_models import lint_problems, problems

from crossguard.__about__ import __version__
from crossguard.bundle import read_bundle
from crossguard.deploy.sagemaker import Endpoint
from crossguard.deploy.sagemaker.spec import read_spec
from crossguard.registry import RESOURCES

PAGE = Path(__file__).parents[4] / "docs" / "how-to" / "deploy-on-sagemaker.md"
TEXT = PAGE.read_text(encoding="utf-8")
BLOCKS = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
CONTAINER = re.search(r"container:\n(  .*\n)+", BLOCKS[0])
assert CONTAINER is not None
# A block that shows another capacity stands for the first file with that capacity; "as above" is meant.
HEAD = f"kind: endpoint\nname: hate\n{CONTAINER[0]}"
FILES = [
    (block if block.startswith("kind:") else HEAD + block).replace("BUCKET", "bucket")
    for block in (re.sub(r"container: \{.*\n", CONTAINER[0], text) for text in BLOCKS)
]


def test_the_page_shows_every_kind() -> None:
    words = "kind: endpoint", "kind: serverless", "kind: async", "kind: transform", "kind: training"
    assert all(any(word in file for file in FILES) for word in words)


@pytest.mark.parametrize("text", FILES)
def test_a_shown_file_makes_requests_that_aws_describes(text: str, tmp_path: Path) -> None:
    file = tmp_path / "spec.yaml"
    file.write_text(text)
    thing = read_spec(file)
    if isinstance(thing, Endpoint):
        assert lint_problems(thing.template()) == []
    else:
        assert problems(thing.requests()) == []


def test_every_version_has_a_key_and_a_tag_of_its_own() -> None:
    """Under the same ones, a stack with another model or image would be the same."""
    version = read_bundle(RESOURCES / "compact").manifest.model.version
    assert set(re.findall(r"[\w./-]+(?<!source)(?<!output)\.tar\.gz", TEXT)) == {
        f"compact-{version}.tar.gz",
        f"//BUCKET/models/compact-{version}.tar.gz",
    }
    assert set(re.findall(r"/crossguard:([\w.-]+)", TEXT)) == {__version__}


def test_our_own_image_is_told_in_every_snippet_that_nobody_else_reaches_it() -> None:
    """It listens on every interface, and without keys would not start."""
    snippets = [text for text in re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL) if "/crossguard:" in text]
    assert len(snippets) == 2
    assert all('{"CROSSGUARD_INSECURE": "true"}' in text for text in snippets)
