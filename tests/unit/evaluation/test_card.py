from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from huggingface_hub import ModelCard, ModelCardData
from tests.support.tiny_bundle import write_tiny_bundle

from crossguard.bundle import Bundle, check_files, read_bundle
from crossguard.cli import run
from crossguard.errors import InputError
from crossguard.evaluation.card import build_card, read_audit, read_details
from crossguard.evaluation.runs import read_run

DETAILS = """
summary: A toy that knows thirteen words.
datasets:
  - {name: made-up, posts: "none", labels: none, source: a test, licence: MIT}
limits:
  - It knows thirteen words.
"""


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory, annotated_posts: Path) -> Path:
    folder = tmp_path_factory.mktemp("evidence")
    write_tiny_bundle(folder / "tiny")
    (folder / "card.yaml").write_text(DETAILS, encoding="utf-8")
    options = ["--model", str(folder / "tiny"), "--rounds", "10"]
    assert (
        run(["evaluate", str(annotated_posts), *options, "--out", str(folder / "run"), "--name", "made-up posts"]) == 0
    )
    assert run(["audit", *options, "--out", str(folder / "audit")]) == 0
    disguised = ["--evasion", "--evasion-posts", "5", "--swaps", "0", "--no-images", "--label", "racist"]
    assert run(["audit", str(annotated_posts), *options, *disguised, "--out", str(folder / "disguised")]) == 0
    return folder


@pytest.fixture
def card(evidence: Path, capsys: pytest.CaptureFixture[str]) -> str:
    arguments = ["card", str(evidence / "tiny"), "--details", str(evidence / "card.yaml")]
    capsys.readouterr()
    assert run([*arguments, "--run", str(evidence / "run"), "--audit", str(evidence / "audit")]) == 0
    return capsys.readouterr().out


def test_the_hub_reads_the_figures_that_were_measured(card: str, evidence: Path) -> None:
    data = ModelCard(card).data
    assert isinstance(data, ModelCardData)
    results = data.eval_results
    assert results is not None
    flat = json.loads((evidence / "run" / "test_metrics.json").read_text(encoding="utf-8"))
    found = {result.metric_type: result.metric_value for result in results}
    assert found["f1_macro"] == round(flat["f1_macro"], 4)
    assert found["roc_auc_macro"] == round(flat["roc_auc_macro"], 4)
    assert {result.dataset_name for result in results} == {"made-up posts"}


@pytest.mark.parametrize("name", ["tiny default", "tiny"])
def test_the_hub_hears_the_name_of_the_data_where_the_run_was_given_none(evidence: Path, name: str) -> None:
    measured = read_run(evidence / "run")
    bare = replace(measured, facts=replace(measured.facts, name=name, model="tiny", policy="default"))
    card = build_card(read_bundle(evidence / "tiny"), read_details(evidence / "card.yaml"), [bare])
    data = ModelCard(card).data
    assert isinstance(data, ModelCardData)
    results = data.eval_results
    assert results is not None
    assert {result.dataset_name for result in results} == {measured.facts.data}


def test_a_run_on_a_table_that_only_tells_hateful_posts_has_no_empty_columns(evidence: Path, tmp_path: Path) -> None:
    rows = [f"{place},{'a b' if place % 2 else 'b c'},{place % 2}" for place in range(8)]
    (tmp_path / "posts.csv").write_text("\n".join(["id,text,hateful", *rows]), encoding="utf-8")
    options = ["--model", str(evidence / "tiny"), "--rounds", "0", "--out", str(tmp_path / "run")]
    assert run(["evaluate", str(tmp_path / "posts.csv"), *options]) == 0
    details = read_details(evidence / "card.yaml")
    metrics = build_card(read_bundle(evidence / "tiny"), details, [read_run(tmp_path / "run")])
    metrics = metrics.partition("## Metrics")[2].partition("## Whom")[0]
    header = next(line for line in metrics.splitlines() if line.startswith("| |"))
    assert header == "| | Precision | Recall | F1 | ROC-AUC | Average precision | positive posts |"
    assert "| the same posts | F1 any | ROC-AUC any | Average precision any |" in metrics
    assert "|  |" not in metrics


