from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from tests.support.tiny_bundle import manifest

from crossguard.bundle import Bundle, check_files, manifest_digest, read_bundle, write_manifest
from crossguard.errors import BundleError, ConfigError
from crossguard.moderator import Moderator
from crossguard.records import Action


@pytest.fixture
def copied(tiny_bundle: Bundle, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_bundle.folder, tmp_path / "bundle"))


def edit(folder: Path, **changes: Any) -> None:
    path = folder / "bundle.json"
    data = json.loads(path.read_text()) | changes
    path.write_text(json.dumps(data | {"digest": manifest_digest(data)}))


@pytest.mark.parametrize("name", ["bundle.json", "text.onnx"])
def test_a_file_that_may_not_be_read_is_not_called_corrupted(
    name: str, copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed(path: Path, *args: Any, **how: Any) -> Any:
        if path.name == name:
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *args, **how)

    opened = Path.open
    monkeypatch.setattr(Path, "open", closed)
    with pytest.raises(BundleError, match=rf"^Cannot read .*{name}: Permission denied\.$"):
        read_bundle(copied)


def test_what_is_written_is_read_back(tiny_bundle: Bundle) -> None:
    assert read_bundle(tiny_bundle.folder) == tiny_bundle
    assert tiny_bundle.labels.names == ("racist", "sexist", "homophobe", "religion", "otherhate")
    assert tiny_bundle.card().startswith("# tiny")


def test_a_changed_file_is_named(copied: Path) -> None:
    (copied / "image.onnx").write_bytes(b"x")
    with pytest.raises(BundleError, match=r"corrupted: image\.onnx has sha256 .* expected"):
        read_bundle(copied)


def test_a_missing_file_is_named(copied: Path) -> None:
    (copied / "tokenizer.json").unlink()
    assert check_files(read_bundle(copied, verify=False)) == ["tokenizer.json is missing"]


@pytest.mark.parametrize(("version", "remedy"), [(1, "crossguard export"), (3, "git pull && pip install")])
def test_another_schema_says_what_to_do(copied: Path, version: int, remedy: str) -> None:
    edit(copied, schema_version=version)
    with pytest.raises(BundleError, match=rf"schema version {version}.*{remedy}"):
        read_bundle(copied)


def test_a_folder_without_manifest_is_not_a_bundle(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="is not a bundle"):
        read_bundle(tmp_path)


@pytest.mark.parametrize("content", ["{", "[1]", "\x00", "[" * 100_000, '{"a":' * 100_000, "1" * 5000])
def test_a_broken_nested_or_endless_manifest_is_a_bundle_error(copied: Path, content: str) -> None:
    (copied / "bundle.json").write_text(content)
    with pytest.raises(BundleError, match=r"bundle\.json"):
        read_bundle(copied)


def test_a_graph_without_checksum_is_refused(copied: Path) -> None:
    files = json.loads((copied / "bundle.json").read_text())["files"]
    edit(copied, files={name: digest for name, digest in files.items() if name != "text.onnx"})
    with pytest.raises(BundleError, match=r"no checksum for: text\.onnx"):
        read_bundle(copied)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"label_schemes": {"any": [0, 1]}}, "label scheme 'any' has 2 columns for 5 labels"),
        ({"label_schemes": {"any": [0, 1, 2, 3, -1], "consensus": [5, 6, 7, 8, 9]}}, "label_schemes.any.4"),
        ({"attributes": {"toxicity": {"column": -1}}}, "attributes.toxicity.column"),
        ({"policies": {}}, "there is no policy 'default'"),
        ({"labels": [{"name": "racist"}]}, "Unknown label 'sexist'"),
        ({"colour": "red"}, "Unknown key 'colour'"),
    ],
)
def test_an_inconsistent_manifest_is_refused(copied: Path, change: dict[str, Any], told: str) -> None:
    with pytest.raises(BundleError, match=told):
        write_manifest(copied, manifest() | change)
    assert read_bundle(copied).manifest.model.name == "tiny"


def test_an_edited_manifest_is_refused(copied: Path) -> None:
    path = copied / "bundle.json"
    data = json.loads(path.read_text())
    path.write_text(json.dumps(data | {"labels": data["labels"][::-1]}))
    with pytest.raises(BundleError, match="its digest differs"):
        read_bundle(copied)


@pytest.mark.parametrize("name", ["/etc/shadow", "../other/text.onnx", "C:\\x", "a/../../b", ""])
def test_a_file_outside_the_bundle_is_refused(copied: Path, name: str) -> None:
    files = json.loads((copied / "bundle.json").read_text())["files"]
    edit(copied, files=files | {name: "0" * 64})
    with pytest.raises(BundleError, match="lies outside the bundle"):
        read_bundle(copied)


def test_a_card_may_be_edited_by_hand(copied: Path) -> None:
    (copied / "README.md").write_bytes(b"# Mine, by J\xfcrgen\n")
    assert read_bundle(copied).card() == "# Mine, by J\N{REPLACEMENT CHARACTER}rgen\n"
    (copied / "README.md").unlink()
    assert read_bundle(copied).card() == ""


