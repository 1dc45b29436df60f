#!/usr/bin/env python3
"""Asks for known advisories about the packages of the container, and says so where none can be reached."""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
LOCKS: Final = ("deploy/requirements.txt", "deploy/requirements-build.txt")
SECONDS: Final = 300
# What pip-audit and its HTTP client say where nothing answers, or not as it should.
UNREACHED: Final = re.compile(r"requests\.exceptions\.|ConnectionError|ServiceError|Could not connect|not redirecting")


def audit(lock: Path) -> list[dict[str, Any]] | None:
    """Returns what pip-audit says of each package of a lock file; None where it reaches nothing.

    Raises:
        SystemExit: It fails for another reason.
    """
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(lock), "--require-hashes", "--disable-pip"]
    command += ["--format", "json", "--progress-spinner", "off"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return None
    try:
        packages: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except json.JSONDecodeError:
        if UNREACHED.search(done.stderr):
            return None
        sys.exit(f"{lock.name}: pip-audit failed:\n{done.stderr}")
    return packages


def main() -> int:
    """Prints a line per advisory; returns 1 where there is one."""
    found = 0
    for name in LOCKS:
        packages = audit(ROOT / name)
        asked = [package for package in packages or () if "skip_reason" not in package]
        if not packages or not asked:
            print(f"{name}: NOT AUDITED, as no advisories can be reached from here.")
            continue
        for package in asked:
            for advisory in package["vulns"]:
                found += 1
                fixed = ", ".join(advisory["fix_versions"]) or "no version"
                print(f"{name}: {package['name']} {package['version']}: {advisory['id']}, fixed in {fixed}")
        print(f"{name}: {len(asked)} of {len(packages)} packages audited.")
    return 1 if found else 0


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    sys.exit(main())
