"""`scripts/audit_dependencies.py` with the real pip-audit, and no network."""

from __future__ import annotations

from pathlib import Path

import pytest
from audit_dependencies import audit


def test_a_lock_that_cannot_be_audited_is_not_taken_for_a_missing_network(tmp_path: Path) -> None:
    (tmp_path / "lock.txt").write_text("pillow==13.0.0\n", encoding="utf-8")
    with pytest.raises(SystemExit, match=r"(?s)lock\.txt: .*pillow==13\.0\.0 does not contain a hash"):
        audit(tmp_path / "lock.txt")


def test_without_a_network_nothing_is_audited_and_nothing_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    (tmp_path / "lock.txt").write_text(f"no-such-package==1 --hash=sha256:{'0' * 64}\n", encoding="utf-8")
    assert audit(tmp_path / "lock.txt") is None
