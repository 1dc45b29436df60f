"""The path of docs/how-to/learn-from-votes.md is walked as it is written: 200 votes are cast over HTTP."""

from __future__ import annotations

import csv
import html
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
from tests.support.workspace import make_workspace

from crossguard.decision.policy_file import read_policy_file
from crossguard.labels import HATE

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "how-to" / "learn-from-votes.md").read_text(encoding="utf-8")
VOTES = 200
SERVE = "crossguard review --config review.yaml"
TEXT = re.compile(r'</summary>\s*<p dir="auto" tabindex="0">(.*?)</p>', re.DOTALL)


def commands() -> list[str]:
    return [line for block in re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A newcomer's folder: `posts.csv`, and `review.yaml` as the page has it."""
    made = make_workspace(tmp_path_factory.mktemp("votes") / "work")
    with (made / "labelled.csv").open(encoding="utf-8", newline="") as file:
        rows = [{"id": row["id"], "text": row["text"]} for row in csv.DictReader(file)]
    with (made / "posts.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["id", "text"])
        writer.writeheader()
        writer.writerows(rows)
    (settings,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    (made / "review.yaml").write_text(settings, encoding="utf-8")
    return made


def run(command: str, folder: Path) -> str:
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "COLUMNS": "120"}
    if " train " in command:  # a few steps show that the table fits
        command += " --set max_steps=2 --set per_device_train_batch_size=8"
    done = subprocess.run(
        ["bash", "-c", command], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-500:]}\n{done.stderr[-2000:]}"
    return done.stdout


@contextmanager
def console(folder: Path) -> Iterator[str]:
    """Starts the page's console and gives the link for its first person."""
    program = [sys.executable, "-m", *SERVE.split(), "--port", "0"]
    with subprocess.Popen(program, cwd=folder, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        link = ""
        for line in process.stderr:
            link = line.strip() if "/join/" in line else link
            if line.startswith("Review console:"):
                break
        try:
            yield link
        finally:  # else a failure inside would wait for the console to end by itself
            process.terminate()


def vote(link: str, truth: dict[str, dict[str, str]]) -> int:
    """Votes as the labels say; returns how often."""
    cast = 0
    with httpx2.Client(base_url=link.split("/join/", maxsplit=1)[0], follow_redirects=True, timeout=120) as client:
        fields = {"name": "Newcomer", "password": "correct horse", "again": "correct horse"}
        home = client.post(link, data=fields).text
        token = re.findall(r'name="csrf" content="([^"]+)"', home)[0]
        page = client.post("/queues/main/next", data={"csrf": token})
        while page.url.path.startswith("/items/") and cast < VOTES:
            answers = truth[html.unescape(TEXT.findall(page.text)[0])]
            action = "block" if "yes" in answers.values() else "allow"
            labels = {f"label.{name}": answer for name, answer in answers.items()}
            form = labels | {"csrf": token, "action": action, "submission": f"vote{cast}"}
            page = client.post(f"{page.url.path}/vote", data=form)
            cast += 1
    return cast


@pytest.mark.slow
def test_from_a_table_to_thresholds_learnt_from_200_votes(folder: Path) -> None:
    with (folder / "labelled.csv").open(encoding="utf-8", newline="") as file:
        truth = {
            " ".join(row["text"].split()): {
                name: "yes" if float(row[name] or 0) >= 0.5 else "no" for name in HATE.names
            }
            for row in csv.DictReader(file)
        }
    said = {}
    for command in commands():
        if command == SERVE:
            with console(folder) as link:
                assert vote(link, truth) == VOTES
        else:
            said[command] = run(command, folder)
    proposed = said[f"{SERVE} learn"]
    assert "newly flagged" in proposed
    learnt = read_policy_file(folder / "learnt.yaml")
    assert learnt.provenance["fitted_on"][0]["name"] == "review"
    assert (folder / "again.jsonl").read_text(encoding="utf-8").count('"policy": "learnt"') >= VOTES
    assert (folder / "my-forum.yaml").is_file()
    assert any((folder / "runs" / "mine").iterdir())
