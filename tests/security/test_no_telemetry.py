"""Loading a model and scoring neither starts a process nor opens a connection: OpenVINO's telemetry would do both."""

from __future__ import annotations

import subprocess
import sys

from crossguard.bundle import Bundle

WATCHED = """
import os, sys
processes = {"os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.system", "subprocess.Popen"}
connections = {"socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "urllib.Request"}
seen = []
def note(event, args):
    if event in processes | connections:
        seen.append((event, args[:2]))
sys.addaudithook(note)
import crossguard
with crossguard.load(sys.argv[1], runtime="openvino") as moderator:
    moderator.score("hello")
import time
time.sleep(0.5)
assert "openvino" in sys.modules
print(seen)
"""


def test_scoring_reports_nothing_to_anybody(tiny_bundle: Bundle) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", WATCHED, str(tiny_bundle.folder)], capture_output=True, text=True, check=True
    )
    assert ended.stdout.splitlines()[-1] == "[]"
