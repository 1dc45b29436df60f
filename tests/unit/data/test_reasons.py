"""Every reason that the code gives is described, and every described reason is given."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from crossguard.serving.batching import FAILED

ROOT = Path(__file__).resolve().parents[3]
SOURCES = sorted((ROOT / "src" / "crossguard").rglob("*.py"))
GIVERS = {"ImageError", "PostError", "Skipped", "_skipped"}
REASON = re.compile(r"[a-z]+(_[a-z0-9]+)+")


def given(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in GIVERS:
            texts = [argument.value for argument in node.args if isinstance(argument, ast.Constant)]
            yield from (text for text in texts if isinstance(text, str) and REASON.fullmatch(text))
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and node.value.value == FAILED:
            yield FAILED


def test_reasons_and_their_page_agree() -> None:
    in_code = {reason for source in SOURCES for reason in given(ast.parse(source.read_text(encoding="utf-8")))}
    page = (ROOT / "docs" / "reference" / "skipped-reasons.md").read_text(encoding="utf-8")
    assert in_code == set(re.findall(r"^\| `(\w+)`", page, re.MULTILINE))
    assert len(in_code) > 15
