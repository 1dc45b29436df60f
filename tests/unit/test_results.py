from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tests.support.decisions import decision
from tests.support.pictures import encoded

import crossguard
from crossguard.bundle import Bundle
from crossguard.data.image_limits import ImageLimits
from crossguard.data.writing import read_decisions
from crossguard.decision.policy import Policy
from crossguard.errors import InputError, MissingExtraError
from crossguard.moderator import Moderator
from crossguard.records import Action, Decision, LabelDecision, Post, PostFailure
from crossguard.results import Results

VERSIONS = ("m", "1", "p", "1")
HATE = "All of you are <b>vermin</b>"


def test_a_repr_fits_on_a_line(tiny: Moderator) -> None:
    results = tiny.score(["hello", "good morning", ""])
    assert all(len(repr(row)) < 150 for row in results)
    assert repr(results[2]) == "Decision('2', failed: post_empty)"
    assert repr(results).startswith("Results(3 decisions: ")
    label = LabelDecision(0.25, 0.5, flagged=False, action=Action.ALLOW)
    assert repr(Decision("a", {"spam": label}, Action.ALLOW, 1.0, *VERSIONS)) == (
        "Decision('a', allow: no flag, highest spam 0.25)"
    )
    assert repr(tiny).startswith("Moderator(tiny 1.0.0, policy default 1, ")


def test_notebooks_get_masked_words_and_no_markup_of_posts(tiny: Moderator) -> None:
    results = tiny.with_policy(_flagging_everything(tiny)).score([HATE] * 30)
    page = results._repr_html_()
    assert "vermin" not in page
    assert "&lt;b" in page
    assert "and 10 more" in page
    one = results[0]._repr_html_()
    assert "racist" in one
    assert "vermin" not in one
    failed = Decision("<i>", {}, None, None, *VERSIONS, error=PostFailure("x_y", "a < b"))._repr_html_()
    assert "&lt;i&gt;" in failed
    assert "a &lt; b" in failed


def _flagging_everything(tiny: Moderator) -> Policy:
    labels = {
        name: rule.model_copy(update={"threshold": 0.0, "review": None}) for name, rule in tiny.policy.labels.items()
    }
    return tiny.policy.model_copy(update={"labels": labels})


@pytest.mark.parametrize("name", ["out.csv", "out.xlsx"])
def test_a_frame_that_is_written_is_read_with_all_flags(tiny: Moderator, tmp_path: Path, name: str) -> None:
    pytest.importorskip("pandas", reason="data frames need pandas")
    results = tiny.with_policy(_flagging_everything(tiny)).score(["hello", "", "good morning"])
    frame = results.to_frame()
    write = frame.to_csv if name.endswith("csv") else frame.to_excel
    write(tmp_path / name, index=False)
    assert [row.flags for row in read_decisions(tmp_path / name)] == [row.flags for row in results]
    assert results[0].flags


def test_a_frame_has_a_row_per_post(tiny: Moderator) -> None:
    pytest.importorskip("pandas", reason="data frames need pandas")
    frame = tiny.score([{"id": "a", "text": "hello"}, {"id": "b", "text": ""}]).to_frame()
    assert frame["id"].tolist() == ["a", "b"]
    assert frame["text"].tolist() == ["hello", ""]
    assert frame["status"].tolist() == ["scored", "failed"]
    assert frame["score_racist"].isna().tolist() == [False, True]
    assert frame["error_code"].tolist()[1] == "post_empty"


def test_a_frame_has_the_columns_of_a_csv(tmp_path: Path) -> None:
    (tmp_path / "posts.csv").write_text("text\nhello\n")
    crossguard.score_file(tmp_path / "posts.csv", tmp_path / "out.csv")
    header = (tmp_path / "out.csv").read_text().splitlines()[0].split(",")
    frame = crossguard.load("compact").score([{"text": "hello"}]).to_frame()
    assert [name for name in frame.columns if name != "text"] == header
    assert frame["attributes_toxicity"].between(0, 1).all()


