"""Nobody serves everybody without having said so."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from tests.support.server import RunningServer

from crossguard.bundle import Bundle
from crossguard.errors import ConfigError
from crossguard.serving.keys import digest_of, new_key
from crossguard.serving.server import serve
from crossguard.serving.settings import ServeSettings


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "8.8.8.8", "example.com"])  # noqa: S104
def test_a_start_without_keys_beyond_this_machine_is_refused(host: str) -> None:
    with pytest.raises(ConfigError, match=r"--keys-file.*--insecure"):
        serve(ServeSettings(host=host, port=0))


def test_it_starts_with_keys_or_when_told_to(tiny_bundle: Bundle, tmp_path: Path) -> None:
    everywhere = "0.0.0.0"  # noqa: S104
    keys = tmp_path / "keys.yaml"
    keys.write_text(yaml.safe_dump({"keys": {"a": {"sha256": digest_of(new_key())}}}))
    with RunningServer(tiny_bundle.folder, drain_s=0, host=everywhere, keys_file=keys) as server:
        assert not [event for event in server.events if event["event"] == "open_to_everybody"]
    with RunningServer(tiny_bundle.folder, drain_s=0, host=everywhere, insecure="true") as server:
        assert server.wait_for("open_to_everybody")
