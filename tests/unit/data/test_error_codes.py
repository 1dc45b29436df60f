"""Every error code that the code gives is described, and every described one is given."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
SOURCES = sorted((ROOT / "src" / "crossguard").rglob("*.py"))
GIVERS = {"ImageError", "PostError", "PostFailure", "failed", "_failed", "__init__"}  # the last of a class of errors
CODE = re.compile(r"[a-z]+(_[a-z0-9]+)+")


def given(tree: ast.Module) -> Iterator[str]:
    """Yields the codes of a module, as texts or by the names of its constants."""
    constants = {
        _name(node.target if isinstance(node, ast.AnnAssign) else node.targets[0]): node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _name(node.func) in GIVERS:
            found = [part.value if isinstance(part, ast.Constant) else constants.get(_name(part)) for part in node.args]
            yield from (text for text in found if isinstance(text, str) and CODE.fullmatch(text))


def _name(function: ast.expr) -> str:
    return getattr(function, "id", "") or getattr(function, "attr", "")


def test_codes_and_their_page_agree() -> None:
    in_code = {code for source in SOURCES for code in given(ast.parse(source.read_text(encoding="utf-8")))}
    page = (ROOT / "docs" / "reference" / "error-codes.md").read_text(encoding="utf-8")
    assert in_code == set(re.findall(r"^\| `(\w+)`", page, re.MULTILINE))
    assert len(in_code) > 15