def test_no_licence_and_no_language_is_claimed_that_nobody_stated(card: str, evidence: Path) -> None:
    front = card.split("---\n", 2)[1]
    assert "license:" not in front
    assert "language:" not in front
    assert "Scores mean nothing for audio and for video." in card
    details = read_details(evidence / "card.yaml").model_copy(update={"licence": "mit", "languages": ("de",)})
    text = build_card(read_bundle(evidence / "tiny"), details)
    assert "license: mit" in text
    assert "languages other than de, for audio" in text


def test_tables_are_whole(card: str) -> None:
    body = card.split("---\n", 2)[2]
    assert not re.findall(r"^[^|\n].*\n\|", body, re.MULTILINE), "a table needs an empty line before it"
    tables = re.findall(r"(?:^\|.*\n)+", body, re.MULTILINE)
    assert len(tables) >= 6
    for table in tables:
        lines = table.strip().splitlines()
        assert len(lines) >= 3, table
        assert set(lines[1]) <= set("|-: "), table
        assert {line.count("|") for line in lines} == {lines[0].count("|")}, table


def test_no_name_ends_a_cell_of_a_table(evidence: Path) -> None:
    details = read_details(evidence / "card.yaml")
    data = details.datasets[0].model_copy(update={"name": "a|b", "source": "two\nlines"})
    audit = read_audit(evidence / "audit")
    estimate = {"value": 0.5}
    keys = ("subgroup_auc", "bpsn_auc", "bnsp_auc", "false_positive_rate", "false_negative_rate")
    bias = {"question": "any", "final_bias_auc": estimate, "overall_auc": estimate}
    bias |= {"groups": {"they|them": {"posts": 5} | dict.fromkeys(keys, estimate)}}
    audit |= {"groups": {"posts.csv": bias}}
    card = build_card(read_bundle(evidence / "tiny"), details.model_copy(update={"datasets": (data,)}), audits=[audit])
    assert r"| a\|b | none | none | two lines | MIT |" in card
    assert r"| they\|them | 5 | 0.500 |" in card


def test_it_says_what_a_reader_needs(card: str) -> None:
    for words in (
        "A toy that knows thirteen words.",
        "Not for decisions about people or posts without a human",
        "`benchmark` 1",
        "Not annotated here, so not measured: otherhate",
        "baseline all-positive",
        "The same sentence about another group",
        "| made-up | none |",
        "* It knows thirteen words.",
        "crossguard",
    ):
        assert words in card, words
    assert "None" not in card
    assert "nan" not in card.split("## ", 1)[1].lower().replace("nano", "").split()


def test_it_says_what_is_still_found_in_disguise(evidence: Path) -> None:
    bundle, details = read_bundle(evidence / "tiny"), read_details(evidence / "card.yaml")
    audit = read_audit(evidence / "disguised")
    audit["robustness"][0] |= {
        "found": 4,
        "worst_tenth": {"value": 0.5, "low": None, "high": None},
        "held_out": {"value": 0.75, "low": 0.5, "high": 1.0},
        "harmless_change": {"value": -0.02, "low": -0.04, "high": 0.0},
    }
    card = build_card(bundle, details, audits=[audit])
    assert "**The same posts in disguise** (posts.jsonl, question racist): of 5 hateful posts, 4 are found" in card
    told = "0.500 in the worst tenth of the ways, and 0.750 [0.500, 1.000] in the ways held out from training."
    assert told in card
    assert "their share changes by -2.0 points [-4.0, +0.0] on average." in card
    audit["robustness"][0] |= {"harmless": 0, "harmless_change": {"value": None, "reason": "no harmless post"}}
    assert "Of 0 harmless posts" not in build_card(bundle, details, audits=[audit])
    assert "in disguise" not in build_card(bundle, details, audits=[read_audit(evidence / "audit")])


def test_it_names_the_label_that_an_audit_asked_for(evidence: Path) -> None:
    bundle, details = read_bundle(evidence / "tiny"), read_details(evidence / "card.yaml")
    audit = read_audit(evidence / "audit")
    assert "question" not in build_card(bundle, details, audits=[audit])
    bias = {"question": "sexist", "final_bias_auc": {"value": 0.5}, "overall_auc": {"value": 0.5}, "groups": {}}
    audit |= {"groups": {"posts.csv": bias}, "counterfactuals": [audit["counterfactuals"][0] | {"question": "sexist"}]}
    card = build_card(bundle, details, audits=[audit])
    assert "**posts.csv** (groups; Borkan et al. 2019, question sexist): final" in card
    assert ", built in, all of them harmless, question sexist): scores differ" in card


