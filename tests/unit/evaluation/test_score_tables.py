from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from crossguard.data.writing import open_output
from crossguard.errors import TableError
from crossguard.evaluation.leakage import post_hash
from crossguard.evaluation.score_tables import holds_decisions, knows_posts, pack_texts, read_scores, score_labels
from crossguard.moderator import Moderator
from crossguard.records import Post
from crossguard.scoring import score_table


def write(folder: Path, kind: str, rows: list[dict[str, Any]]) -> Path:
    path = folder / f"scores.{kind}"
    if kind == "jsonl":
        lines = [json.dumps(row) for row in rows]
    else:
        lines = [",".join(rows[0])] + [",".join(map(str, row.values())) for row in rows]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


POSTS = [Post("1", "hello you"), Post("none", ""), Post("2", "awful people")]
LABELS = ("racist", "sexist")


@pytest.fixture(params=["jsonl", "csv", "parquet"])
def decisions(request: pytest.FixtureRequest, tmp_path: Path, tiny: Moderator) -> Path:
    path = tmp_path / f"decisions.{request.param}"
    score_table(tiny, POSTS, open_output(path, tiny.labels.names))
    return path


def test_scores_of_a_table_are_flagged_from_one_half_on(tmp_path: Path) -> None:
    plain = write(tmp_path, "csv", [{"id": "2", "racist": 0.25}, {"id": "1", "racist": 0.5}])
    assert score_labels(plain, ("id", "racist", "sexist")) == ("racist",)
    given = read_scores([plain], ("racist",), ("1", "2"))
    assert given.scores.tolist() == [[0.5], [0.25]]
    assert given.flags.tolist() == [[True], [False]]
    assert given.thresholds == {"racist": 0.5}
    assert given.source == "scores as given; no thresholds came with them, so 0.5 was assumed for every label"


@pytest.mark.parametrize("name", ["ID", "tweet_id"])
def test_ids_of_scores_are_found_as_those_of_posts_are(tmp_path: Path, name: str) -> None:
    given = read_scores([write(tmp_path, "jsonl", [{name: 1.0, "racist": 0.25}])], ("racist",), ("1",))
    assert given.scores.tolist() == [[0.25]]


def test_scores_without_ids_are_not_matched_by_place(tmp_path: Path) -> None:
    plain = write(tmp_path, "csv", [{"text": "hello", "racist": 0.25}])
    with pytest.raises(TableError, match="has no column 'id', by which scores are matched"):
        read_scores([plain], ("racist",), ("line-2",))


def test_scores_beyond_one_are_told_from_columns_of_another_name(tmp_path: Path) -> None:
    percent = write(tmp_path, "csv", [{"id": "1", "racist": 25}])
    with pytest.raises(TableError, match=r"A score is a number from 0 to 1\. The first of 'racist' is '?25'?\."):
        score_labels(percent, ("id", "racist"))


