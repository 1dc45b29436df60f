"""What is served: a model, and a policy per caller."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml

from crossguard.bundle import Bundle
from crossguard.errors import BundleError, ConfigError
from crossguard.records import Post
from crossguard.serving.keys import ANONYMOUS, digest_of
from crossguard.serving.served import Served, load_served
from crossguard.serving.settings import ServeSettings


def load(bundle: Bundle, folder: Path, keys: dict[str, dict[str, Any]], policy: str = "default") -> Served:
    """Loads with a keys file."""
    entries = {name: {"sha256": digest_of(name)} | entry for name, entry in keys.items()}
    (folder / "keys.yaml").write_text(yaml.safe_dump({"keys": entries}))
    return load_served(ServeSettings(model=str(bundle.folder), policy=policy, keys_file=folder / "keys.yaml"))


@pytest.fixture
def policy_file(tiny_bundle: Bundle, tmp_path: Path) -> Path:
    path = tmp_path / "feed.yaml"
    strict = {label: {"threshold": 0.0, "review": 0.0} for label in tiny_bundle.labels.names}
    path.write_text(yaml.safe_dump({"name": "feed", "version": "3", "tenants": {"kids": strict}}))
    return path


def test_a_caller_with_a_policy_or_a_tenant_has_a_moderator_of_its_own(
    tiny_bundle: Bundle, tmp_path: Path, policy_file: Path
) -> None:
    keys: dict[str, dict[str, Any]] = {
        "plain": {},
        "other": {"policy": "benchmark"},
        "kids": {"policy": str(policy_file), "tenant": "kids"},
    }
    served = load(tiny_bundle, tmp_path, keys)
    with closing(served.base):
        names = {name: served.moderator(name).policy.name for name in keys}
        assert names == {"plain": "default", "other": "benchmark", "kids": "feed:kids"}
        assert served.moderator(ANONYMOUS) is served.moderator("plain") is served.base
        assert served.moderator("other").runtime is served.base.runtime, "they share the loaded model"


def test_a_tenant_of_the_services_own_policy_file_needs_no_second_name(
    tiny_bundle: Bundle, tmp_path: Path, policy_file: Path
) -> None:
    served = load(tiny_bundle, tmp_path, {"kids": {"tenant": "kids"}}, str(policy_file))
    with closing(served.base):
        assert served.moderator("kids").policy.name == "feed:kids"


def test_all_that_is_wrong_with_the_keys_is_said_at_once(
    tiny_bundle: Bundle, tmp_path: Path, policy_file: Path
) -> None:
    with pytest.raises(ConfigError) as wrong:
        load(
            tiny_bundle,
            tmp_path,
            {
                "a": {"tenant": "kids"},
                "b": {"policy": "benchmrk"},
                "c": {"policy": str(policy_file), "tenant": "kid"},
                "d": {},
            },
        )
    said = str(wrong.value)
    assert "keys.yaml" in said
    assert "key 'a': Tenant 'kids' needs a policy file" in said
    assert "key 'b': " in said
    assert "Did you mean 'benchmark'" in said
    assert "key 'c': " in said
    assert "key 'd'" not in said


def test_a_model_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(BundleError):
        load_served(ServeSettings(model=str(tmp_path / "nowhere")))


def test_settings_reach_the_model_which_warms_up_within_any_limit(tiny_bundle: Bundle, red: bytes) -> None:
    settings = ServeSettings(model=str(tiny_bundle.folder), max_pixels=100, runtime="onnx")
    with closing(load_served(settings).base) as base:
        assert base.runtime.name.startswith("onnxruntime")
        (found,) = base.score([Post("1", image=red)])
        assert found.error is not None
        assert found.error.code == "image_too_many_pixels"
