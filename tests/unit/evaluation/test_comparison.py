from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import f1_score
from tests.support.estimates import defined

from crossguard.errors import InputError
from crossguard.evaluation.comparison import (
    Compared,
    Difference,
    compare,
    describe,
    notes,
    paired_differences,
    read_entry,
    shown_keys,
    to_markdown,
)
from crossguard.evaluation.estimates import Estimate
from crossguard.evaluation.report.pages import comparison_page
from crossguard.evaluation.results import evaluate
from crossguard.evaluation.runs import Facts, Run
from crossguard.evaluation.sample import Sample
from crossguard.evaluation.titles import ANY_KEYS, KEYS


def samples(skill: float, seed: int = 0, posts: int = 400) -> Sample:
    truth = (np.random.default_rng(0).random((posts, 2)) < 0.4).astype(float)
    noise = np.random.default_rng(seed + 1).random((posts, 2))
    return Sample.build("ab", truth, np.clip(skill * truth + (1 - skill) * noise, 0, 1), 0.5)


def test_a_better_model_is_told_from_a_worse_one() -> None:
    found = paired_differences(samples(0.5), samples(0.2, seed=1), ["f1_macro", "roc_auc_macro"], rounds=300)
    for difference in found.values():
        assert defined(difference.value).low > 0
        assert difference.p is not None
        assert difference.p < 0.01


def test_a_model_does_not_differ_from_itself_in_another_order() -> None:
    one = samples(0.3)
    shuffled = one.take(np.random.default_rng(0).permutation(len(one)))
    found = paired_differences(one, shuffled, ["f1_macro"], rounds=50)["f1_macro"]
    assert (found.value.value, found.value.low, found.value.high, found.p) == (0.0, 0.0, 0.0, 1.0)


def test_labels_in_another_order_are_the_same_labels() -> None:
    one = samples(0.3)
    turned = replace(one, labels=("b", "a"), **{k: getattr(one, k)[:, ::-1] for k in ("truth", "scores", "flags")})
    found = paired_differences(one, turned, ["f1_macro", "a/f1"], rounds=50)
    assert [difference.value.value for difference in found.values()] == pytest.approx([0.0, 0.0])


def test_other_answers_to_whether_a_post_is_hateful_are_no_pair() -> None:
    one = replace(samples(0.3), hateful=np.tile([0.0, 1.0], 200))
    with pytest.raises(InputError, match="against other annotations"):
        paired_differences(one, replace(one, hateful=1 - one.hateful), ["any/f1"], rounds=50)


def test_posts_that_share_an_id_are_paired_in_their_order() -> None:
    one = replace(samples(0.3), ids=tuple(f"p{row // 2}" for row in range(400)))
    turned = one.take(np.arange(400).reshape(200, 2)[::-1].ravel())
    for other in (one, turned):
        found = paired_differences(one, other, ["f1_macro"], rounds=50)["f1_macro"]
        assert (found.value.low, found.value.high, found.p) == (0.0, 0.0, 1.0)
    with pytest.raises(InputError, match="other posts"):
        paired_differences(one, replace(one, ids=("p1", "p1", "p1", *one.ids[3:])), ["f1_macro"])


def test_the_difference_is_that_of_the_point_values() -> None:
    one, other = samples(0.4), samples(0.3, seed=5)
    found = paired_differences(one, other, ["f1_micro"], rounds=10)["f1_micro"].value.value
    values = [f1_score(s.truth.ravel(), s.flags.ravel()) for s in (one, other)]
    assert found == pytest.approx(values[0] - values[1])


def test_two_models_of_the_same_skill_rarely_seem_different() -> None:
    calls = [
        paired_differences(samples(0.3, s), samples(0.3, s + 500), ["roc_auc_macro"], rounds=100) for s in range(40)
    ]
    chances = [found["roc_auc_macro"].p for found in calls]
    assert sum(p < 0.05 for p in chances if p is not None) <= 7
    assert None not in chances


