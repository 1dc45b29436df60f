"""What the tables of an audit put first, hide and sum up."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from rich.console import Console

from crossguard.evaluation.audit.bias import RATES, BiasAudit, GroupAudit
from crossguard.evaluation.audit.counterfactuals import Counterfactuals, Swapped
from crossguard.evaluation.audit.evasion import EVASIONS
from crossguard.evaluation.audit.robustness import Robustness, Survival
from crossguard.evaluation.audit.suites import Cell, SuiteResult
from crossguard.evaluation.audit.terminal import bias_grid, evasion_grid, evasion_summary, suite_grid, swap_grid
from crossguard.evaluation.estimates import Estimate
from crossguard.evaluation.results import evaluate
from crossguard.evaluation.sample import Sample
from crossguard.evaluation.terminal import Grid

UNKNOWN = Estimate.undefined("too few posts")


def shown(grid: Grid) -> list[str]:
    console = Console(width=200, no_color=True)
    with console.capture() as captured:
        grid.show(console)
    return [line.strip() for line in captured.get().splitlines() if line.strip()]


def group(bpsn_auc: Estimate) -> GroupAudit:
    others = dict.fromkeys(("subgroup_auc", "bnsp_auc", *RATES), Estimate(0.5))
    return GroupAudit(100, 10, others | {"bpsn_auc": bpsn_auc})


def test_the_group_that_is_worst_off_comes_first_and_unknown_ones_last() -> None:
    groups = {"unknown": group(UNKNOWN), "fair": group(Estimate(0.9)), "worst": group(Estimate(0.0))}
    audit = BiasAudit("any", Estimate(0.8), dict.fromkeys(("subgroup_auc", "bpsn_auc", "bnsp_auc"), Estimate(0.5)),
                      Estimate(0.6), groups, ())  # fmt: skip
    names = [line.split()[0] for line in shown(bias_grid("posts", audit))]
    assert [name for name in names if name in groups] == ["worst", "fair", "unknown"]


def test_sentences_of_others_are_masked_and_our_own_are_not() -> None:
    swapped = Swapped("women", 0.1, 0.2, "All of them are horrible", 1.0)
    found = {
        harmless: shown(swap_grid(Counterfactuals("x", 3, 0.1, 0.2, 0.5, (swapped,), harmless=harmless)))
        for harmless in (True, False)
    }
    assert any("horrible" in line for line in found[True])
    assert not any("horrible" in line for line in found[False])
    assert any("h*******" in line for line in found[False])
    assert found[True][0].endswith("50.0% change their flag")


def test_cells_without_cases_are_empty_and_not_wrong() -> None:
    sample = Sample.build(("a",), np.array([[1.0], [0.0]]), np.array([[0.9], [0.1]]), hateful=np.array([1.0, 0.0]))
    result = SuiteResult(
        "suite",
        {("slur", "women"): Cell(1, 4), ("greeting", "men"): Cell(2, 2)},
        {"slur": Cell(1, 4), "greeting": Cell(2, 2)},
        {"slur": True, "greeting": False},
        {"women": Cell(1, 4), "men": Cell(2, 2)},
        evaluate(sample, 0),
    )
    rows = {line.split()[0]: line.split()[1:] for line in shown(suite_grid(result))}
    assert rows["slur"] == ["hateful", "25", "25"], "targets: men, women"
    assert rows["greeting"] == ["harmless", "100", "100"]
    assert rows["all"] == ["100", "25"]


def test_the_way_that_most_gets_through_comes_first_and_the_sums_below() -> None:
    first, second, third = list(EVASIONS)[:3]
    kept = {first: Estimate(0.9), second: Estimate(0.0, 0.0, 0.2), third: Estimate(0.4)}
    ways = {name: Survival(EVASIONS[name], found, 2, 1) for name, found in kept.items()}
    mean, change = Estimate(0.5, 0.4, 0.6), Estimate(0.017, 0.006, 0.025)
    tested = Robustness("posts", "any", 10, 8, 10, 1, mean, UNKNOWN, mean, change, ways)
    names = [line.split()[0] for line in shown(evasion_grid(tested))]
    assert [name for name in names if name in ways] == [second, third, first]
    assert evasion_summary(tested) == [
        "still found, mean over 3 ways: 0.500 [0.400, 0.600]",
        "still found, worst tenth of the ways: undefined: too few posts",
        "still found, ways held out from training: 0.500 [0.400, 0.600]",
        "harmless posts flagged, mean change: +1.7 points [+0.6, +2.5]",
    ]
    assert shown(evasion_grid(tested))[0].startswith("posts: 8 of 10 hateful posts")
    asked = replace(tested, question="racist")
    assert shown(evasion_grid(asked))[0].startswith("posts, question 'racist': 8 of 10 hateful posts")
