from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from crossguard.errors import InputError
from crossguard.evaluation.annotated import Annotated, read_annotated
from crossguard.evaluation.audit.robustness import EvasionTest
from crossguard.evaluation.audit.running import AuditRequest, audit, column_groups
from crossguard.evaluation.audit.suites import read_phrases, read_suite
from crossguard.evaluation.estimates import plain
from crossguard.evaluation.leakage import sketch
from crossguard.labels import HATE
from crossguard.moderator import Moderator


def test_groups_come_from_columns_of_names_and_of_shares(annotated: Annotated) -> None:
    names = column_groups(annotated, ["group"])
    assert set(names) == {"x", "y"}
    assert names["x"].tolist()[:3] == [value == "x" for value in annotated.columns["group"][:3]]
    shares = tuple(0.4 if index % 2 else 0.6 for index in range(len(annotated)))
    object.__setattr__(annotated, "columns", {"women": shares})
    assert column_groups(annotated, ["women"])["women"].tolist()[:2] == [True, False]
    with pytest.raises(InputError, match=r"no column 'womn'. Did you mean 'women'\?"):
        column_groups(annotated, ["womn"])
    with pytest.raises(InputError, match="Columns of posts and labels name no groups"):
        column_groups(annotated, ["id"])


@pytest.mark.parametrize("words", [("yes", "no"), ("True", "False"), (True, False), ("1", "0"), (1, 0)])
def test_columns_of_yes_and_no_are_one_group_each(annotated: Annotated, words: tuple[object, object]) -> None:
    yes, no = words
    columns = {"black": (yes, no, no, ""), "muslim": (no, no, yes, yes)}
    found = column_groups(replace(annotated.take(np.arange(4)), columns=columns), list(columns))
    assert {name: rows.tolist() for name, rows in found.items()} == {
        "black": [True, False, False, False],
        "muslim": [False, False, True, True],
    }


def test_two_columns_may_hold_the_same_names(annotated: Annotated) -> None:
    columns = {"race": ("A", "other"), "faith": ("other", "B")}
    found = column_groups(replace(annotated.take(np.arange(2)), columns=columns), list(columns))
    assert {name: rows.tolist() for name, rows in found.items()} == {
        "race=A": [True, False],
        "race=other": [False, True],
        "faith=B": [False, True],
        "faith=other": [True, False],
    }


def test_lists_name_several_groups_and_unknown_ones_none(annotated: Annotated) -> None:
    columns: dict[str, tuple[object, ...]] = {"target": (["women", "gay"], "women ", "N/A", [])}
    found = column_groups(replace(annotated.take(np.arange(4)), columns=columns), ["target"])
    assert {name: rows.tolist() for name, rows in found.items()} == {
        "women": [True, True, False, False],
        "gay": [True, False, False, False],
    }


def test_an_audit_without_data_still_swaps_its_own_sentences(tiny: Moderator) -> None:
    found = audit(tiny, AuditRequest())
    assert [result.sentences for result in found.counterfactuals] == [14]
    assert found.counterfactuals[0].harmless
    assert json.loads(json.dumps(plain(found)))["groups"] == {}


def test_a_label_is_audited_in_groups_and_swaps(tiny: Moderator, annotated: Annotated) -> None:
    posts = tuple(replace(post, text=f"women {post.text}") for post in annotated.posts)
    found = audit(tiny, AuditRequest(replace(annotated, posts=posts), question="sexist", swaps=5, rounds=0))
    assert [result.question for result in found.counterfactuals] == ["sexist", "sexist"]
    assert [bias.question for bias in found.groups.values()] == ["sexist"]


def test_posts_without_answers_to_the_question_are_refused_before_they_are_scored(
    tiny: Moderator, annotated: Annotated, monkeypatch: pytest.MonkeyPatch
) -> None:
    for method in ("logits", "score"):
        monkeypatch.setattr(Moderator, method, None)
    told = r"posts\.jsonl' has no answers for 'otherhate'\. It has: racist, sexist, homophobe, religion, any\.$"
    with pytest.raises(InputError, match=told):
        audit(tiny, AuditRequest(annotated, question="otherhate"))
    hateful_alone = replace(annotated, truth=np.full_like(annotated.truth, np.nan), hateful=annotated.truth[:, 0])
    with pytest.raises(InputError, match=r"It has: any\.$"):
        audit(tiny, AuditRequest(hateful_alone, question="sexist"))
    with pytest.raises(InputError, match=r"no answers for 'any'\. It has: none\.$"):
        audit(tiny, AuditRequest(replace(hateful_alone, hateful=annotated.hateful)))
    halves = annotated.truth.copy()
    halves[::2, 0], halves[1::2, 1] = np.nan, np.nan
    with pytest.raises(InputError, match=r"lacks an answer for a label.* --label racist\. Or add a column"):
        audit(tiny, AuditRequest(replace(annotated, truth=halves)))