@pytest.mark.parametrize(("posts", "tested"), [(1, False), (3, False), (4, False), (6, True)])
def test_a_label_of_a_few_posts_tells_no_models_apart(posts: int, tested: bool) -> None:
    truth = np.zeros((200, 2))
    truth[:40, 0], truth[40 : 40 + posts, 1] = 1, 1
    noise = np.random.default_rng(0).random((2, 200, 2))
    better, worse = (Sample.build("ab", truth, 0.6 * scores + 0.4 * truth) for scores in noise)
    found = paired_differences(better, worse, ["roc_auc_macro", "a/roc_auc", "b/recall"], rounds=300)
    assert {key: difference.p is not None for key, difference in found.items()} == {
        "roc_auc_macro": tested,
        "a/roc_auc": True,
        "b/recall": tested,
    }
    assert {key: difference.value.low is not None for key, difference in found.items()} == {
        key: difference.p is not None for key, difference in found.items()
    }
    told = describe(found["b/recall"])
    assert told.endswith(", too few posts to test") != tested


def test_copies_of_a_post_are_no_more_evidence_than_one() -> None:
    one, other = samples(0.3, posts=60), samples(0.25, seed=3, posts=60)
    rows = np.tile(np.arange(60), 20)
    copied, known = one.take(rows), other.take(rows)
    known = replace(known, groups=rows)
    key = "roc_auc_macro"
    single = paired_differences(one, other, [key], 200)[key]
    for pair in ((known, replace(copied, groups=rows)), (known, copied), (copied, known)):
        found = paired_differences(*pair, [key], 200)[key]
        assert found.p == single.p
    unknown = paired_differences(copied, replace(known, groups=None), [key], 200)[key]
    assert unknown.p is not None
    assert single.p is not None
    assert unknown.p < single.p


@pytest.mark.parametrize(("texts", "tested"), [(1, False), (4, False), (5, True)])
def test_few_different_posts_are_not_tested(texts: int, tested: bool) -> None:
    one, other = (replace(samples(noise), groups=np.arange(len(samples(noise))) % texts) for noise in (0.3, 0.6))
    found = paired_differences(one, other, ["f1_micro"], 100)["f1_micro"]
    assert found.value.value is not None
    assert (found.p is not None, found.value.low is not None) == (tested, tested)


def test_other_posts_or_annotations_are_not_compared() -> None:
    one = samples(0.3)
    with pytest.raises(InputError, match="other posts"):
        paired_differences(one, one.take(np.arange(10)), ["f1_macro"])
    turned = Sample.build("ab", 1 - one.truth, one.scores)
    with pytest.raises(InputError, match="other annotations"):
        paired_differences(one, turned, ["f1_macro"])
    with pytest.raises(InputError, match="Unknown metric 'f2_macro'"):
        paired_differences(one, one, ["f2_macro"])


def test_markdown_marks_the_best_and_lower_errors_are_better() -> None:
    better = Difference(Estimate(0.1), 0.0001)
    rows = [
        Compared("a|b", 10, {"f1_macro": Estimate(0.5, 0.4, 0.6), "ece_macro": Estimate(0.1)}, 380.4),
        Compared(
            "c",
            10,
            {"f1_macro": Estimate(0.6), "ece_macro": Estimate(0.2)},
            None,
            {"f1_macro": better},
        ),
    ]
    lines = to_markdown(rows, ["f1_macro", "ece_macro"]).splitlines()
    assert lines[2] == "| a\\|b | 0.500 [0.400, 0.600] | **0.100** | 380 |"
    assert lines[3] == "| c | **0.600**<br>+0.100, p < 0.001 | 0.200 |  |"
    assert {line.count(" | ") for line in lines[2:]} == {3}


def test_a_reference_file_joins_the_table_without_a_test(tmp_path: Path) -> None:
    path = tmp_path / "clip" / "test_metrics.json"
    path.parent.mkdir()
    path.write_text(json.dumps({"f1_macro": 0.566, "f1_micro": 0.635, "samples_per_second": 381.5}), encoding="utf-8")
    row = read_entry(path)
    assert isinstance(row, Compared)
    assert (row.name, row.estimates["f1_macro"].value, row.throughput) == ("clip", 0.566, 381.5)
    assert compare([row])[0].note == "no posts to test on"
    odd = '{"f1_macro": NaN, "f1_micro": 0.6, "samples_per_second": "fast"}'
    path.write_text(odd, encoding="utf-8")
    unknown = read_entry(path)
    assert isinstance(unknown, Compared)
    assert (unknown.estimates["f1_macro"].value, unknown.throughput) == (None, None)
    table = to_markdown([unknown, row], ["f1_macro", "f1_micro"])
    assert "| undefined: NaN | 0.600 |" in table
    assert "| **0.566** | **0.635** |" in table
    path.write_text("{}", encoding="utf-8")
    with pytest.raises(InputError, match="holds none of"):
        read_entry(path)
    with pytest.raises(InputError, match=r"neither the folder of a run .*\(Is a directory\)"):
        read_entry(tmp_path)
    with pytest.raises(InputError, match=r"none' is neither .*\(No such file .* Make a run with: .*Models need --data"):
        read_entry(tmp_path / "none")