def test_scores_may_have_a_decimal_comma(tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"
    path.write_text("id;racist\n1;0,25\n2;5E-3\n3;1,5E-05\n")
    assert score_labels(path, ("id", "racist")) == ("racist",)
    given = read_scores([path], ("racist",), ("1", "2", "3"))
    assert given.scores.ravel().tolist() == [0.25, 0.005, 1.5e-5]


def test_decisions_keep_the_flags_that_were_recorded(decisions: Path, tiny: Moderator) -> None:
    given = read_scores([decisions], LABELS, ("2", "none", "1"))
    two, one = tiny.score(POSTS[2]), tiny.score(POSTS[0])
    assert given.flags[[0, 2]].tolist() == [[of.labels[name].flagged for name in LABELS] for of in (two, one)]
    assert given.scores[[0, 2]] == pytest.approx(
        np.array([[of.scores[name] for name in LABELS] for of in (two, one)]), abs=1e-6
    )
    assert given.thresholds == {name: one.labels[name].threshold for name in LABELS}
    assert f"{one.model} {one.model_version} under the policy {one.policy} {one.policy_version}" in given.source


def test_posts_that_could_not_be_scored_are_counted(decisions: Path) -> None:
    given = read_scores([decisions], LABELS, ("2", "none", "1"))
    assert given.failed == {"post_empty": 1}
    assert given.ready.tolist() == [True, False, True]
    with pytest.raises(TableError, match="None of the 1 posts could be scored: post_empty"):
        read_scores([decisions], LABELS, ("none",))


def test_decisions_of_other_texts_are_refused(decisions: Path) -> None:
    """Tables without ids count their lines, so the ids of any two fit."""
    posts = [POSTS[0], Post("2", "what was edited since")]
    assert holds_decisions(decisions)
    with pytest.raises(TableError, match="scores of other posts: '2' had another text"):
        read_scores([decisions], LABELS, ("1", "2"), posts=posts)
    assert read_scores([decisions], LABELS, ("1", "2"), posts=[POSTS[0], POSTS[2]]).ready.all()


@pytest.mark.parametrize("known", [True, False])
def test_decisions_whose_ids_repeat_are_taken_in_order(tmp_path: Path, tiny: Moderator, known: bool) -> None:
    """As of a folder of tables without ids: each counts its lines from 1."""
    words = ("hello you", "awful people", "good morning", "hello you")
    posts = [Post("line-2", text) for text in words]
    score_table(tiny, posts, open_output(tmp_path / "out.jsonl", tiny.labels.names))
    given = read_scores([tmp_path / "out.jsonl"], LABELS, ["line-2"] * 4, posts=posts if known else ())
    expected = [[tiny.score(text).scores[name] for name in LABELS] for text in words]
    assert given.scores == pytest.approx(np.array(expected), abs=1e-5)
    with pytest.raises(TableError, match="again; each post needs one score, and an id of its own"):
        read_scores([tmp_path / "out.jsonl"] * 2, LABELS, ["line-2"] * 4, posts=posts if known else ())


def test_one_decision_of_an_id_stands_for_all_posts_that_say_the_same(tmp_path: Path, tiny: Moderator) -> None:
    score_table(tiny, [Post("1", ""), Post("2", "hello")], open_output(tmp_path / "out.jsonl", tiny.labels.names))
    given = read_scores([tmp_path / "out.jsonl"], LABELS, ("1", "2", "1"))
    assert given.failed == {"post_empty": 2}
    with pytest.raises(TableError, match="no scores for 1 of 2 posts"):
        read_scores([tmp_path / "out.jsonl"], LABELS, ("2", "2"), posts=[Post("2", "hello"), Post("2", "you")])


def test_labels_of_ones_own_are_the_numbers_that_posts_and_scores_share(tmp_path: Path) -> None:
    path = write(tmp_path, "csv", [{"id": "1", "split": "0", "spam": 0.5, "length": 80, "text": "1"}])
    assert score_labels(path, ("id", "split", "text", "spam", "length")) == ("spam",)
    with pytest.raises(TableError, match="no scores for a label of the posts"):
        score_labels(path, ("id", "text", "racist"))


def test_whether_a_post_is_hateful_is_a_label_where_there_is_no_other(tmp_path: Path) -> None:
    path = write(tmp_path, "csv", [{"id": "1", "hateful": 0.5, "spam": 1}])
    assert score_labels(path, ("id", "text", "hateful")) == ("hateful",)
    assert score_labels(path, ("id", "text", "hateful", "spam")) == ("spam",)
    percent = write(tmp_path, "csv", [{"id": "1", "hateful": 50}])
    with pytest.raises(TableError, match=r"The first of 'hateful' is '?50'?\."):
        score_labels(percent, ("id", "hateful"))


@pytest.mark.parametrize("nothing", ["", None])
def test_a_label_without_a_score_in_the_first_row_is_not_left_out(tmp_path: Path, nothing: str | None) -> None:
    path = write(tmp_path, "jsonl", [{"id": "1", "spam": nothing, "ham": 1}, {"id": "2", "spam": 0.5, "ham": 0}])
    assert score_labels(path, ("id", "spam", "ham")) == ("spam", "ham")


@pytest.mark.parametrize("place", ["_job/job.json", "00000/part-00000000-9f86d081-1-0.jsonl"])
def test_a_job_that_is_not_finished_is_told(tmp_path: Path, place: str) -> None:
    (tmp_path / place).parent.mkdir()
    (tmp_path / place).touch()
    with pytest.raises(TableError, match=r"has no _manifest\.jsonl: the job in it is not finished"):
        score_labels(tmp_path, ("id", "racist"))


def test_a_folder_of_neither_kind_is_told(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"neither the folder of a job, with _manifest.*training run, with inference_"):
        score_labels(tmp_path, ("id", "racist"))


def test_a_post_without_scores_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, "csv", [{"id": "1", "racist": 0.5}])
    with pytest.raises(TableError, match="no scores for 1 of 2 posts, such as 9"):
        read_scores([path], ("racist",), ("1", "9"))
    with pytest.raises(TableError, match="must lie in"):
        read_scores([write(tmp_path, "csv", [{"id": "1", "racist": 7}])], ("racist",), ("1",))


