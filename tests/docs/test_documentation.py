"""The documentation is true: links lead somewhere, examples run, every command is described as it is."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")
ANCHOR = re.compile(r"\[[^\]]*\]\(([^)#\s]*)#([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
PYTHON = re.compile(r"```python\n(.*?)```", re.DOTALL)
CONSOLE = re.compile(r"```console\n(.*?)```", re.DOTALL)
# Pages whose examples are run from top to bottom, each in its own folder.
RUNNABLE = [ROOT / "README.md", *sorted((ROOT / "docs" / "tutorial").glob("*.md"))]


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    targets = [target for target in LINK.findall(page.read_text(encoding="utf-8")) if "://" not in target]
    missing = [target for target in targets if not (page.parent / target).exists()]
    assert missing == []


def anchors(page: Path) -> set[str]:
    """Returns the anchors that GitHub gives the headings of a page."""
    headings = HEADING.findall(page.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_anchors_are_headings(page: Path) -> None:
    targets = [found for found in ANCHOR.findall(page.read_text(encoding="utf-8")) if "://" not in found[0]]
    pages = {file: page.parent / file if file else page for file, _ in targets}
    assert [f"{file}#{anchor}" for file, anchor in targets if anchor not in anchors(pages[file])] == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_pages_are_reachable_from_the_readme(page: Path) -> None:
    seen: set[Path] = set()
    todo = [ROOT / "README.md"]
    while todo:
        current = todo.pop()
        if current in seen or current.suffix != ".md" or not current.is_file():
            continue
        seen.add(current)
        targets = LINK.findall(current.read_text(encoding="utf-8"))
        todo.extend((current.parent / target).resolve() for target in targets if "://" not in target)
    assert page in seen


@pytest.mark.parametrize("page", [page for page in RUNNABLE if PYTHON.search(page.read_text())], ids=name)
def test_python_examples_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    source = "\n".join(PYTHON.findall(page.read_text(encoding="utf-8")))
    exec(compile(source, str(page), "exec"), {"__name__": "example"})  # noqa: S102 - our own documentation


@pytest.mark.parametrize("page", [page for page in RUNNABLE if CONSOLE.search(page.read_text())], ids=name)
def test_console_examples_run(page: Path, tmp_path: Path) -> None:
    lines = [line[2:] for block in CONSOLE.findall(page.read_text()) for line in block.splitlines() if line[:2] == "$ "]
    commands = [line for line in lines if line.startswith(("crossguard", "printf"))]
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    for command in commands:
        done = subprocess.run(
            ["bash", "-c", command], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stderr}"


def test_the_command_line_is_described_as_it_is() -> None:
    script = ROOT / "scripts" / "write_command_line_docs.py"
    page = runpy.run_path(str(script))["PAGE"].read_text(encoding="utf-8")
    # In a process of its own, as click keeps the help option of the first context that a command was called in.
    code = "import runpy, sys; sys.stdout.write(runpy.run_path(sys.argv[1])['page']())"
    written = subprocess.run([sys.executable, "-c", code, str(script)], capture_output=True, text=True, check=True)
    assert page == written.stdout, "run scripts/write_command_line_docs.py"


def test_the_readme_names_the_command_by_which_ci_tests() -> None:
    (command,) = re.findall(r"make test\b", (ROOT / ".ci" / "run").read_text(encoding="utf-8"))
    assert f"`{command}`" in (ROOT / "README.md").read_text(encoding="utf-8")
