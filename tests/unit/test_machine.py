from __future__ import annotations

import os
import platform
from pathlib import Path

import pytest

from crossguard.machine import LIMITS, available_cores, processor_name, vector_units


def test_units_are_read_from_the_flags_of_x86_and_of_arm(tmp_path: Path) -> None:
    x86 = tmp_path / "x86"
    x86.write_text("model name : some avx2 word\nflags : fpu avx2 avx512f amx_bf16\n", encoding="utf-8")
    arm = tmp_path / "arm"
    arm.write_text("Features : fp asimd asimddp bf16\n", encoding="utf-8")
    assert vector_units(x86) == ("amx_bf16", "avx512f", "avx2")
    assert vector_units(arm) == ("bf16", "asimddp")


@pytest.mark.parametrize(
    ("limit", "units"),
    [
        ("", ("amx_int8", "avx512_vnni", "avx512f", "avx2")),
        ("avx512_core_vnni", ("avx512_vnni", "avx512f", "avx2")),
        ("AVX512_CORE", ("avx512f", "avx2")),
        ("AVX2", ("avx2",)),
        ("SSE41", ()),
    ],
)
@pytest.mark.parametrize("variable", LIMITS)
def test_units_that_the_library_may_not_use_do_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, limit: str, units: tuple[str, ...]
) -> None:
    for name in LIMITS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, limit)
    flags = tmp_path / "flags"
    flags.write_text("flags : amx_int8 avx512_vnni avx512f avx2\n", encoding="utf-8")
    assert vector_units(flags) == units


def test_where_linux_tells_nothing_the_architecture_is_told(tmp_path: Path) -> None:
    assert vector_units(tmp_path / "absent") == (platform.machine(),)


@pytest.mark.parametrize(("told", "name"), [("model name : A Processor\n", "A Processor"), ("", platform.machine())])
def test_no_process_is_started_for_the_name_on_linux(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: str, name: str
) -> None:
    monkeypatch.setattr(platform, "processor", lambda: pytest.fail("starts `uname -p` on Linux"))
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(f"processor : 0\n{told}", encoding="utf-8")
    assert processor_name(cpuinfo) == name


@pytest.mark.parametrize(("processor", "name"), [("arm", "arm"), ("", platform.machine())])
def test_elsewhere_the_processor_is_named_as_the_system_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, processor: str, name: str
) -> None:
    monkeypatch.setattr(platform, "processor", lambda: processor)
    assert processor_name(tmp_path / "absent") == name


@pytest.mark.parametrize(
    ("quota", "cores"),
    [("max 100000", 8), ("200000 100000", 2), ("150000 100000", 2), ("1000 100000", 1), ("9900000 100000", 8), ("", 8)],
)
def test_a_quota_of_a_container_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quota: str, cores: int) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    file = tmp_path / "cpu.max"
    file.write_text(quota)
    assert available_cores(file) == cores
    assert available_cores(tmp_path / "absent") == 8