def test_without_pandas_says_what_to_install(tiny: Moderator, monkeypatch: pytest.MonkeyPatch) -> None:
    results = tiny.score(["hello"])
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)
    with pytest.raises(MissingExtraError, match=r"crossguard\[pandas\]"):
        results.to_frame()


def test_parts_of_results_keep_their_posts(tiny: Moderator) -> None:
    results = tiny.score(["hello", "", "good"])
    assert [post.text for post in results[1:].posts] == ["", "good"]
    assert [row.id for row in results.failed] == ["1"]
    assert [post.text for post in results.failed.posts] == [""]


def test_leaving_the_context_ends_the_threads(tiny_bundle: Bundle) -> None:
    with Moderator.load(tiny_bundle.folder) as moderator:
        assert moderator.score(["hello"])[0].ok
    with pytest.raises(InputError, match="This moderator was closed"):
        moderator.score(["hello"])


def test_decisions_keep_their_posts_in_whatever_order_they_are_put(tiny: Moderator) -> None:
    pytest.importorskip("pandas", reason="data frames need pandas")
    results = tiny.score([{"id": name, "text": f"hello {name}"} for name in "abc"])
    results.reverse()
    assert [post.id for post in results.posts] == ["c", "b", "a"]
    results.sort(key=lambda decision: decision.id)
    results.pop(1)
    assert results.to_frame()["text"].tolist() == ["hello a", "hello c"]
    assert [post.text for post in results.copy().posts] == ["hello a", "hello c"]
    assert [post.text for post in pickle.loads(pickle.dumps(results)).posts] == ["hello a", "hello c"]  # noqa: S301


def test_the_name_of_a_file_is_not_taken_for_the_title_of_a_page(tiny: Moderator) -> None:
    results: Any = tiny.score(["hello"])
    with pytest.raises(TypeError):
        results.to_html("page.html")
    assert "<title>Monday" in results.to_html(title="Monday")


def test_joined_results_keep_their_posts_and_a_decision_from_elsewhere_has_none(tiny: Moderator) -> None:
    pytest.importorskip("pandas", reason="data frames need pandas")
    first, second = tiny.score(["hello"]), tiny.score(["good morning"])
    both = first + second
    assert isinstance(both, Results)
    assert [post.text for post in both.posts] == ["hello", "good morning"]
    first += second
    first.append(tiny.score("alone"))
    assert first.to_frame()["text"].tolist() == ["hello", "good morning", ""]
    assert "good morning" in first.to_html()


@pytest.mark.parametrize("ids", [None, "cab"])
def test_results_of_decisions_that_were_sorted_keep_their_posts_and_rows(tiny: Moderator, ids: str | None) -> None:
    pandas = pytest.importorskip("pandas", reason="data frames need pandas")
    posts = pandas.DataFrame({"text": ["hello", "good", "morning"]}, index=None if ids is None else list(ids))
    scored = tiny.score(posts)
    turned = Results(reversed(scored)).to_frame()
    assert turned["text"].tolist() == ["morning", "good", "hello"]
    posts["score"] = turned["score_racist"]
    assert posts["score"].tolist() == scored.to_frame()["score_racist"].tolist()


def test_results_of_results_keep_all_that_these_know(tiny_bundle: Bundle, tmp_path: Path, red: bytes) -> None:
    pytest.importorskip("pandas", reason="data frames need pandas")
    (tmp_path / "a.png").write_bytes(red)
    moderator = Moderator.load(tiny_bundle.folder, image_root=tmp_path)
    assert "data:image/jpeg;base64," in Results(moderator.score([{"image": "a.png"}])).to_html()
    assert list(Results(moderator.score([])).to_frame().columns) == list(moderator.score([]).to_frame().columns)


@pytest.mark.parametrize("posts", [[], [""]])
def test_a_frame_has_score_columns_even_where_nothing_was_scored(tiny: Moderator, posts: list[str]) -> None:
    pytest.importorskip("pandas", reason="data frames need pandas")
    frame = tiny.score(posts).to_frame()
    assert list(frame.columns) == list(tiny.score(["hello"]).to_frame().columns)
    assert len(frame) == len(posts)


