"""The path of docs/how-to/leave-perspective.md is walked as it is written, with the address of a server of ours."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.support.perspective_bundle import write_perspective_bundle
from tests.support.server import RunningServer

from crossguard.bundle import Bundle
from crossguard.moderator import Moderator

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "how-to" / "leave-perspective.md").read_text(encoding="utf-8")
ADDRESS = "http://127.0.0.1:8080"
WORDS = ("hello", "good", "morning", "you", "are", "all", "awful", "people", "i", "love", "hate", "my", "friends")


def blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)


def commands(word: str) -> list[str]:
    return [line[2:] for block in blocks("console") for line in block.splitlines() if line.startswith(f"$ {word}")]


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
    (source,) = blocks("python")
    names: dict[str, Any] = {"__name__": "page"}
    exec(compile(source.replace(ADDRESS, server.url), "page", "exec"), names)  # noqa: S102 - our own page
    names["client"].close()
    assert 0 <= float(capsys.readouterr().out) <= 1


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
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    ended = subprocess.run(
        [*shlex.split(command), "--model", str(bundle.folder)],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    (_, served) = commands("crossguard serve")
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
