from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from crossguard.bundle import Bundle
from crossguard.cli import run
from crossguard.cli.models import command
from crossguard.errors import BundleError

CLEARS = "\x1b[2J\x9b2J\u202e"


def test_labels_policies_and_checksums_are_shown(tiny_bundle: Bundle) -> None:
    output = CliRunner().invoke(command, [str(tiny_bundle.folder)]).output
    for word in ("tiny", "policy default 1", "policy benchmark 1", "sexist", "0.500", "0.900"):
        assert word in output
    assert all(digest in output for digest in tiny_bundle.manifest.files.values())
    assert "sexist Attacks people for their gender" in " ".join(output.split())


def test_bands_of_every_kind_of_input_are_shown(tiny_bundle: Bundle, tmp_path: Path) -> None:
    assert "  input" not in CliRunner().invoke(command, [str(tiny_bundle.folder)]).output
    folder = shutil.copytree(tiny_bundle.folder, tmp_path / "copy")
    manifest = tiny_bundle.manifest.model_dump(mode="json")
    manifest["policies"]["default"]["inputs"] = {"both": {"sexist": {"threshold": 0.423}}}
    (folder / "bundle.json").write_text(json.dumps(manifest))
    lines = [line.split() for line in CliRunner().invoke(command, [str(folder)]).output.splitlines()]
    assert [line[3] for line in lines if line[:1] == ["sexist"] and len(line) == 5] == ["0.500", "0.500", "0.423"]


def test_brackets_in_a_meaning_are_shown(tiny_bundle: Bundle, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_bundle.folder, tmp_path / "copy")
    manifest = tiny_bundle.manifest.model_dump(mode="json")
    manifest["labels"][0]["meaning"] = "Attacks [people] :warning: [/x]"
    (folder / "bundle.json").write_text(json.dumps(manifest))
    assert "Attacks [people] :warning: [/x]" in CliRunner().invoke(command, [str(folder)]).output


def test_the_card_and_the_manifest_are_printed(tiny_bundle: Bundle) -> None:
    assert CliRunner().invoke(command, [str(tiny_bundle.folder), "--card"]).output.startswith("# tiny")
    manifest = json.loads(CliRunner().invoke(command, [str(tiny_bundle.folder), "--json"]).output)
    assert manifest["model"]["name"] == "tiny"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--verify"], "--verify does nothing without MODEL"),
        (["compact", "--card", "--json"], "choose one"),
    ],
)
def test_options_that_would_show_nothing_are_refused(arguments: list[str], told: str) -> None:
    answer = CliRunner().invoke(command, arguments)
    assert (answer.exit_code, told in answer.output) == (2, True)


def test_a_corrupted_file_is_told_with_the_exit_code_of_bundles(tiny_bundle: Bundle, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_bundle.folder, tmp_path / "copy")
    assert "4 files match" not in CliRunner().invoke(command, [str(folder)]).output
    assert "files match their checksums" in CliRunner().invoke(command, [str(folder), "--verify"]).output
    manifest = (folder / "bundle.json").read_text(encoding="utf-8")
    (folder / "bundle.json").write_text(manifest.replace('"version": "', '"version": "9'), encoding="utf-8")
    assert run(["models", str(folder), "--verify"]) == BundleError.exit_code, "as `score` says"
    (folder / "bundle.json").write_text(manifest, encoding="utf-8")
    (folder / "text.onnx").write_bytes(b"")
    assert run(["models", str(folder), "--verify"]) == BundleError.exit_code


@pytest.mark.parametrize("native", [True, False])
def test_the_benchmark_says_what_is_chosen_and_why(
    tiny_bundle: Bundle, monkeypatch: pytest.MonkeyPatch, *, native: bool
) -> None:
    monkeypatch.setattr("crossguard.machine.multiplies_bf16", lambda: native)
    output = CliRunner().invoke(command, [str(tiny_bundle.folder), "--benchmark"]).output
    assert output.count("chosen") == 2
    assert output.count("not allowed by the bundle") == (2 if native else 0)
    assert ("would emulate it" in output) is not native
    assert "--precision auto: text fp32, image fp32, fusion fp32" in output
    assert "the bundle allows fp32 only" in output


def test_nothing_in_a_bundle_steers_the_terminal(
    tiny_bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = shutil.copytree(tiny_bundle.folder, tmp_path / "copy")
    manifest = tiny_bundle.manifest.model_dump(mode="json")
    manifest["model"]["version"] += CLEARS
    manifest["labels"][0]["meaning"] = f"Attacks {CLEARS}people"
    manifest["policies"]["default"]["description"] = f"For {CLEARS}most feeds"
    (folder / "bundle.json").write_text(json.dumps(manifest))
    (folder / "README.md").write_text(f"# tiny\n\n    indented {CLEARS}", encoding="utf-8")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    for options in ([], ["--card"], ["--json"]):
        assert run(["models", str(folder), *options]) == 0
        shown = capsys.readouterr().out
        assert not [steers for steers in ("\x1b[2J", "\x9b", "\u202e") if steers in shown], options


def test_a_card_goes_into_a_file_as_it_is(
    tiny_bundle: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = shutil.copytree(tiny_bundle.folder, tmp_path / "copy")
    (folder / "README.md").write_text("# tiny\n\n|\ta\u200d  b|", encoding="utf-8")
    assert run(["models", str(folder), "--card"]) == 0
    assert capsys.readouterr().out == "# tiny\n\n|\ta\u200d  b|\n"
