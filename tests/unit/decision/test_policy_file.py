from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from crossguard.checked_settings import parse
from crossguard.decision.policy import LabelPolicy, Policy
from crossguard.decision.policy_file import PolicyFile, is_policy_file, read_policy_file
from crossguard.errors import ConfigError
from crossguard.labels import LabelSet

LABELS = LabelSet.of("a", "b")

# As in docs/how-to/write-a-policy.md, and with every key.
HOW_TO = """
name: my-forum
version: "2026-11"
base: default
labels:
  a: {threshold: 0.6, review: 0.4, block: 0.95}
  b: {threshold: 0.5}
tenants:
  under-16:
    a: {threshold: 0.4, review: 0.2}
"""
FULL = """
name: full
version: "3"
description: Für alle
labels:
  a: {threshold: 0.2, review: null, calibration: {kind: platt, scale: 1.0379922160715975, shift: -1}}
  b: {prevalence: {source: 0.12, target: 0.01}}
inputs: {both: {a: {threshold: 0.7, review: 0.5}}, text: {b: {threshold: 1}}}
attributes: {toxicity: {threshold: 0.9}}
costs: {false_positive: 1, false_negative: 60, wrong_block: 15}
feed_prevalence: {a: 0.01}
provenance: {data: {path: posts.csv, posts: 12129, share: 1.0e-7, by_kind: {2: 5, 10: 3}, seen: [a, null, true]}}
"""


def policy(**labels: LabelPolicy) -> Policy:
    rules = {"a": LabelPolicy(threshold=0.5), "b": LabelPolicy(threshold=0.5)} | labels
    return Policy(name="default", version="1", labels=rules)


def test_overrides_only_what_it_names_and_carries_a_version(tmp_path: Path) -> None:
    path = tmp_path / "strict.yaml"
    path.write_text("name: strict\nversion: '3'\nlabels:\n  a: {threshold: 0.2, review: 0.1}\n")
    merged = read_policy_file(path).apply({"default": policy()}, LABELS)
    assert merged.name == "strict"
    assert merged.version.startswith("3+")
    assert merged.labels["a"] == LabelPolicy(threshold=0.2, review=0.1)
    assert merged.labels["b"] == LabelPolicy(threshold=0.5)


def test_tenants_stand_on_top() -> None:
    file = parse(
        PolicyFile,
        {
            "name": "shop",
            "version": "1",
            "labels": {"a": {"threshold": 0.2}},
            "tenants": {"kids": {"a": {"threshold": 0.05}}},
        },
        "test",
    )
    assert file.apply({"default": policy()}, LABELS, "kids").labels["a"].threshold == 0.05
    assert file.apply({"default": policy()}, LABELS, "kids").name == "shop:kids"
    with pytest.raises(ConfigError, match="no tenant 'kid'"):
        file.apply({"default": policy()}, LABELS, "kid")


def test_a_changed_file_has_another_version() -> None:
    versions = {
        parse(PolicyFile, {"name": "p", "version": "1", "labels": {"a": {"threshold": t}}}, "test")
        .apply({"default": policy()}, LABELS)
        .version
        for t in (0.1, 0.2)
    }
    assert len(versions) == 2


@pytest.mark.parametrize(("content", "version"), [(HOW_TO, "2026-11+27f7f2ca"), (FULL, "3+7e53e749")])
def test_a_file_keeps_the_version_that_its_decisions_have(tmp_path: Path, content: str, version: str) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(content)
    assert read_policy_file(path).apply({"default": policy()}, LABELS).version == version


@pytest.mark.parametrize(
    "provenance",
    [
        "{fitted_on: 2026-11-01}",
        "{times: [2026-11-01T10:00:00Z], days: {2026-11-01: 5}}",
        "{counts: {1: 5, x: 3}}",
        "{seen: !!set {a, b}, key: !!binary aGVsbG8=}",
    ],
)
def test_provenance_is_free(tmp_path: Path, provenance: str) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(f"name: a\nversion: '1'\nprovenance: {provenance}\n")
    merged = read_policy_file(path).apply({"default": policy()}, LABELS)
    assert json.loads(json.dumps(merged.provenance, sort_keys=True)) == merged.provenance
    assert "2026-11-01" in str(merged.provenance) or "2026" not in provenance
    path.write_text(path.read_text().replace("5", "6").replace("01", "02").replace("b}", "c}"))
    assert read_policy_file(path).apply({"default": policy()}, LABELS).version != merged.version


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("name: p\nversion: '1'\nlabls: {}\nlabels:\n  a: {treshold: 0.2}\n  b: {threshold: 2}\n")
    with pytest.raises(ConfigError) as failure:
        read_policy_file(path)
    message = str(failure.value)
    assert "3 problems" in message
    assert "Did you mean 'labels'?" in message
    assert "Did you mean 'threshold'?" in message
    assert "less than or equal to 1" in message