def test_a_link_out_of_the_bundle_is_refused(copied: Path, tmp_path: Path) -> None:
    (copied / "README.md").rename(tmp_path / "elsewhere.md")
    (copied / "README.md").symlink_to(tmp_path / "elsewhere.md")
    with pytest.raises(BundleError, match=r"README\.md is a link that leaves the bundle"):
        read_bundle(copied)


def test_the_cache_of_the_hub_may_link_to_its_blobs(copied: Path, tmp_path: Path) -> None:
    (tmp_path / "blobs").mkdir()
    folder = tmp_path / "snapshots" / "abc"
    folder.mkdir(parents=True)
    for path in copied.iterdir():
        path.rename(tmp_path / "blobs" / path.name)
        (folder / path.name).symlink_to(tmp_path / "blobs" / path.name)
    assert read_bundle(folder).manifest.model.name == "tiny"


@pytest.mark.parametrize("swapped", [("text", "image"), ("text", "fusion"), ("image", "fusion")])
@pytest.mark.parametrize("runtime", ["openvino", "onnx"])
def test_swapped_graphs_are_told(copied: Path, swapped: tuple[str, str], runtime: str) -> None:
    first, second = ((copied / f"{name}.onnx") for name in swapped)
    content = first.read_bytes(), second.read_bytes()
    first.write_bytes(content[1])
    second.write_bytes(content[0])
    with pytest.raises(BundleError, match=r"takes .* and not"):
        Moderator.load(copied, runtime=runtime, verify=False)


@pytest.mark.parametrize("name", ["text.onnx", "tokenizer.json"])
@pytest.mark.parametrize("runtime", ["openvino", "onnx"])
def test_rubbish_files_are_told(copied: Path, name: str, runtime: str) -> None:
    (copied / name).write_bytes(b"rubbish")
    with pytest.raises(BundleError, match="annot read"):
        Moderator.load(copied, runtime=runtime, verify=False)


def test_a_scheme_beyond_the_outputs_is_told(copied: Path) -> None:
    edit(copied, label_schemes={"any": list(range(5)), "consensus": [5, 6, 7, 8, 99]})
    with pytest.raises(BundleError, match=r"names 100 outputs, and fusion\.onnx has 10"):
        Moderator.load(copied).score(text="hello")


def test_provenance_has_a_file_of_its_own(copied: Path) -> None:
    data = manifest()
    data["policies"]["default"]["provenance"] = {"fitted_on": [{"name": "made up"}]}
    bundle = write_manifest(copied, data)
    assert "provenance" not in json.loads((copied / "bundle.json").read_text())
    assert bundle.provenance() == {"data": "none"}
    assert bundle.policy_provenance(bundle.manifest.policies["default"]) == {"fitted_on": [{"name": "made up"}]}
    assert bundle.policy_provenance(bundle.manifest.policies["benchmark"]) == {}
    again = write_manifest(copied, bundle.manifest.model_dump(mode="json"))
    assert again.provenance() == {"data": "none"}


def test_attributes_are_scored_beside_the_labels(copied: Path) -> None:
    plain = Moderator.load(copied).score(text="hello awful people")
    toxicity = {"toxicity": {"column": 3, "calibration": {"kind": "platt", "scale": 2.0}}}
    write_manifest(copied, manifest() | {"attributes": toxicity})
    moderator = Moderator.load(copied, policy="benchmark")
    decision = moderator.score(text="hello awful people")
    assert plain.attributes == {}
    assert "attributes" not in plain.to_dict()
    assert 0 < decision.attributes["toxicity"] < 1
    assert decision.to_dict()["attributes"] == {"toxicity": round(decision.attributes["toxicity"], 6)}
    assert Moderator.load(copied).score(text="hello awful people").scores == plain.scores


def test_an_attribute_enters_the_action_only_where_a_policy_asks(copied: Path, tmp_path: Path) -> None:
    write_manifest(copied, manifest() | {"attributes": {"toxicity": {"column": 3}}})
    labels = "".join(
        f"  {name}: {{threshold: 1, review: 1, block: null}}\n" for name in manifest()["policies"]["default"]["labels"]
    )
    (tmp_path / "calm.yaml").write_text(f"name: calm\nversion: '1'\nlabels:\n{labels}")
    asks = f"name: asks\nversion: '1'\nlabels:\n{labels}attributes:\n  toxicity: {{threshold: 0, block: 0}}\n"
    (tmp_path / "asks.yaml").write_text(asks)
    (tmp_path / "wrong.yaml").write_text(asks.replace("toxicity", "toxicty"))
    assert Moderator.load(copied, policy=tmp_path / "calm.yaml").score(text="hello").action is Action.ALLOW
    assert Moderator.load(copied, policy=tmp_path / "asks.yaml").score(text="hello").action is Action.BLOCK
    with pytest.raises(ConfigError, match="the model has no attribute 'toxicty'"):
        Moderator.load(copied, policy=tmp_path / "wrong.yaml")


def test_what_tools_and_systems_leave_in_a_folder_is_no_part_of_a_bundle(copied: Path) -> None:
    bundle = read_bundle(copied)
    for name in (".DS_Store", ".git/index", ".cache/huggingface/download/text.onnx.metadata"):
        (copied / name).parent.mkdir(parents=True, exist_ok=True)
        (copied / name).touch()
    again = write_manifest(copied, bundle.manifest.model_dump(mode="json"))
    assert again.manifest.files == bundle.manifest.files
