from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from crossguard.cli import COMMANDS
from crossguard.serving.settings import PREFIX, ServeSettings

ROOT = Path(__file__).resolve().parents[3]
DOCKERFILE = ROOT / "Dockerfile"
MANIFESTS = ROOT / "deploy" / "kubernetes.yaml"
COMPOSE = ROOT / "compose.yaml"
SETTINGS = {PREFIX + name.upper() for name in ServeSettings.model_fields}


def tool(name: str) -> str:
    path = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path


def test_hadolint_finds_nothing_in_the_dockerfile() -> None:
    ended = subprocess.run([tool("hadolint"), str(DOCKERFILE)], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (0, "")


def test_the_manifests_are_what_kubernetes_takes() -> None:
    command = [tool("kubernetes-validate"), "--strict", str(MANIFESTS)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.mark.parametrize("path", [DOCKERFILE, MANIFESTS, COMPOSE], ids=lambda path: path.name)
def test_every_variable_is_a_setting(path: Path) -> None:
    # A port that Kubernetes would set is named in a comment, so comments are left out.
    code = "\n".join(line for line in path.read_text().splitlines() if not line.lstrip().startswith("#"))
    named = set(re.findall(rf"\b{PREFIX}[A-Z_]+", code))
    assert named
    assert named <= SETTINGS


def test_the_image_starts_as_sagemaker_and_people_start_it() -> None:
    text = DOCKERFILE.read_text()
    entry, default = (
        json.loads(re.findall(rf"^{name} (\[.*\])$", text, re.MULTILINE)[-1]) for name in ("ENTRYPOINT", "CMD")
    )
    assert entry == ["crossguard"]
    assert default == ["serve"]
    assert default[0] in COMMANDS
    assert re.search(r"^USER 10001", text, re.MULTILINE)


def test_a_pod_has_time_to_drain_and_stop() -> None:
    deployment: dict[str, Any] = next(yaml.safe_load_all(MANIFESTS.read_text()))
    pod = deployment["spec"]["template"]["spec"]
    values = {entry["name"]: float(entry["value"]) for entry in pod["containers"][0]["env"] if entry["value"][0] != "/"}
    assert values["CROSSGUARD_DRAIN_S"] + values["CROSSGUARD_STOP_S"] < pod["terminationGracePeriodSeconds"]
    assert pod["enableServiceLinks"] is False


def test_the_compose_file_gives_time_too() -> None:
    service = yaml.safe_load(COMPOSE.read_text())["services"]["crossguard"]
    spent = sum(float(service["environment"][f"{PREFIX}{name}"]) for name in ("DRAIN_S", "STOP_S"))
    assert spent < float(service["stop_grace_period"].removesuffix("s"))
    assert service["read_only"] is True