def test_posts_that_need_no_score_may_lack_one(tmp_path: Path) -> None:
    path = write(tmp_path, "csv", [{"id": "1", "racist": 0.5}])
    given = read_scores([path], ("racist",), ("1", "9", "8"), needless=np.array([False, True, True]))
    assert (given.ready.tolist(), given.absent) == ([True, False, False], 2)
    with pytest.raises(TableError, match="no scores for 1 of 3 posts, such as 9"):
        read_scores([path], ("racist",), ("1", "9", "8"), needless=np.array([False, False, True]))
    with pytest.raises(TableError, match="no scores for 2 of 2 posts"):
        read_scores([path], ("racist",), ("9", "8"), needless=np.array([True, True]))


def test_posts_that_failed_beside_others_without_a_score_are_told(decisions: Path) -> None:
    with pytest.raises(TableError, match="None of the 1 posts could be scored: post_empty"):
        read_scores([decisions], LABELS, ("none", "9"), needless=np.array([False, True]))


def test_folds_join_and_a_post_scored_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "two").mkdir()
    one = write(tmp_path, "csv", [{"id": "1", "racist": 0.5}])
    two = write(tmp_path / "two", "csv", [{"id": "2", "racist": 0.25}])
    assert read_scores([two, one], ("racist",), ("1", "2")).scores.tolist() == [[0.5], [0.25]]
    with pytest.raises(TableError, match="scores post '1' again"):
        read_scores([one, one], ("racist",), ("1",))


