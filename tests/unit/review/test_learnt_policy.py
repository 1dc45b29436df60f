"""Thresholds that were learnt, as a policy file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest

from crossguard.bundle import read_bundle
from crossguard.decision.policy import Kind, Policy
from crossguard.decision.policy_file import PolicyFile
from crossguard.errors import BundleError, ConfigError
from crossguard.evaluation.calibration.criteria import Criterion
from crossguard.evaluation.calibration.policy import write_policy
from crossguard.evaluation.estimates import Estimate
from crossguard.moderator import resolve_policy
from crossguard.registry import find
from crossguard.review.learn import Proposal, propose
from crossguard.review.learnt_policy import policy_file
from crossguard.review.quality.reading import Decided

RULES = """\
name: mine
version: "1"
labels: {racist: {threshold: 0.6, review: null, block: null}}
inputs: {both: {racist: {threshold: 0.3}}, image: {racist: {threshold: 0.6}}}
"""
BANDS = """\
name: mine
version: "1"
labels: {racist: {threshold: 0.6, review: 0.5, block: 0.7}}
"""


def proposal(current: float, proposed: float, *kinds: Kind) -> Proposal:
    none = (Estimate(None), Estimate(None))
    return Proposal("racist", kinds, 50, 20, current, proposed, (proposed, proposed), none, none, (0, 0), (0, 0))


def learnt(folder: Path, mine: str, *found: Proposal, **how: Any) -> PolicyFile:
    """What these proposals make of a policy file."""
    (folder / "mine.yaml").write_text(mine)
    return policy_file("compact", str(folder / "mine.yaml"), found, "learnt", "the command", **how)


def read_back(made: PolicyFile, folder: Path, tenant: str | None = None) -> Policy:
    write_policy(made, folder / "learnt.yaml")
    return resolve_policy(read_bundle(find("compact", None), verify=False), str(folder / "learnt.yaml"), tenant)


def test_each_rule_of_the_policy_gets_a_threshold_of_its_own(tmp_path: Path) -> None:
    """A policy may ask for less of a post with text and image; people draw another line there."""
    (tmp_path / "mine.yaml").write_text(RULES)
    rules = resolve_policy(read_bundle(find("compact", None), verify=False), str(tmp_path / "mine.yaml"))
    lines: dict[Kind, float] = {"text": 0.8, "both": 0.5}
    found = []
    for kind, line in lines.items():
        threshold = rules.rules(kind)["racist"].threshold
        for index in range(100):
            score = (index + 0.5) / 100
            scores = {"racist": (score, threshold, score >= threshold)}
            truth = {"racist": float(score >= line)}
            found.append(Decided("", "review", 1.0, truth, scores, ("compact", "1", "mine", "1"), index, kind))
    proposals, _ = propose(found, [], Criterion("f1"))
    proposed = {proposal.kinds: proposal.proposed for proposal in proposals}
    assert proposed == {("text",): pytest.approx(0.8, abs=0.01), ("both",): pytest.approx(0.5, abs=0.01)}
    changed = read_back(learnt(tmp_path, RULES, *proposals), tmp_path)
    thresholds = {kind: changed.rules(kind)["racist"].threshold for kind in get_args(Kind)}
    # What nobody judged stays as it was: images, and the other labels.
    assert thresholds == {**{kind: pytest.approx(line, abs=0.01) for kind, line in lines.items()}, "image": 0.6}
    assert changed.rules("both")["sexist"].threshold == pytest.approx(rules.rules("both")["sexist"].threshold, abs=1e-5)


@pytest.mark.parametrize(
    ("proposed", "review", "block"), [(0.65, 0.5, 0.7), (0.4, 0.4, 0.7), (0.8, 0.5, 0.8), (0.123456789, 0.123457, 0.7)]
)
def test_bands_stay_as_far_as_their_order_allows(tmp_path: Path, proposed: float, review: float, block: float) -> None:
    made = learnt(tmp_path, BANDS, proposal(0.6, proposed, "text"))
    given = made.labels["racist"].given()
    assert [given[band] for band in ("threshold", "review", "block")] == [round(proposed, 6), review, block]


@pytest.mark.parametrize(
    ("rules", "proposed", "kept", "told"),
    [
        ("{review: 0.5}", 0.45, (0.45, 0.45, 0.7), ["review of racist moves from 0.5 to the new threshold 0.45"]),
        ("{review: 0.5}", 0.55, (0.55, 0.5, 0.7), []),
        ("{block: 0.65}", 0.8, (0.8, 0.5, 0.8), ["block of racist moves from 0.65 to the new threshold 0.8"]),
        ("{threshold: 0.62, review: 0.61, block: 0.65}", 0.45, (0.62, 0.61, 0.65), []),
        ("{review: null}", 0.45, (0.45, None, 0.7), []),
    ],
)
def test_bands_of_a_tenant_keep_their_order(
    tmp_path: Path, rules: str, proposed: float, kept: tuple[float | None, ...], told: list[str]
) -> None:
    """A file in which one tenant's bands are out of order is refused for everybody."""
    notes = list[str]()
    mine = f"{BANDS}tenants: {{kids: {{racist: {rules}}}, empty: {{}}}}\n"
    made = learnt(tmp_path, mine, proposal(0.6, proposed, "text"), note=notes.append)
    rule = read_back(made, tmp_path, "kids").labels["racist"]
    assert (rule.threshold, rule.review, rule.block) == kept
    assert notes == [f"Tenant 'kids': {sentence}." for sentence in told]