@pytest.mark.parametrize("word", ["no", "off", "yes", "on"])
def test_a_switch_is_no_score(tmp_path: Path, word: str) -> None:
    """As 0, `review: no` sent every post to review; as 1, `block: yes` meant never."""
    path = tmp_path / "policy.yaml"
    path.write_text(
        "name: p\nversion: '1'\n"
        f"labels: {{a: {{threshold: 0.6, review: {word}, prevalence: {{source: {word}, target: 0.1}}}}}}\n"
        f"tenants: {{kids: {{a: {{block: {word}}}}}}}\n"
        f"attributes: {{toxicity: {{threshold: {word}}}}}\n"
        f"feed_prevalence: {{a: {word}}}\n"
    )
    with pytest.raises(ConfigError) as failure:
        read_policy_file(path)
    told = [line.removeprefix("  - ").partition(":") for line in str(failure.value).splitlines()[1:]]
    assert [place for place, _, _ in told] == [
        "'labels.a.review'",
        "'labels.a.prevalence.source'",
        "'attributes.toxicity.threshold'",
        "'feed_prevalence.a'",
        "'tenants.kids.a.block'",
    ]
    assert all("YAML reads yes, no, on and off as true and false" in reason for _, _, reason in told)
    assert "for no such band, write 'review: null'" in told[0][2]
    assert "for no such band, write 'block: null'" in told[4][2]


def test_unknown_labels_are_told() -> None:
    file = PolicyFile.model_validate({"name": "p", "version": "1", "labels": {"aa": {"threshold": 0.1}}})
    with pytest.raises(ConfigError, match="Unknown label 'aa'"):
        file.apply({"default": policy()}, LABELS)


def test_unknown_labels_are_told_together_and_bands_with_the_base_that_they_may_come_from() -> None:
    base = {"default": policy(a=LabelPolicy(threshold=0.5, review=0.4, block=0.9))}

    def told(**data: Any) -> str:
        with pytest.raises(ConfigError) as failure:
            parse(PolicyFile, {"name": "p", "version": "1", **data}, "test").apply(base, LABELS)
        return str(failure.value)

    labels = {"aa": {"threshold": 0.1}, "a": {"threshold": 0.3}, "c": {}}
    assert told(labels=labels).splitlines() == [
        "Policy 'p', with what it takes from base 'default': 3 problems",
        "  - Unknown label 'aa'. Did you mean 'a'? Known: a, b.",
        "  - Unknown label 'c'. Known: a, b.",
        "  - 'labels.a': review (0.4) must not lie above threshold (0.3).",
    ]
    assert told(labels={"a": {"threshold": 0.3}}) == (
        "Policy 'p', with what it takes from base 'default': 'labels.a': review (0.4) must not lie above threshold "
        "(0.3)."
    )
    told_of_inputs = told(inputs={"both": {"b": {"review": 0.6}, "c": {"threshold": 0.6}}})
    assert "'inputs.both': unknown label 'c'. Known: a, b." in told_of_inputs
    assert told_of_inputs.endswith("'inputs.both.b': review (0.6) must not lie above threshold (0.5).")


def test_mistakes_for_any_tenant_and_in_names_that_score_nothing_are_told() -> None:
    """A service that starts for some callers must not fail once others come, nor leave a misspelt name unread."""
    base = {"default": policy(a=LabelPolicy(threshold=0.5, block=0.9))}
    content = {
        "labels": {"b": {"threshold": 0.7, "block": 0.6}},
        "inputs": {"both": {"a": {"review": 0.4}}},
        "tenants": {
            "kids": {"aa": {"threshold": 0.4}},
            "over": {"a": {"threshold": 0.99}},
            "strict": {"a": {"threshold": 0.3}},
            "right": {"a": {"threshold": 0.2, "review": None}},
        },
        "feed_prevalence": {"c": 0.01},
        "perspective": {"TOXICTY": {"x": [0, 1], "y": [0, 1]}, "A": {"x": [0, 1], "y": [0, 1]}},
    }
    file = parse(PolicyFile, {"name": "p", "version": "1"} | content, "test")
    for tenant in (None, "right"):
        with pytest.raises(ConfigError) as failure:
            file.apply(base, LABELS, tenant, ["toxicity"])
        assert str(failure.value).splitlines() == [
            "Policy 'p', with what it takes from base 'default': 6 problems",
            "  - Tenant 'kids': unknown label 'aa'. Did you mean 'a'? Known: a, b.",
            "  - 'feed_prevalence': unknown label 'c'. Known: a, b.",
            "  - 'perspective': unknown attribute 'TOXICTY'. Did you mean 'TOXICITY'? Known: A, B, TOXICITY.",
            "  - 'labels.b': block (0.6) must not lie below threshold (0.7).",
            "  - Tenant 'over': 'labels.a': block (0.9) must not lie below threshold (0.99).",
            "  - Tenant 'strict': 'inputs.both.a': review (0.4) must not lie above threshold (0.3).",
        ]


