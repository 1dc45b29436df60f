"""The path of docs/how-to/leave-perspective.md is walked as it is written, with the address of a server of ours."""

from __future__ import annotations

import csv
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.support.perspective_bundle import write_perspective_bundle
from tests.support.server import RunningServer
from tests.support.workspace import make_workspace

from crossguard.bundle import Bundle, write_manifest
from crossguard.moderator import Moderator

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "how-to" / "leave-perspective.md").read_text(encoding="utf-8")
ADDRESS = "http://127.0.0.1:8080"
WORDS = ("hello", "good", "morning", "you", "are", "all", "awful", "people", "i", "love", "hate", "my", "friends")

NODE_MODULES = Path(os.environ.get("CROSSGUARD_NODE_MODULES", Path(__file__).resolve().parents[2] / "node_modules"))
PERSPECTIVE_API_CLIENT = """PATCH
new Perspective({apiKey: 'any'}).analyze('good morning').then(
  answer => console.log(answer.attributeScores.TOXICITY.summaryScore.value));
"""
CONVERSATION_AI = """
const {Client} = require('@conversationai/perspectiveapi-js-client');
const client = new Client('any');
PATCH;
client.getScores('good morning', {attributes: ['TOXICITY']}).then(found => console.log(found.TOXICITY));
"""
GOOGLEAPIS = """
const {Discovery} = require('googleapis-common');
new Discovery().discoverAPI(PATCH).then(async make => {
  const client = make({});
  client.google = {_options: {}};
  const resource = {comment: {text: 'good morning'}, requestedAttributes: {TOXICITY: {}}};
  const {data} = await client.comments.analyze({key: 'any', resource});
  console.log(data.attributeScores.TOXICITY.summaryScore.value);
});
"""
# By client for Node: where the page says how its address is changed, and a script around that.
CLIENTS = {
    "perspective-api-client": (r"```javascript\n(.*?)```", PERSPECTIVE_API_CLIENT),
    "@conversationai/perspectiveapi-js-client": (r"`(client\.perspectiveApiUrl = '[^']+')`", CONVERSATION_AI),
    "googleapis-common": (r"`google\.discoverAPI\(('[^']+')\)`", GOOGLEAPIS),
}


def blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)


def commands(word: str) -> list[str]:
    return [line[2:] for block in blocks("console") for line in block.splitlines() if line.startswith(f"$ {word}")]