def test_bands_of_a_tenant_keep_to_the_threshold_of_each_kind_of_input(tmp_path: Path) -> None:
    tenants = "tenants: {kids: {racist: {review: 0.28, block: 0.7}}}\n"
    with pytest.warns(UserWarning, match="moves from"):
        made = learnt(tmp_path, RULES + tenants, proposal(0.3, 0.2, "both"), proposal(0.6, 0.8, "image"))
    kids = read_back(made, tmp_path, "kids")
    for kind in get_args(Kind):
        assert (kids.rules(kind)["racist"].review, kids.rules(kind)["racist"].block) == (0.2, 0.8)


def test_what_another_policy_scored_is_refused(tmp_path: Path) -> None:
    """Its thresholds would not be in the file, and nobody would notice."""
    (tmp_path / "mine.yaml").write_text(BANDS)
    for policy in (str(tmp_path / "mine.yaml"), "default"):
        with pytest.raises(
            ConfigError, match=r"scored with the threshold 0.55 for racist, which the policy '\w+' does"
        ):
            policy_file("compact", policy, [proposal(0.55, 0.9, "text")], "learnt", "test")


def test_all_else_of_a_policy_file_stays(tmp_path: Path) -> None:
    more = (
        "attributes: {threat: {threshold: 0.2, block: 0.3}}\ntenants: {kids: {sexist: {threshold: 0.1, block: 0.2}}}\n"
    )
    kids = read_back(learnt(tmp_path, BANDS + more, proposal(0.6, 0.5, "text")), tmp_path, "kids")
    assert kids.attributes["threat"].block == 0.3
    assert (kids.labels["sexist"].threshold, kids.labels["racist"].threshold) == (0.1, 0.5)


def test_the_file_says_what_it_rests_on(tmp_path: Path) -> None:
    made = learnt(tmp_path, BANDS, proposal(0.6, 0.5, "text"))
    assert (made.name, made.base) == ("learnt", "default")
    assert made.provenance["command"] == "the command"
    assert made.provenance["fitted_on"][0]["posts"] == 50
    model = read_bundle(find("compact", None), verify=False).identity
    assert made.provenance["model"] == model
    mine = f"{BANDS}provenance: {{fitted_on: [{{name: before}}]}}\n"
    fitted_on = learnt(tmp_path, mine, proposal(0.6, 0.5, "text")).provenance["fitted_on"]
    assert [entry["name"] for entry in fitted_on] == ["review", "before"], "other labels keep their thresholds"
    for earlier, names in (("racist", ["review"]), ("sexist", ["review", "review"])):
        mine = f"{BANDS}provenance: {{fitted_on: [{{name: review, what: thresholds, labels: [{earlier}]}}]}}\n"
        fitted_on = learnt(tmp_path, mine, proposal(0.6, 0.5, "text")).provenance["fitted_on"]
        assert [entry["name"] for entry in fitted_on] == names, "what is learnt anew is told once"
    # Maps that were fitted to another model stay, and so does what is told of them.
    mine = f"{BANDS}provenance: {{model: {{name: compact, version: 0.1.0}}}}\n"
    made = learnt(tmp_path, mine, proposal(0.6, 0.5, "text"))
    assert made.provenance["model"] == {"name": "compact", "version": "0.1.0"}


def test_an_unknown_model_or_policy_is_refused() -> None:
    with pytest.raises(BundleError):
        policy_file("kompact", "default", [proposal(0.6, 0.5, "text")], "learnt", "")
    with pytest.raises(ConfigError):
        policy_file("compact", "defalt", [proposal(0.6, 0.5, "text")], "learnt", "")