def test_a_base_is_no_file() -> None:
    file = parse(PolicyFile, {"name": "p", "version": "1", "base": "order.yaml"}, "test")
    with pytest.raises(ConfigError) as failure:
        file.apply({"default": policy()}, LABELS)
    told = "Policy 'p': the bundle has no policy 'order.yaml' to start from. Known: default."
    assert str(failure.value) == told


def test_a_rule_is_told_in_its_own_words() -> None:
    data = {"name": "p", "version": "1", "attributes": {"toxicity": {"threshold": 0.5, "review": 0.6, "block": 0}}}
    with pytest.raises(ConfigError) as failure:
        parse(PolicyFile, data, "x")
    told = "review (0.6) must not lie above threshold (0.5), and block (0.0) must not lie below threshold (0.5)"
    assert str(failure.value) == f"x: 'attributes.toxicity': {told}."


def test_a_file_keeps_the_bands_of_inputs_unless_it_has_its_own_and_a_tenant_is_the_last_word() -> None:
    base = parse(Policy, policy().model_dump(mode="json") | {"inputs": {"both": {"a": {"threshold": 0.7}}}}, "base")
    data = {"name": "mine", "version": "1", "tenants": {"strict": {"a": {"threshold": 0.2}}}}
    file = parse(PolicyFile, data, "mine")
    assert file.apply({"default": base}, LABELS).rules("both")["a"].threshold == 0.7
    assert file.apply({"default": base}, LABELS, "strict").rules("both")["a"].threshold == 0.2
    own = parse(PolicyFile, {"name": "mine", "version": "1", "inputs": {}}, "mine").apply({"default": base}, LABELS)
    assert own.rules("both")["a"].threshold == 0.5
    assert own.base == "default"


def test_a_file_changes_for_each_kind_of_input_what_it_names_and_nothing_else() -> None:
    """A block that is moved must not move the threshold of memes."""
    bands = {"inputs": {"both": {"a": {"threshold": 0.7, "review": 0.6, "block": 0.9}}}}
    base = parse(Policy, policy().model_dump(mode="json") | bands, "base")

    def both(rule: dict[str, Any], tenant: str | None = None) -> LabelPolicy:
        data: dict[str, Any] = {"name": "mine", "version": "1"}
        data |= {"tenants": {tenant: {"a": rule}}} if tenant else {"labels": {"a": rule}}
        return parse(PolicyFile, data, "mine").apply({"default": base}, LABELS, tenant).rules("both")["a"]

    for tenant in (None, "kids"):
        assert both({"block": 0.95}, tenant) == LabelPolicy(threshold=0.7, review=0.6, block=0.95)
        assert both({"block": None}, tenant) == LabelPolicy(threshold=0.7, review=0.6)
        assert both({"threshold": 0.65}, tenant) == LabelPolicy(threshold=0.65, review=0.6, block=0.9)


def test_bands_of_a_kind_of_input_change_no_other_label_or_kind() -> None:
    """Bands for memes that name one label must not give the other labels those of texts."""
    bands = {
        "both": {"a": {"threshold": 0.7, "block": 0.9}, "b": {"threshold": 0.2}},
        "image": {"b": {"threshold": 0.3}},
    }
    base = {"default": parse(Policy, policy().model_dump(mode="json") | {"inputs": bands}, "base")}

    def made(tenant: str | None = None, **data: Any) -> Policy:
        return parse(PolicyFile, {"name": "mine", "version": "1"} | data, "mine").apply(base, LABELS, tenant)

    mine = {"both": {"a": {"threshold": 0.6}}, "text": {"b": {"threshold": 0.4}}}
    both, image, text = (made(inputs=mine).rules(kind) for kind in ("both", "image", "text"))
    assert both == {"a": LabelPolicy(threshold=0.6, block=0.9), "b": LabelPolicy(threshold=0.2)}
    assert (image["a"].threshold, image["b"].threshold, text["b"].threshold) == (0.5, 0.3, 0.4)
    settled = made(inputs=mine, labels={"a": {"threshold": 0.4, "block": 0.8}, "b": {"threshold": 0.1}})
    assert settled.rules("both") == {"a": LabelPolicy(threshold=0.6, block=0.8), "b": LabelPolicy(threshold=0.1)}
    tenants = {"kids": {"a": {"threshold": 0.1}}}
    assert made("kids", inputs=mine, tenants=tenants).rules("both")["a"] == LabelPolicy(threshold=0.1, block=0.9)
    assert made(inputs={}).inputs == {}, "none of the base"
    emptied = made(inputs={"both": {}})
    assert [emptied.rules(kind)["b"].threshold for kind in ("both", "image")] == [0.5, 0.3]
    assert made(inputs=None).inputs == base["default"].inputs


def test_a_policy_file_is_told_by_its_ending_in_any_case() -> None:
    assert all(map(is_policy_file, ("mine.yaml", "MINE.YAML", "b.Yml")))
    assert not is_policy_file("default")