def test_its_commands_open_a_model_of_ones_own(card: str) -> None:
    assert "`crossguard calibrate your-posts.csv --model path/to/tiny`" in card


def test_a_bundle_stays_whole_with_its_card(evidence: Path) -> None:
    arguments = ["card", str(evidence / "tiny"), "--details", str(evidence / "card.yaml"), "--into-bundle"]
    assert run([*arguments, "--run", str(evidence / "run")]) == 0
    bundle = read_bundle(evidence / "tiny")
    assert check_files(bundle) == []
    card = bundle.card()
    assert "A toy that knows thirteen words." in card
    assert {"test_metrics.json", "val_report.json"} <= set(bundle.manifest.files)
    sizes = dict(re.findall(r"^\| `(\S+)` \| ([\d,]+) \|$", card.split("## Files")[1], re.MULTILINE))
    assert sizes == {name: f"{(bundle.folder / name).stat().st_size:,}" for name in bundle.manifest.files}


def test_results_in_the_folder_of_a_bundle_become_no_part_of_it(evidence: Path, tmp_path: Path) -> None:
    """They hold words of posts, and measuring again would change them."""
    bundle = write_tiny_bundle(tmp_path / "model")
    inside = shutil.copytree(evidence / "run", bundle.folder / "run")
    arguments = ["card", str(bundle.folder), "--details", str(evidence / "card.yaml"), "--into-bundle"]
    assert run([*arguments, "--run", str(inside)]) == 0
    (inside / "test_metrics.json").write_text("{}", encoding="utf-8")
    listed = read_bundle(bundle.folder).manifest.files
    assert set(listed) == {*bundle.manifest.files, "test_metrics.json", "val_report.json"}


def test_a_card_is_written_from_a_run_that_lies_in_its_bundle(evidence: Path, tmp_path: Path) -> None:
    folder = write_tiny_bundle(tmp_path / "model").folder
    shutil.copytree(evidence / "run", folder, dirs_exist_ok=True)
    arguments = ["card", str(folder), "--details", str(evidence / "card.yaml"), "--into-bundle"]
    assert run([*arguments, "--run", str(folder)]) == 0
    bundle = read_bundle(folder)
    assert "A toy that knows thirteen words." in bundle.card()
    assert {"test_metrics.json", "val_report.json"} <= set(bundle.manifest.files)
    assert "report.html" not in bundle.manifest.files


def test_nothing_is_claimed_of_data_that_nobody_described(evidence: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle, details = read_bundle(evidence / "tiny"), read_details(evidence / "card.yaml")
    for own, said in (
        (details, "## Data\n\n| data |"),
        (details.model_copy(update={"datasets": ()}), "## Data\n\nNot described.\n\n## Files"),
        (details.model_copy(update={"data": "Our own posts."}), "## Data\n\nOur own posts.\n\n| data |"),
    ):
        assert said in re.sub(r"\n{3,}", "\n\n", build_card(bundle, own))
    monkeypatch.setattr(Bundle, "provenance", lambda _: {"untrained": ["image"]})
    assert "* No post that it was trained on has any image: scores of images mean nothing." in build_card(
        bundle, details
    )


def test_another_rule_for_positive_posts_is_stated(evidence: Path) -> None:
    bundle, details, measured = (
        read_bundle(evidence / "tiny"),
        read_details(evidence / "card.yaml"),
        read_run(evidence / "run"),
    )
    assert "labels positive from" not in build_card(bundle, details, [measured])
    other = replace(measured, facts=replace(measured.facts, positive_from=0.1))
    assert ", labels positive from 0.1, policy `" in build_card(bundle, details, [other])


def test_a_run_of_another_model_is_no_evidence(evidence: Path) -> None:
    run = read_run(evidence / "run")
    other = replace(run, facts=replace(run.facts, model_version="0.9.0"))
    bundle, details = read_bundle(evidence / "tiny"), read_details(evidence / "card.yaml")
    assert build_card(bundle, details, [run])
    with pytest.raises(InputError, match=r"measured tiny 0\.9\.0, and this is the card of tiny 1\.0\.0"):
        build_card(bundle, details, [other])
    with pytest.raises(InputError, match=r"An audit is of other 1\.0\.0, and this is the card of tiny 1\.0\.0"):
        build_card(bundle, details, audits=[{"model": "other 1.0.0"}])


def test_absent_evidence_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="crossguard audit --out"):
        read_audit(tmp_path)