@pytest.mark.parametrize("content", ["[1, 2]", '"f1"', "null", '{"f1_macro": 0.5, "samples": null}', "{"])
def test_what_is_no_test_metrics_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "test_metrics.json").write_text(content)
    with pytest.raises(InputError, match=r"neither the folder of a run nor a test_metrics\.json"):
        read_entry(tmp_path / "test_metrics.json")


def test_runs_without_labels_are_compared_by_whether_posts_are_hateful() -> None:
    labelled = samples(0.5)
    told = replace(labelled, truth=np.full_like(labelled.truth, np.nan), hateful=labelled.truth[:, 0])
    facts = Facts("labelled", "m", {}, "", "", None, 0, 0, "")
    both, any_ = Run(facts, labelled, evaluate(labelled, 0)), Run(replace(facts, name="any"), told, evaluate(told, 0))
    assert shown_keys([any_]) == ANY_KEYS
    assert set(compare([any_, replace(any_)], rounds=20, keys=ANY_KEYS)[1].differences) == set(ANY_KEYS)
    assert shown_keys([any_, both]) == KEYS
    for runs in ([both, any_], [any_, both]):
        rows = compare(runs, rounds=20)
        assert {row.name: bool(row.estimates) for row in rows} == {"labelled": True, "any": False}
        assert rows[1].note == "measured on other posts or labels"
    with pytest.raises(InputError, match=r"Unknown metric 'f1'\. Known: f1_macro, "):
        compare([both, any_], keys=["f1"])


def test_two_versions_of_one_model_are_told_apart() -> None:
    one = samples(0.5)
    old, new = (
        Run(Facts("compact default", "compact", {}, "", "", None, 0, 0, "", version), one, evaluate(one, 0))
        for version in ("1.3.0", "1.3.2")
    )
    assert [row.name for row in compare([old, new], rounds=10, keys=["f1_macro"])] == [
        "compact default 1.3.0",
        "compact default 1.3.2",
    ]
    other = replace(new, facts=replace(new.facts, name="compact benchmark"))
    assert [row.name for row in compare([old, other], rounds=10, keys=["f1_macro"])] == [
        "compact default",
        "compact benchmark",
    ]


def test_two_runs_of_one_model_are_told_apart_by_their_places() -> None:
    one = samples(0.5)
    run = Run(Facts("compact default", "compact", {}, "", "", None, 0, 0, "", "1.3.0"), one, evaluate(one, 0))
    bare = replace(run, facts=replace(run.facts, model_version=""))
    names = [row.name for row in compare([run, run, bare], 10, keys=["f1_macro"], places=["may", "june", "july"])]
    assert names == ["compact default 1.3.0 (may)", "compact default 1.3.0 (june)", "compact default"]


def test_what_a_reader_must_know_of_a_run_is_beside_its_row() -> None:
    facts = Facts("one", "one", {}, "", "posts", None, 0, 0, "")
    runs = [
        Run(replace(facts, name=name), samples(0.5), evaluate(samples(0.5), 0), warnings=told)
        for name, told in (("one", ("FITTED ON THESE POSTS.", "Note.")), ("two", ("Note.",)))
    ]
    rows = compare(runs, rounds=10)
    assert notes(rows) == ["one: FITTED ON THESE POSTS.", "one, two: Note."]
    assert "\n\none: FITTED ON THESE POSTS.\n" in to_markdown(rows)
    assert '<p class="warning" role="alert">one: FITTED' in comparison_page(rows, KEYS)
    apart = [replace(row, note="measured on other posts", warnings=()) for row in rows]
    assert notes(apart) == ["one, two: not tested: measured on other posts."]


def test_an_undefined_difference_says_so() -> None:
    undefined = Difference(Estimate.undefined("no positive post"), None)
    assert describe(undefined) == "difference undefined: no positive post"