def test_the_folder_of_a_job_is_read_as_scores(tmp_path: Path, tiny: Moderator) -> None:
    posts = [Post("1", "hello you"), Post("2", "awful people")]
    for decision in tiny.score(posts):
        path = tmp_path / f"part-{decision.id}.jsonl"
        path.write_text(json.dumps(decision.to_dict()) + "\n", encoding="utf-8")
    lines = [{"parts": 2}, *({"part": f"part-{number}.jsonl", "posts": 1} for number in (1, 2))]
    (tmp_path / "_manifest.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    scores = read_scores([tmp_path], ("racist", "sexist"), ("2", "1", "2")).scores
    one, two = ([decision.scores[name] for name in ("racist", "sexist")] for decision in tiny.score(posts))
    assert scores == pytest.approx(np.array([two, one, two]), abs=1e-6)
    assert score_labels(tmp_path, ("id", "racist")) == tiny.labels.names


@pytest.mark.parametrize("columns", [("id", "text", "racist", "hateful"), ("id", "text", "hateful")])
def test_decisions_are_measured_with_all_their_labels(
    decisions: Path, tiny: Moderator, columns: tuple[str, ...]
) -> None:
    """Else `any` would know nothing of flags of a label that the posts have no column for."""
    assert score_labels(decisions, columns) == tiny.labels.names


@pytest.mark.parametrize("pack", [pack_texts, np.array])  # earlier versions stored an array of texts
def test_held_out_predictions_of_a_training_run_are_scores(
    tmp_path: Path, pack: Callable[[list[str]], NDArray[Any]]
) -> None:
    config = {"class_names": ["racist", "sexist"], "label_schemes": {"any": [0, 1], "consensus": [2, 3]}}
    (tmp_path / "inference_config.json").write_text(json.dumps(config), encoding="utf-8")
    np.savez(tmp_path / "predictions.npz", ids=pack(["9", "1"]), logits=np.array([[0.0, 9, 9, 9], [0, 9, -50, 0]]))
    assert score_labels(tmp_path, ("racist", "sexist")) == ("racist", "sexist")
    assert read_scores([tmp_path], ("racist",), ("9",)).scores.tolist() == [[0.5]]
    assert read_scores([tmp_path], ("sexist",), ("1",), "consensus").scores.tolist() == [[0.5]]
    with pytest.raises(TableError, match="no label scheme 'labels'"):
        read_scores([tmp_path], ("racist",), ("1",), "labels")
    (tmp_path / "inference_config.json").write_text(json.dumps({"class_names": ["racist"], "label_schemes": {}}))
    with pytest.raises(TableError, match="no label scheme"):
        score_labels(tmp_path, ("racist",))
    (tmp_path / "inference_config.json").write_text(json.dumps({"class_names": ["racist"]}))
    with pytest.raises(TableError, match="no finished training run: 'label_schemes'"):
        score_labels(tmp_path, ("racist",))
    (tmp_path / "predictions.npz").unlink()
    with pytest.raises(TableError, match="no finished training run"):
        score_labels(tmp_path, ("racist",))


def run_over(folder: Path, posts: list[Post], logits: list[float]) -> Path:
    config = {"class_names": ["racist"], "label_schemes": {"any": [0]}}
    (folder / "inference_config.json").write_text(json.dumps(config), encoding="utf-8")
    ids, contents = pack_texts([post.id for post in posts]), pack_texts(list(map(post_hash, posts)))
    np.savez(folder / "predictions.npz", ids=ids, contents=contents, logits=np.array(logits)[:, None])
    return folder


def test_predictions_of_other_posts_are_refused(tmp_path: Path) -> None:
    """A table without ids whose lines have another order since has the same ids."""
    (tmp_path / "scores.csv").write_text("id,racist\n1,0.5\n")
    run = run_over(tmp_path, [Post("line-2", "hello you"), Post("line-3", "awful people")], [0, 9])
    assert [knows_posts(path) for path in (run, tmp_path / "scores.csv")] == [True, False]
    ids, again = ("line-2", "line-3"), [Post("line-2", "Hello, you!"), Post("line-3", "awful people")]
    assert read_scores([run], ("racist",), ids, posts=again).scores[0] == [0.5]
    turned = [Post("line-2", "awful people"), Post("line-3", "hello you")]
    with pytest.raises(TableError, match="scores of other posts: 'line-2' had another text when it was scored"):
        read_scores([run], ("racist",), ids, posts=turned)
    with pytest.raises(TableError, match="'line-3' had another text"):
        read_scores([run], ("racist",), ids[1:], posts=turned[1:])


def test_predictions_of_several_tables_are_told_apart_by_what_their_posts_say(tmp_path: Path) -> None:
    posts = [Post("1", "of a"), Post("1", "of b"), Post("1", "of c"), Post("1", "of b")]
    run = run_over(tmp_path, posts, [-50, 0, 50, 50])
    assert read_scores([run], ("racist",), ["1"] * 2, posts=[posts[2], posts[0]]).flags.tolist() == [[True], [False]]
    assert read_scores([run], ("racist",), ["1"] * 4, posts=posts).scores.round(2).ravel().tolist() == [0, 0.5, 1, 1]
    with pytest.raises(TableError, match="scores post '1' again"):
        read_scores([run], ("racist",), ["1"], posts=[posts[1]])


def test_predictions_are_not_refused_where_it_is_not_known_what_a_post_says(tmp_path: Path) -> None:
    (tmp_path / "1.png").write_bytes(b"image")
    run = run_over(tmp_path, [Post("1", ":-)", image=tmp_path / "1.png")], [0])
    for post in (Post("1"), Post("1", ":-)"), Post("1", image=tmp_path / "gone.png"), Post("1", image=b"image")):
        assert read_scores([run], ("racist",), ("1",), posts=[post]).scores.tolist() == [[0.5]]
    for post in (Post("1", "words"), Post("1", image=b"another")):
        with pytest.raises(TableError, match="'1' had another text"):
            read_scores([run], ("racist",), ("1",), posts=[post])


def test_a_training_run_says_what_it_was_told(tmp_path: Path) -> None:
    config = {"class_names": ["racist"], "label_schemes": {"any": [0], "majority": [1]}}
    (tmp_path / "inference_config.json").write_text(json.dumps(config))
    targets = np.array([[1, 0], [0.5, 0.49], [np.nan, np.nan]])
    np.savez(tmp_path / "predictions.npz", ids=pack_texts(["1", "2", "3"]), logits=np.zeros((3, 2)), targets=targets)
    for scheme, answers in (("any", [1, 1, np.nan]), ("majority", [0, 0, np.nan])):
        found = read_scores([tmp_path], ["racist"], ["3", "2", "1"], scheme).answers
        assert found is not None
        np.testing.assert_array_equal(found[::-1, 0], answers)


@pytest.mark.parametrize("content", [b"", b"PK\3\4 and no more"])
def test_predictions_that_were_not_written_whole_are_no_run(tmp_path: Path, content: bytes) -> None:
    config = {"class_names": ["racist"], "label_schemes": {"any": [0]}}
    (tmp_path / "inference_config.json").write_text(json.dumps(config), encoding="utf-8")
    (tmp_path / "predictions.npz").write_bytes(content)
    with pytest.raises(TableError, match="no finished training run"):
        score_labels(tmp_path, ("racist",))


@pytest.mark.parametrize("ids", [b"5", b"null", b"[1", b"[" * 100_000])
def test_ids_that_are_no_list_of_texts_are_those_of_no_run(tmp_path: Path, ids: bytes) -> None:
    config = {"class_names": ["racist"], "label_schemes": {"any": [0]}}
    (tmp_path / "inference_config.json").write_text(json.dumps(config), encoding="utf-8")
    np.savez(tmp_path / "predictions.npz", ids=np.frombuffer(ids, dtype=np.uint8), logits=np.zeros((1, 1)))
    with pytest.raises(TableError, match="no finished training run"):
        score_labels(tmp_path, ("racist",))