def test_posts_are_a_sequence_that_follows_its_decisions() -> None:
    results = Results([decision(name) for name in "abc"], [Post(name, f"hello {name}") for name in "abc"])
    posts = results.posts
    assert posts != posts[:1]
    assert posts == (Post("a", "hello a"), Post("b", "hello b"), Post("c", "hello c"))
    assert posts == results.copy().posts
    assert (len(posts), posts[-1].id, [post.id for post in posts[:2]]) == (3, "c", ["a", "b"])
    assert repr(posts[:1]) == repr(Results(results[:1], posts[:1]).posts)
    results.reverse()
    assert [post.id for post in posts] == ["c", "b", "a"]
    assert Post("b", "hello b") in posts


def test_one_post_or_a_few_take_as_long_whatever_the_number_of_decisions(monkeypatch: pytest.MonkeyPatch) -> None:
    results = Results([decision(str(number)) for number in range(100)], [Post(str(n)) for n in range(100)])
    monkeypatch.setattr(Results, "__iter__", lambda _: pytest.fail("looked through all"))
    assert results.posts[7].id == "7"
    assert [post.id for post in results[10:12].posts] == ["10", "11"]


def test_one_decision_that_stands_for_two_posts_keeps_both() -> None:
    one = decision("1")
    assert [post.text for post in Results([one, one], [Post("1", "first"), Post("2", "second")]).posts] == [
        "first",
        "second",
    ]


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        ([2, 0, 1], [None]),
        (["c", "a", "a"], ["post"]),
        (["c", None, "a"], [None]),
        ([("x", 1), ("x", 2), ("y", 1)], ["forum", "n"]),
    ],
)
def test_a_frame_has_the_index_of_what_was_scored(
    tiny: Moderator, labels: list[object], names: list[str | None]
) -> None:
    pandas = pytest.importorskip("pandas", reason="data frames need pandas")
    posts = pandas.DataFrame({"text": ["hello", "good", "morning"]}, index=pandas.Index(labels).set_names(names))
    for results in (tiny.score(posts), tiny.score(posts["text"])):
        assert results.to_frame().index.equals(posts.index)
        assert results.to_frame().index.names == posts.index.names
        assert results[::-1].to_frame().index.equals(posts.index[::-1])
    assert list(tiny.score(["hello", "good"]).to_frame().index) == [0, 1]
    assert (tiny.score([]).to_frame().index == []).all()
    assert len((tiny.score(posts) + tiny.score(pandas.Series(["hello"]))).to_frame().index) == 4


def test_actions_of_a_frame_are_in_the_order_of_their_severity(tiny: Moderator) -> None:
    pytest.importorskip("pandas", reason="data frames need pandas")
    results = tiny.with_policy(_flagging_everything(tiny)).score(["hello", ""])
    frame = results.to_frame()
    for least in ("review", Action.REVIEW):
        assert list(frame[frame["action"] >= least]["id"]) == ["0"]
    assert list(frame["action"] < "review") == [False, False], "a post that failed has no action"
    assert "0,hello" in frame.to_csv(index=False)


def test_a_page_finds_images_where_scoring_did(tiny_bundle: Bundle, tmp_path: Path, red: bytes) -> None:
    (tmp_path / "a.png").write_bytes(red)
    moderator = Moderator.load(tiny_bundle.folder, image_root=tmp_path)
    results = moderator.score([{"text": "hello", "image": "a.png"}, Post("more", more_images=("a.png",))])
    assert [decision.ok for decision in results] == [True, True]
    page = results[:].to_html()
    assert page.count("data:image/jpeg;base64,") == 2
    assert "No such image" not in page


def test_a_page_shows_images_within_the_limits_of_scoring(tiny_bundle: Bundle) -> None:
    moderator = Moderator.load(tiny_bundle.folder, image_limits=ImageLimits(max_side=70_000))
    results = moderator.score([{"image": encoded(Image.new("1", (70_000, 1)), "PNG")}])
    for same in (results, results[:], Results(results)):
        assert "data:image/jpeg;base64," in same.to_html()
