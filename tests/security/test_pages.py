"""The pages about security say what the code does."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import write_limits_docs as script
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
LOCK = ROOT / "deploy" / "requirements.txt"
PIN = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)", re.MULTILINE)


def test_limits_are_those_of_the_code() -> None:
    assert script.PAGE.read_text(encoding="utf-8") == script.page(), "run scripts/write_limits_docs.py"


def served(project: dict[str, Any]) -> list[Requirement]:
    return [Requirement(text) for text in project["dependencies"] + project["optional-dependencies"]["serve"]]


def test_the_container_installs_what_the_project_asks_for_with_hashes() -> None:
    text = LOCK.read_text(encoding="utf-8")
    pins: dict[str, list[str]] = {}
    for name, version in PIN.findall(text):
        pins.setdefault(canonicalize_name(name), []).append(version)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for requirement in served(project):
        found = pins.get(canonicalize_name(requirement.name), [])
        assert found, f"{requirement} is not in {LOCK.name}; run make lock"
        assert all(requirement.specifier.contains(version) for version in found), (
            f"{requirement}: {found}; run make lock"
        )
    blocks = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)[1:]
    assert all("--hash=sha256:" in block for block in blocks)
    assert "torch" not in pins


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-build.txt"])
def test_the_dockerfile_installs_only_by_hash(name: str) -> None:
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert f"--require-hashes -r {name}" in dockerfile
    installs = re.findall(r"pip (?:install|wheel) [^&\n]*", dockerfile.split("\nARG", 1)[1])
    assert all("--require-hashes" in line or "--no-deps" in line for line in installs)