def test_an_audit_on_posts_that_something_was_fitted_to_says_so(tiny: Moderator, annotated: Annotated) -> None:
    provenance = {"fitted_on": [{"name": "made-up", "sketch": sketch(annotated.posts)}]}
    fitted = tiny.with_policy(tiny.policy.model_copy(update={"provenance": provenance}))
    (told,) = (each for each in audit(fitted, AuditRequest(annotated)).warnings if "FITTED ON THESE POSTS" in each)
    assert told.startswith("posts.jsonl: FITTED ON THESE POSTS: 100% of the evaluated posts are in 'made-up'")
    assert not any("FITTED" in each for each in audit(tiny, AuditRequest(annotated)).warnings)


@pytest.mark.parametrize(("swaps", "told"), [(0, ()), (1, ("posts.jsonl: no post names exactly one group once.",))])
def test_sentences_to_swap_are_missed_only_where_they_were_asked_for(
    tiny: Moderator, annotated: Annotated, swaps: int, told: tuple[str, ...]
) -> None:
    races = ("A", "B") * (len(annotated) // 2) + ("A",) * (len(annotated) % 2)
    posts = replace(annotated, columns={"race": races})
    found = audit(tiny, AuditRequest(posts=posts, group_columns=("race",), swaps=swaps, rounds=0))
    assert [note for note in found.warnings if "names" in note] == list(told)


def test_posts_that_nobody_says_are_hateful_are_told_where_that_is_asked(tiny: Moderator, annotated: Annotated) -> None:
    truth = annotated.truth.copy()
    truth[0, 0] = np.nan
    posts = replace(annotated, truth=truth)
    found = audit(tiny, AuditRequest(posts=posts, rounds=0))
    assert found.warnings[0].startswith("posts.jsonl: Left out of 'any': 1 of 120 posts with an answer for some labels")
    of_label = audit(tiny, AuditRequest(posts=posts, question="sexist", rounds=0))
    assert not any("Left out" in told for told in of_label.warnings)


def test_posts_that_name_nobody_are_told(tiny: Moderator, annotated: Annotated) -> None:
    found = audit(tiny, AuditRequest(posts=annotated, rounds=0))
    assert found.warnings == ("posts.jsonl: no post names a group.",)


def test_suites_are_disguised_for_what_they_know_whichever_label_is_audited(tiny: Moderator, tmp_path: Path) -> None:
    path = tmp_path / "suite.csv"
    path.write_text("test_case,label_gold,functionality,target_ident\nawful people,hateful,f1,all\n")
    request = AuditRequest(suites=(read_suite(path, HATE.names),), question="racist", evasion=EvasionTest("racist"))
    assert [tested.question for tested in audit(tiny, request).robustness] == ["any"]


def test_phrases_that_cannot_be_scored_are_told(tiny: Moderator, tmp_path: Path) -> None:
    path = tmp_path / "madlibs.csv"
    path.write_text("template,toxicity,phrase\n" + "t,toxic,awful gay\nt,nontoxic,good gay\n" * 3 + "t,toxic,\n")
    found = audit(tiny, AuditRequest(madlibs=read_phrases(path, HATE.names), rounds=0))
    told = "madlibs.csv: Left out of the audit: 1 post that could not be scored (1 post_empty)."
    assert told in found.warnings


def test_what_posts_were_audited_without_is_told(tiny: Moderator, tmp_path: Path) -> None:
    (tmp_path / "posts.csv").write_text("title,text,weight,racist\n" + "a,b,1,1\na,d,2,0\n" * 10)
    found = audit(tiny, AuditRequest(posts=read_annotated(tmp_path / "posts.csv", HATE.names), rounds=0))
    told = [note.partition(";")[0].split(":")[1] for note in found.warnings[:2]]
    assert told == [" column 'title' is not scored", " column 'weight' is not used"]
