"""Every file that the how-to shows is one that `apply` takes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.support.aws_models import lint_problems, problems

from crossguard.deploy.sagemaker import Endpoint
from crossguard.deploy.sagemaker.spec import read_spec

PAGE = Path(__file__).parents[4] / "docs" / "how-to" / "deploy-on-sagemaker.md"
BLOCKS = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
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
