"""Every benchmark that the documentation names still runs; its metrics are not looked at here."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTED = sorted(
    {
        name
        for page in [*ROOT.glob("benchmarks/*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "Makefile"]
        for name in re.findall(r"-m (benchmarks\.\w+)", page.read_text(encoding="utf-8"))
    }
)


def test_all_benchmarks_are_documented() -> None:
    runnable = {
        f"benchmarks.{path.stem}"
        for path in ROOT.glob("benchmarks/*.py")
        if "--short" in path.read_text(encoding="utf-8") or "_options()" in path.read_text(encoding="utf-8")
    }
    assert runnable - {"benchmarks.suite"} <= set(DOCUMENTED)


@pytest.mark.slow
@pytest.mark.parametrize("name", DOCUMENTED)
def test_a_benchmark_runs(name: str, tmp_path: Path) -> None:
    out = ["--out", str(tmp_path)] if name in {"benchmarks.compact", "benchmarks.backbones"} else []
    command = [sys.executable, "-m", name, "--short", *out]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.strip()
