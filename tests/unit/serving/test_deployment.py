from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support.site import running_site

from crossguard.__about__ import __version__
from crossguard.cli import COMMANDS
from crossguard.serving.settings import PREFIX, ServeSettings

ROOT = Path(__file__).resolve().parents[3]
DOCKERFILE = ROOT / "Dockerfile"
MANIFESTS = ROOT / "deploy" / "kubernetes.yaml"
COMPOSE = ROOT / "compose.yaml"
SETTINGS = {PREFIX + name.upper() for name in ServeSettings.model_fields}


class Healthy(BaseHTTPRequestHandler):
    """Answers as a service that lives."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/healthz" else 404)
        self.end_headers()


def manifest(kind: str) -> dict[str, Any]:
    (found,) = (document for document in yaml.safe_load_all(MANIFESTS.read_text()) if document["kind"] == kind)
    return dict(found)


def tool(name: str) -> str:
    path = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path


def test_hadolint_finds_nothing_in_the_dockerfile() -> None:
    ended = subprocess.run([tool("hadolint"), str(DOCKERFILE)], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (0, "")


@pytest.mark.parametrize("path", [MANIFESTS, MANIFESTS.with_name("score-job.yaml")], ids=lambda path: path.name)
def test_the_manifests_are_what_kubernetes_takes(path: Path) -> None:
    command = [tool("kubernetes-validate"), "--strict", str(path)]
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


def test_the_health_check_of_the_image_asks_no_proxy() -> None:
    _, *arguments = json.loads(
        re.findall(r"^HEALTHCHECK .*\\\n +CMD (\[.*\])$", DOCKERFILE.read_text(), re.MULTILINE)[0]
    )
    with socket.create_server(("127.0.0.1", 0)) as nowhere, running_site(Healthy) as address:
        proxies = dict.fromkeys(
            ("http_proxy", "HTTP_PROXY", "all_proxy"), f"http://127.0.0.1:{nowhere.getsockname()[1]}"
        )
        environment = {**os.environ, **proxies, "CROSSGUARD_PORT": address.rpartition(":")[2]}
        environment = {name: value for name, value in environment.items() if name.lower() != "no_proxy"}
        ended = subprocess.run([sys.executable, *arguments], env=environment, timeout=30, check=False)
    assert ended.returncode == 0


def test_a_pod_has_time_to_drain_and_stop() -> None:
    pod = manifest("Deployment")["spec"]["template"]["spec"]
    values = {
        entry["name"]: float(entry["value"]) for entry in pod["containers"][0]["env"] if entry["value"].isdecimal()
    }
    assert values["CROSSGUARD_DRAIN_S"] + values["CROSSGUARD_STOP_S"] < pod["terminationGracePeriodSeconds"]
    assert pod["enableServiceLinks"] is False


def test_a_proxy_ends_idle_connections_before_a_pod_does() -> None:
    """A POST into a connection that the pod just closes becomes a 502."""
    (container,) = manifest("Deployment")["spec"]["template"]["spec"]["containers"]
    value = next(entry["value"] for entry in container["env"] if entry["name"] == "CROSSGUARD_KEEP_ALIVE_S")
    assert int(value) > 60, "as long as nginx and load balancers of AWS keep them"
    page = (ROOT / "docs" / "how-to" / "deploy-the-service.md").read_text()
    assert f"set {value}, as `deploy/kubernetes.yaml` does" in page


def test_the_autoscaler_alone_says_how_many_pods_run() -> None:
    """Each `kubectl apply` would set the number of the deployment back, however many scaling had started."""
    deployment, autoscaler = manifest("Deployment"), manifest("HorizontalPodAutoscaler")
    assert autoscaler["spec"]["scaleTargetRef"]["name"] == deployment["metadata"]["name"]
    assert "replicas" not in deployment["spec"]
    assert autoscaler["spec"]["minReplicas"] == 2


def test_a_scraper_reaches_the_metrics_of_a_pod_without_a_key() -> None:
    template = manifest("Deployment")["spec"]["template"]
    container = template["spec"]["containers"][0]
    variables = {entry["name"]: entry["value"] for entry in container["env"]}
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    port = variables["CROSSGUARD_METRICS_PORT"]
    assert template["metadata"]["annotations"]["prometheus.io/port"] == port == str(ports["metrics"])
    rules = manifest("NetworkPolicy")["spec"]["ingress"]
    assert any(rule.get("from") and rule["ports"] == [{"port": "metrics"}] for rule in rules)
    assert [port["targetPort"] for port in manifest("Service")["spec"]["ports"]] == ["http"]


def test_the_manifests_run_the_image_that_the_page_builds() -> None:
    image = manifest("Deployment")["spec"]["template"]["spec"]["containers"][0]["image"]
    assert image == f"crossguard:{__version__}"
    page = (ROOT / "docs" / "how-to" / "deploy-the-service.md").read_text()
    section = page.partition("## Kubernetes")[2]
    pushed = f"REGISTRY/{image}"
    assert f"docker build -t {pushed} . && docker push {pushed}" in section
    assert f"sed -i 's|image: {image}|image: {pushed}|' deploy/kubernetes.yaml" in section
    assert section.index("docker push") < section.index("kubectl apply")


def test_a_container_that_is_open_to_everybody_is_published_on_this_machine_only() -> None:
    service = yaml.safe_load(COMPOSE.read_text())["services"]["crossguard"]
    assert service["environment"]["CROSSGUARD_INSECURE"] == "true"
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    for page in ("deploy-the-service.md", "serve.md"):
        for line in (ROOT / "docs" / "how-to" / page).read_text().splitlines():
            assert "docker run" not in line or "CROSSGUARD_INSECURE" not in line or "-p 127.0.0.1:" in line


def test_the_compose_file_gives_time_too() -> None:
    service = yaml.safe_load(COMPOSE.read_text())["services"]["crossguard"]
    spent = sum(float(service["environment"][f"{PREFIX}{name}"]) for name in ("DRAIN_S", "STOP_S"))
    assert spent < float(service["stop_grace_period"].removesuffix("s"))
    assert service["read_only"] is True
