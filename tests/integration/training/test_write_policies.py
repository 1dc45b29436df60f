"""The script that fits the policy `default` of the bundled model, and what is committed of it."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import write_policies as script

from crossguard.bundle import Bundle, read_bundle, write_manifest
from crossguard.data.datasets.rows import Row, write_table
from crossguard.labels import ATTRIBUTES, HATE
from crossguard.registry import find

COMPACT = find("compact")
MAKE = (Path(__file__).resolve().parents[3] / "scripts" / "make-compact").read_text("utf-8")
POSTS = 40  # of a table here
MADE_OF = [{"name": "mmhs150k", "what": "thresholds and calibration", "sketch": ["00"]}]


def rates_of(told: str) -> dict[str, float]:
    """Reads `review 2.00%, block 0.05%`."""
    return {band: float(rate) / 100 for band, rate in re.findall(r"(\w+) ([\d.]+)%", told)}


def fitted_as(bundle: Bundle) -> script.Fitted:
    """Returns the figures that a bundle's policy `default` must have been written from."""
    committed = bundle.manifest.policies["default"]
    policy = committed.model_dump(mode="json")
    told = policy["description"]
    shares = re.search(r"a label flags: text (.*?); memes (.*?%)\.", told)
    counts = re.search(r"on (\d+) posts .*about (\d+) come to review, (\d+) of them", told)
    assert shares is not None
    assert counts is not None
    posts, come, hateful = map(int, counts.groups())
    text, memes = map(rates_of, shares.groups())
    own, both = policy["labels"].values(), policy["inputs"]["both"].values()
    return script.Fitted(
        posts,
        [rule.calibration for rule in committed.labels.values()],
        [rule["threshold"] for rule in own],
        [rule["block"] for rule in own],
        [bands["threshold"] for bands in both],
        text,
        memes,
        come,
        hateful,
    )


def test_the_committed_policies_are_what_the_script_writes() -> None:
    bundle = read_bundle(COMPACT)
    manifest = json.loads((COMPACT / "bundle.json").read_text("utf-8"))
    committed, fitted = manifest["policies"]["default"], fitted_as(bundle)
    version = re.search(r"^VERSION=(\S+)$", MAKE, re.MULTILINE)
    assert version is not None
    written = bundle.manifest.policies["default"].model_validate(
        script.default_policy(fitted, bundle.labels.names)
        | {"name": "default", "version": version[1], "label_scheme": script.CONSENSUS}
    )
    assert written.model_dump(mode="json") == committed
    assert manifest["policies"]["benchmark"]["version"] == version[1]
    assert bundle.fitted_on(bundle.manifest.policies["default"]) == list(script.SOURCES)
    assert set(manifest["attributes"]) == set(ATTRIBUTES)
    assert manifest["languages"] == list(script.LANGUAGES)
    assert {*fitted.rates.values(), *fitted.meme_rates.values()} <= set(script.RATES)
    floor = script.MEME_FLOOR * np.array(fitted.review)
    assert (np.array(fitted.meme_review) >= floor).all()


def test_every_table_that_the_script_reads_is_prepared_before() -> None:
    loop = re.search(r"^for dataset in (.*); do$", MAKE, re.MULTILINE)
    assert loop is not None
    prepared = {*re.findall(r"^prepare (\S+) ", MAKE, re.MULTILINE), *loop[1].split()}
    assert set(script.SOURCES) <= prepared


def drawn(sources: tuple[str, ...], posts: int = 300) -> tuple[script.Floats, script.Held]:
    """Draws scores of two labels, higher for hateful posts; a tenth of the posts are neither known to be."""
    chance = np.random.default_rng(0)
    count = posts * len(sources)
    hateful = chance.choice([0.0, 1.0, np.nan], count, p=[0.6, 0.3, 0.1])
    own = chance.beta(np.where(hateful == 1, 4, 1.5), 3, (2, count)).T
    unknown = np.full((count, 2), np.nan)
    names = np.repeat(sources, posts)
    return own, script.Held(np.full(count, ""), names, own, unknown, hateful)


