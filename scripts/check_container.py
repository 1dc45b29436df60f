"""Runs the steps of the Dockerfile in a scratch folder, for machines without a container engine.

    python scripts/check_container.py [--model FOLDER]

COPY, RUN, ENV, HEALTHCHECK, ENTRYPOINT and CMD are read from the Dockerfile itself, with /opt/crossguard and /source
moved into the scratch folder. What it cannot show: the base image's own libraries, and running as the image's user.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
START_SECONDS = 120
STOP_SECONDS = 60
IGNORED = shutil.ignore_patterns("__pycache__", "*.pyc")


def instructions(text: str) -> list[tuple[str, str]]:
    """Returns the instructions of a Dockerfile with continued lines joined and comments dropped."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    pairs = [line.strip().partition(" ") for line in joined.splitlines() if line.strip()]
    return [(name.upper(), rest.strip()) for name, _, rest in pairs]


def build(stage: list[tuple[str, str]], work: Path) -> None:
    """Runs COPY and RUN of the first stage."""
    source = work / "source"
    source.mkdir()
    for name, rest in stage:
        if name == "COPY":
            *files, target = rest.split()
            for file in files:
                if (ROOT / file).is_dir():
                    shutil.copytree(ROOT / file, source / target, ignore=IGNORED)
                else:
                    shutil.copy(ROOT / file, source)
        if name == "RUN":
            command = rest.replace("/opt/crossguard", str(work / "crossguard"))
            print("RUN", command, flush=True)
            subprocess.run(["bash", "-euc", command], cwd=source, env=environment([], work), check=True)


def environment(stage: list[tuple[str, str]], work: Path) -> dict[str, str]:
    """Returns the variables that a stage sets, on top of nothing else."""
    found = {"PATH": f"{Path(sys.executable).resolve().parent}:/usr/bin:/bin", "HOME": str(work)}
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_CONFIG_FILE", "PIP_NO_INDEX"):
        if name in os.environ:
            found[name] = os.environ[name]
    for name, rest in stage:
        if name == "ENV":
            for key, quoted, plain in re.findall(r'(\w+)=(?:"([^"]*)"|(\S+))', rest):
                value = (quoted or plain).replace("/opt/crossguard", str(work / "crossguard"))
                found[key] = value.replace("${PATH}", found["PATH"])
    return found


def run(stage: list[tuple[str, str]], work: Path, model: Path | None) -> None:
    """Starts ENTRYPOINT with CMD, waits for HEALTHCHECK, scores a post, and stops it."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    variables = environment(stage, work) | {"CROSSGUARD_PORT": str(port), "CROSSGUARD_INSECURE": "true"}
    if model is not None:
        variables["CROSSGUARD_MODEL"] = str(model)
    last = dict(stage)
    health = json.loads(last["HEALTHCHECK"].partition("CMD ")[2])
    command = json.loads(last["ENTRYPOINT"]) + json.loads(last["CMD"])
    command[0] = str(work / "crossguard" / "bin" / command[0])
    server = subprocess.Popen(command, cwd=work, env=variables)
    try:
        end = time.monotonic() + START_SECONDS
        while subprocess.run(health, env=variables, capture_output=True, check=False).returncode:
            if server.poll() is not None or time.monotonic() > end:
                sys.exit("The service did not become healthy.")
            time.sleep(0.5)
        body = json.dumps({"instances": [{"text": "good morning"}]}).encode()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("POST", "/invocations", body, {"content-type": "application/json"})
        print(connection.getresponse().read().decode())
        connection.close()
        server.send_signal(signal.SIGTERM)
        code = server.wait(STOP_SECONDS)
    finally:
        if server.poll() is None:
            server.kill()
    if code:
        sys.exit(f"The service ended with {code}.")
    print("The steps of the Dockerfile work. No container engine was used.")


def main() -> None:
    """Runs the check."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="bundle to serve; the one inside the package when not given")
    options = parser.parse_args()
    steps = instructions((ROOT / "Dockerfile").read_text(encoding="utf-8"))
    second = max(index for index, (name, _) in enumerate(steps) if name == "FROM")
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        work.chmod(0o755)
        build(steps[:second], work)
        run(steps[second:], work, options.model)


if __name__ == "__main__":
    main()
