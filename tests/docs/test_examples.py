"""Every command and Python block of the documentation: parsed as the command line would, and run where it can be.

A page is run from top to bottom in one folder, so later commands find the files of earlier ones. Files that a page
takes for granted (`posts.csv`, `labelled.csv`, ...) are those of `tests.support.workspace`.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import click
import pytest
from tests.support.workspace import make_workspace

from crossguard.cli import root
from crossguard.errors import InputError

ROOT: Final = Path(__file__).resolve().parents[2]
PAGES: Final = sorted(
    [
        *(path for path in ROOT.glob("*.md") if path.name != "CHANGELOG.md"),
        *(ROOT / "docs").rglob("*.md"),
        ROOT / "benchmarks" / "README.md",
    ]
)
# A file that the reader writes: a YAML block after the line that names it.
FILE: Final = re.compile(r"`([\w-]+\.yaml)`[^\n]*\n+```yaml\n(.*?)^```", re.DOTALL | re.MULTILINE)
BLOCK: Final = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
# Commands that are parsed only, and why.
NOT_RUN: Final = {
    r"^crossguard (serve\b(?!.*--new-key)|review\b(?!.*--help))": "runs until it is stopped; tests/e2e starts it",
    r"\bdeploy sagemaker (apply|delete)\b": "talks to AWS; tests/integration/sagemaker plays AWS",
    r"--scores decisions/": "needs labels for the ids of a job; tests/unit/evaluation/test_score_tables.py reads one",
    r"s3://": "needs a storage; tests/unit/jobs plays S3",
    r"\bpush\b|ORGANISATION/|my-organisation/": "talks to the Hub",
    r"^crossguard (prepare|train|export)\b": "needs data sets, or hours; tests/integration trains small models",
    r"runs/|models/|\./my-model|sentence_templates|hatecheck": "needs trained models or data sets of the reader",
    r"\bperspective map\b|\./kept": "needs files of the page; tests/docs/test_leave_perspective.py walks it",
    r"\bdemo\b": "writes into the folder; tests/e2e opens the page in a browser",
}
# Python blocks that are compiled only, and why.
NOT_EXECUTED: Final = {
    r"sagemaker": "talks to AWS",
    r"spark\.": "needs Spark; tests/integration/jobs/test_spark.py runs it",
    r"https://commentanalyzer": "talks to Google; test_leave_perspective.py runs it against a server of ours",
    r"127\.0\.0\.1|localhost|http://|openai|googleapiclient": "talks to a running service; tests/e2e/serving does so",
    r"torch|transformers|tables/": "needs trained models",
}


def blocks(page: Path, *languages: str) -> list[str]:
    return [body for language, body in BLOCK.findall(page.read_text(encoding="utf-8")) if language in languages]


def commands(page: Path, *languages: str) -> list[str]:
    """The commands in blocks of these languages, each on one line."""
    found = []
    for body in blocks(page, *languages):
        prompt = "$ " if "$ " in body else ""
        for line in re.sub(r"\\\n\s*", "", body).splitlines():
            command = line.removeprefix(prompt).strip()
            if line.startswith(prompt) and command.startswith(("crossguard ", "printf ", "echo ")):
                found.append(command)
    return found


def reason(command: str, table: dict[str, str]) -> str | None:
    return next((why for pattern, why in table.items() if re.search(pattern, command)), None)


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.fixture(scope="session")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_workspace(tmp_path_factory.mktemp("workspace") / "files")


def parse(words: list[str]) -> None:
    """Parses a command line as far as it can be parsed without its files.

    Raises:
        click.UsageError: There is no such command, option or choice.
    """
    context: click.Context = click.Context(root, info_name="crossguard")
    command: click.Command = root
    while isinstance(command, click.Group):
        _, words, _ = command.make_parser(context).parse_args(words)
        if not words:
            return  # `crossguard review` does something without a subcommand
        _, found, words = command.resolve_command(context, words)
        assert found is not None
        command = found
        context = click.Context(command, info_name=command.name, parent=context)
        if "--help" in words or "-h" in words:
            return
    try:
        command.make_context(command.name, list(words), parent=context.parent)
    except click.exceptions.Exit:
        return  # an option such as --new-key does its work while it is parsed
    except InputError as error:
        if "does not exist" not in str(error):
            raise


# Blocks of Bash stand on pages that need files of the reader, or that a test of their own walks; they are parsed only.
RUN: Final = ("", "console")
DOCUMENTED: Final = sorted(
    (name(page), command)
    for page in PAGES
    for command in dict.fromkeys(commands(page, *RUN, "bash"))
    if command.startswith("crossguard ")
)


@pytest.mark.parametrize(("page", "command"), DOCUMENTED)
def test_a_documented_command_is_one_that_exists(page: str, command: str) -> None:
    line = re.split(r"\s(?:\||>|&&|<|#)\s?", command)[0]
    parse(shlex.split(line)[1:])


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if commands(page, *RUN)], ids=name)
def test_the_commands_of_a_page_run(page: Path, material: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(material, tmp_path / "work")
    for file, body in FILE.findall(page.read_text(encoding="utf-8")):
        (folder / file).write_text(body.replace("BUCKET", "bucket"), encoding="utf-8")
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "COLUMNS": "80"}
    for command in commands(page, *RUN):
        if reason(command, NOT_RUN):
            continue
        done = subprocess.run(
            ["bash", "-c", command], cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stdout[-500:]}\n{done.stderr[-2000:]}"
        assert "Traceback" not in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")], ids=name)
def test_the_python_blocks_of_a_page_run(
    page: Path, material: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(shutil.copytree(material, tmp_path / "work"))
    scope = {"__name__": "example"}
    for body in blocks(page, "python"):
        code = compile(body, str(page), "exec")
        if not reason(body, NOT_EXECUTED):
            exec(code, scope)  # noqa: S102 - our own documentation