def run(command: str, folder: Path) -> str:
    """Runs a command of the page as a shell would, and returns what it prints."""
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "COLUMNS": "120"}
    ended = subprocess.run(
        ["bash", "-c", command], cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.fixture(scope="module")
def bundle(tiny_bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return write_perspective_bundle(tiny_bundle, tmp_path_factory.mktemp("attributed") / "bundle")


@pytest.fixture(scope="module")
def server(bundle: Bundle) -> Iterator[RunningServer]:
    with RunningServer(bundle.folder, drain_s=0) as running:
        yield running


def test_the_requests_of_the_page_are_answered(server: RunningServer) -> None:
    asked = commands("curl")
    assert asked
    for command in asked:
        words = shlex.split(command)
        url = next(word for word in words if word.startswith(ADDRESS)).replace(ADDRESS, server.url)
        with server.client() as client:
            answer = client.post(url, content=words[-1], headers={"content-type": "application/json"})
        assert set(answer.json()["attributeScores"]) == {"TOXICITY", "INSULT"}


def test_the_python_of_the_page_runs(server: RunningServer, capsys: pytest.CaptureFixture[str]) -> None:
    source, _, _ = blocks("python")
    names: dict[str, Any] = {"__name__": "page"}
    exec(compile(source.replace(ADDRESS, server.url), "page", "exec"), names)  # noqa: S102 - our own page
    names["client"].close()
    assert 0 <= float(capsys.readouterr().out) <= 1


@pytest.mark.parametrize("package", CLIENTS)
def test_the_javascript_of_the_page_runs(package: str, server: RunningServer) -> None:
    node = shutil.which("node")
    if node is None or not (NODE_MODULES / package).is_dir():
        pytest.skip(f"needs node, and `npm install {package}`")
    patch, call = CLIENTS[package]
    (found,) = re.findall(patch, PAGE, re.DOTALL)
    script = call.replace("PATCH", found).replace(ADDRESS, server.url)
    environment = os.environ | {"NODE_PATH": str(NODE_MODULES), "NO_PROXY": "*", "no_proxy": "*"}
    ended = subprocess.run(
        [node, "-e", script], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert 0 <= float(ended.stdout) <= 1


def test_scores_of_perspective_are_fetched_for_a_table(
    server: RunningServer, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = ["good morning", "\u200b", "all people, my friends"]
    (tmp_path / "comments.csv").write_text("\n".join(["text", *(f'"{text}"' for text in texts)]), encoding="utf-8-sig")
    monkeypatch.chdir(tmp_path)
    _, source, _ = blocks("python")
    source = source.replace("https://commentanalyzer.googleapis.com", server.url).replace("sleep(1.1)", "sleep(0)")
    exec(compile(source, "page", "exec"), {"__name__": "page"})  # noqa: S102 - our own page
    assert capsys.readouterr().out.startswith("400 ")
    with (tmp_path / "both.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["text"] for row in rows] == [texts[0], texts[2]]
    assert all(0 <= float(row[name]) <= 1 for row in rows for name in ("TOXICITY", "INSULT"))


def test_a_day_side_by_side_shows_where_the_two_disagree(
    server: RunningServer,
    bundle: Bundle,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    moderator = Moderator.load(bundle.folder)
    scores = {text: moderator.score(text=text).scores["toxicity"] for text in ("all people", "my friends")}
    low, high = sorted(scores, key=scores.__getitem__)
    (tmp_path / "day.csv").write_text(f"text,TOXICITY\n{low},0\n\u200b,0.9\n{high},0\n", encoding="utf-8-sig")
    monkeypatch.chdir(tmp_path)
    _, _, source = blocks("python")
    threshold = f"THRESHOLD = {(scores[low] + scores[high]) / 2}"
    source = source.replace(ADDRESS, server.url).replace("THRESHOLD = 0.7", threshold)
    exec(compile(source, "page", "exec"), {"__name__": "page"})  # noqa: S102 - our own page
    assert capsys.readouterr().out == f"400 \u200b\n0.00 was, {scores[high]:.2f} is: {high}\n"


def test_an_old_version_is_kept_served_and_compared(tiny_bundle: Bundle, tmp_path: Path) -> None:
    keep, _, compare = next(block for block in blocks("console") if "copytree" in block).splitlines()
    work = make_workspace(tmp_path / "work")
    run(keep.removeprefix("$ ").replace("'compact'", f"'{tiny_bundle.folder}'"), work)
    # An upgrade in reverse: the one that was kept gets an older version.
    manifest = json.loads((work / "kept" / "bundle.json").read_text(encoding="utf-8"))
    manifest["model"]["version"] = "0.9.0"
    write_manifest(work / "kept", manifest)
    compared = run(compare.removeprefix("$ ").replace(" compact ", f" {tiny_bundle.folder} ") + " --rounds 20", work)
    assert "tiny default 0.9.0" in compared
    assert "tiny default 1.0.0" in compared
    with RunningServer(work / "kept", drain_s=0) as pinned, pinned.client() as client:
        for version, status in (("tiny-0.9.0", 200), ("tiny-1.0.0", 400)):
            body = {"comment": {"text": "hello"}, "requestedAttributes": {f"IDENTITY_ATTACK@{version}": {}}}
            answer = client.post("/v1alpha1/comments:analyze", json=body)
            assert answer.status_code == status
            assert answer.headers.get("x-crossguard-model", "") == ("tiny-0.9.0" if status == 200 else "")


def test_the_map_of_the_page_is_fitted_and_served(bundle: Bundle, tmp_path: Path) -> None:
    moderator = Moderator.load(bundle.folder)
    random = np.random.default_rng(1)
    texts = [" ".join(random.choice(WORDS, size=4)) for _ in range(120)]
    rows = []
    for text in texts:
        scores = moderator.score(text=text).scores
        rows.append(f'"{text}",{scores["toxicity"] ** 2:.6f},{scores["insult"] ** 0.5:.6f}')
    (tmp_path / "both.csv").write_text("\n".join(["text,TOXICITY,INSULT", *rows]))
    (command,) = commands("crossguard perspective map")
    run(f"{command} --model {bundle.folder}", tmp_path)
    served = next(line for line in commands("crossguard serve") if "--policy" in line)
    policy = tmp_path / shlex.split(served)[-1]
    with RunningServer(bundle.folder, drain_s=0, policy=policy) as mapped, mapped.client() as client:
        for text in texts[:5]:
            body = {"comment": {"text": text}, "requestedAttributes": {"TOXICITY": {}, "INSULT": {}}}
            answer = client.post("/v1alpha1/comments:analyze", json=body)
            scores = moderator.score(text=text).scores
            for name, expected in (("TOXICITY", scores["toxicity"] ** 2), ("INSULT", scores["insult"] ** 0.5)):
                value = answer.json()["attributeScores"][name]["summaryScore"]["value"]
                assert value == pytest.approx(expected, abs=0.02)
            assert answer.headers["x-crossguard-policy"].startswith("perspective-policy@1+")