def test_bands_cost_no_more_than_any_that_were_tried() -> None:
    own, held = drawn(("olid", "edos"))
    review, block, rates = script.bands(own, held)
    assert (review <= block).all()
    known = ~np.isnan(held.hateful)
    own, held = own[known], held.take(known)

    def cost_of(limits: script.Floats, alarm: float) -> float:
        return script.cost(own, limits, held.hateful, held.sources, alarm=alarm, miss=script.MISSED)

    harmless = held.hateful == 0
    weights = np.where(harmless, 1.0, 0.0)
    for source in ("olid", "edos"):
        weights[held.sources == source] /= weights[held.sources == source].sum()
    for limits, alarm, band in ((review, 1.0, "review"), (block, script.HELD_BACK, "block")):
        tried = [script.thresholds(own, harmless, weights, rate) for rate in script.RATES]
        assert cost_of(limits, alarm) == pytest.approx(min(cost_of(each, alarm) for each in tried))
        # A label flags the share that the description tells, each set of posts counting alike.
        for label, limit in zip(own.T, limits, strict=True):
            flagged = np.sum(weights * (label >= limit)) / weights.sum()
            assert flagged == pytest.approx(rates[band], abs=0.005)


def test_memes_are_flagged_within_their_budget_and_above_the_floor() -> None:
    own, held = drawn(script.MEMES)
    harmless = held.hateful == 0
    for floor in (np.zeros(2), np.array([0.0, 0.99])):
        limits, rates = script.within_budget(own, held, floor)
        assert (limits >= floor).all()
        assert 0.02 < (own[harmless] >= limits).any(axis=1).mean() <= script.MEME_BUDGET
        assert set(rates) == {"review"}


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    """Writes a small table for each that the script reads."""
    folder = tmp_path / "tables"
    known = (*HATE.names, *ATTRIBUTES)
    for source in script.SOURCES:
        rows = []
        for number in range(POSTS):
            hate = number % 2
            text = f"{source} {number}: {'I hate women, all of them' if hate else 'what a lovely morning'}"
            labels = dict.fromkeys(known, float(hate))
            stratum = "comments-natural" if number % 3 else "comments"
            rows.append(Row(str(number), text, split="val", labels=labels, hateful=float(hate), stratum=stratum))
        rows.append(Row("blank", "", split="val", labels=dict.fromkeys(known, 0.0), hateful=0.0))
        rows.append(Row("learned", "an unusual text", split="train", labels=dict.fromkeys(known, 1.0), hateful=1.0))
        write_table(rows, known, source, folder / f"{source}.parquet")
    return folder


def test_the_script_writes_what_it_fits_and_keeps_the_rest(
    tables: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(COMPACT, tmp_path / "model")
    before = read_bundle(tmp_path / "model")
    data = before.manifest.model_dump(mode="json")
    data["policies"]["benchmark"]["provenance"] = {"fitted_on": MADE_OF}
    before = write_manifest(tmp_path / "model", data)
    monkeypatch.setattr("sys.argv", ["", str(tmp_path / "model"), str(tables), "--version", "9"])
    script.main()
    after = read_bundle(tmp_path / "model")
    default, benchmark = (after.manifest.policies[name] for name in ("default", "benchmark"))
    assert default.description in capsys.readouterr().out
    assert f"on {POSTS * len(script.SOURCES)} posts" in default.description
    assert (default.version, benchmark.version) == ("9", "9")
    assert default.labels["sexist"].calibration.kind == "platt"
    assert after.fitted_on(default) == list(script.SOURCES)
    assert after.policy_provenance(benchmark) == {"fitted_on": MADE_OF}
    assert benchmark.labels == before.manifest.policies["benchmark"].labels
    assert after.provenance() == before.provenance()
    assert after.manifest.files == before.manifest.files | {"provenance.json": after.manifest.files["provenance.json"]}
