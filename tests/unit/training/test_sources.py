"""What a recipe makes of a table."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from tests.support.object_storage import s3_server, upload

from crossguard.data.datasets.rows import Row, write_table
from crossguard.errors import ConfigError, TableError
from crossguard.training.pixels import cache_sources
from crossguard.training.recipe import Recipe, Source
from crossguard.training.sources import Fold, read_examples, unlearnable


def test_a_guess_by_stratum_counts_only_where_nobody_says_whether_a_post_is_hateful(tmp_path: Path) -> None:
    rows = [
        Row("said", "said", labels={"harm": 1.0}, hateful=0.0, stratum="mild"),
        Row("mild", "mild", labels={"harm": 1.0}, stratum="mild"),
        Row("other", "other", labels={"harm": 1.0}, stratum="other"),
    ]
    write_table(rows, ("harm", "racist"), "memes", tmp_path / "memes.parquet")
    source = Source(hateful={"mild": 0.3})
    recipe = Recipe(backend="compact", labels=("racist",), auxiliary=("harm",), sources={"memes": source})
    examples, _ = read_examples(recipe, tmp_path)
    np.testing.assert_allclose(examples.unions[:, 0], [0.0, 0.3, np.nan], rtol=1e-6)
    np.testing.assert_array_equal(examples.targets, [[np.nan, 1.0]] * 3)


def test_a_label_that_nobody_annotated_is_named(tmp_path: Path) -> None:
    write_table([Row("a", "words", labels={"racist": 0.25})], ("racist", "sexist"), "soft", tmp_path / "t.parquet")
    recipe = Recipe(backend="compact", labels=("racist", "sexist", "religoin"), sources={"t": Source()})
    assert unlearnable(recipe, read_examples(recipe, tmp_path)[0]) == ["sexist", "religoin"]


def test_a_source_may_name_the_table_it_reads(tmp_path: Path) -> None:
    write_table([Row("a", "words", labels={"racist": 0.25})], ("racist",), "soft", tmp_path / "soft-0.parquet")
    sources = {"soft": Source(table="soft-0")}
    examples, _ = read_examples(Recipe(backend="compact", labels=("racist",), sources=sources), tmp_path)
    assert examples.sources == ["soft"]
    assert examples.targets.tolist() == [[0.25]]


def test_votes_become_targets_once_by_the_recipe(tmp_path: Path) -> None:
    path = tmp_path / "votes.parquet"
    write_table(
        [Row("a", "one", labels={"racist": 1 / 3}), Row("b", "two", labels={"racist": 1.0})], ("racist",), "t", path
    )
    found = {}
    for rule in ("any", "majority", "votes", "unanimous"):
        recipe = Recipe.model_validate({"labels": ["racist"], "aggregation": rule})
        found[rule] = read_examples(recipe, path)[0].targets[:, 0]
    np.testing.assert_array_equal(found["any"], [1, 1])
    np.testing.assert_array_equal(found["majority"], [0, 1])
    np.testing.assert_allclose(found["votes"], [1 / 3, 1])
    np.testing.assert_array_equal(found["unanimous"], [np.nan, 1])


def test_a_table_that_can_be_scored_can_be_trained_on_as_it_is(tmp_path: Path) -> None:
    table = tmp_path / "mine.tsv"
    table.write_text("post_id\tcomment\tsplit\tracist\na\tone\ttrain\t1\nb\ttwo\tval\t0\nc\tthree\ttrain\t\n")
    trained, measured = read_examples(Recipe(labels=("racist",)), table)
    assert (trained.ids, trained.words) == (["a"], [("one", "")]), "a post without an answer teaches nothing"
    assert (measured.ids, measured.targets.tolist()) == (["b"], [[0.0]])


def test_a_table_may_be_many_files_and_lie_in_a_storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crossguard.data.datasets.chunks.ROWS", 3)
    (tmp_path / "images").mkdir()
    Image.new("RGB", (40, 40), "blue").save(tmp_path / "images" / "blue.png")
    rows = [
        Row(
            f"p{number}",
            f"words {number // 2}",
            image=tmp_path / "images" / "blue.png",
            labels={"racist": number % 2},
            split="val" if number % 5 == 0 else "train",
        )
        for number in range(20)
    ]
    write_table(rows, ("racist",), "t", tmp_path / "whole" / "t.parquet")
    for part in range(2):
        write_table(rows[part * 10 : part * 10 + 10], ("racist",), "t", tmp_path / "t.parquet" / f"{part}.parquet")
    recipe = Recipe(labels=("racist",), image_size=32, sources={"t": Source()})
    whole, held = read_examples(recipe, tmp_path / "whole")
    assert (len(whole), len(held)) == (12, 4)
    many = [read_examples(recipe, tmp_path)]
    with s3_server() as (address, _):
        upload(address.format("train"), tmp_path)
        many.append(read_examples(recipe, address.format("train")))
        # As addresses of images have no place for settings, these come from the environment.
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{re.findall('override=([^&]+)', address)[0]}")
        stored = cache_sources(many[-1][0], recipe.image_spec(), tmp_path / "cache")
    here = cache_sources(whole, recipe.image_spec(), tmp_path / "cache")
    (content,) = {*here.contents.values(), *stored.contents.values()}
    prints = [[part.fingerprint({path: content for path in part.images if path}) for part in found] for found in many]
    expected = [part.fingerprint(here.contents) for part in (whole, held)]
    assert prints == [expected, expected]
    image, same = whole.image_of(0), many[-1][0].image_of(0)
    assert image is not None
    assert same is not None
    np.testing.assert_array_equal(stored.images[same], here.images[image])


def test_one_table_for_a_recipe_of_many_leads_to_a_recipe_for_one(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("id,text,racist\n1,hello,0\n")
    recipe = Recipe(backend="compact", labels=("racist",), sources={"soft": Source()})
    with pytest.raises(ConfigError, match=r"lacks the tables soft\.parquet.*harmeme-compact --set 'labels="):
        read_examples(recipe, tmp_path / "mine.csv")
    with pytest.raises(ConfigError, match=r"soft\.parquet.*crossguard prepare$"):
        read_examples(recipe, tmp_path)


def test_posts_of_an_unknown_split_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    recipe, path = Recipe(labels=("racist",)), tmp_path / "posts.csv"
    splits = ["train"] * 3 + ["Train"] * 2 + ["val", "test", "dev"]
    path.write_text("text,racist,split\n" + "".join(f"words {n},1,{split}\n" for n, split in enumerate(splits)))
    trained, measured = read_examples(recipe, path)
    assert (len(trained), len(measured)) == (3, 1)
    assert "left out by their column 'split': 2 of 'posts' with 'Train', 1 of 'posts' with 'dev'." in caplog.text
    path.write_text("text,racist,split\nwords,1,Train\n")
    with pytest.raises(ConfigError, match=r"trains on\. Posts are left out .* 1 of 'posts' with 'Train'"):
        read_examples(recipe, path)


def test_a_fold_says_that_it_leaves_out_what_is_measured_without_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    recipe, path = Recipe(labels=("racist",)), tmp_path / "posts.csv"
    splits = ["train"] * 10 + ["val"] * 3 + ["test"]
    path.write_text("text,racist,split\n" + "".join(f"words {n},1,{split}\n" for n, split in enumerate(splits)))
    trained, measured = read_examples(recipe, path, Fold(0, 2))
    assert len(trained) + len(measured) == 10
    assert "left out by their column 'split': 3 of 'posts' with 'val'." in caplog.text
    assert "With --fold 0/2, it measures that part of 'train' in place of 'val'." in caplog.text
    caplog.clear()
    read_examples(recipe, path)
    assert not caplog.text


def test_a_table_without_training_posts_says_which_splits_it_has(tmp_path: Path) -> None:
    path = tmp_path / "posts.csv"
    path.write_text("text,racist,split\n" + "".join(f"words {n},1,{'val' if n > 3 else 'test'}\n" for n in range(6)))
    with pytest.raises(ConfigError, match=r"trains on\. .*: 4 of 'posts' with 'test', 2 of 'posts' with 'val'\. The "):
        read_examples(Recipe(labels=("racist",)), path)


def test_copies_of_held_out_posts_are_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    recipe, path = Recipe(labels=("racist",)), tmp_path / "posts.csv"
    path.write_text("text,racist,split\nwords,1,val\nWords!,1,train\nother,0,train\n")
    trained, _ = read_examples(recipe, path)
    assert trained.words == [("other", "")]
    assert "1 training posts are left out, because they are copies of held-out posts" in caplog.text
    path.write_text("text,racist,split\nwords,1,val\nWords!,1,train\n")
    with pytest.raises(ConfigError, match=r"trains on\. 1 training posts are left out, because they are copies"):
        read_examples(recipe, path)


def test_a_fold_that_takes_all_posts_is_told(tmp_path: Path) -> None:
    path = tmp_path / "posts.csv"
    path.write_text("text,racist\nwords,1\n")
    with pytest.raises(ConfigError, match="--fold 0/1 holds all of them out"):
        read_examples(Recipe(labels=("racist",)), path, Fold(0, 1))


def test_posts_that_say_and_show_nothing_are_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = [Row(str(n), " " if n < 3 else f"words {n}", split="val" if n % 2 else "train") for n in range(8)]
    rows = [Row(row.id, row.text, split=row.split, labels={"racist": 1.0}) for row in rows]
    write_table(rows, ("racist",), "t", tmp_path / "t.parquet")
    trained, measured = read_examples(Recipe(labels=("racist",)), tmp_path / "t.parquet")
    assert (trained.ids, measured.ids) == (["4", "6"], ["3", "5", "7"])
    assert "3 posts are left out, because they have neither text nor image." in caplog.text


def test_posts_without_an_answer_are_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    recipe, path = Recipe(labels=("racist",), auxiliary=("harm",)), tmp_path / "posts.csv"
    path.write_text("text,racist,split\none,,train\ntwo,,val\nthree,,test\nfour,1,train\n")
    assert read_examples(recipe, path)[0].words == [("four", "")]
    assert "2 posts are left out, because they have no answer for racist or harm." in caplog.text
    path.write_text("text,racist\none,\ntwo,\n")
    with pytest.raises(ConfigError, match=r"trains on\. 2 posts are left out, because they have no answer for racist"):
        read_examples(recipe, path)


@pytest.mark.parametrize(
    ("values", "why"),
    [([0.0, 5.0], "has 5 for the post 'b'"), ([-1.0, 1.0], "has -1 for the post 'a'"), (["no", "yes"], "is of string")],
)
def test_a_column_of_a_ready_table_that_holds_no_shares_is_refused(
    values: list[object], why: str, tmp_path: Path
) -> None:
    write_table([Row("a", "one"), Row("b", "two")], ("racist",), "mine", tmp_path / "t.parquet")
    table = pq.read_table(tmp_path / "t.parquet").drop_columns(["racist"])
    pq.write_table(table.append_column("racist", pa.array(values)), tmp_path / "t.parquet")
    with pytest.raises(TableError, match=rf"t\.parquet: column 'racist' .*{why}"):
        read_examples(Recipe(labels=("racist",)), tmp_path / "t.parquet")


def test_a_label_with_one_answer_only_is_named(tmp_path: Path) -> None:
    path = tmp_path / "posts.csv"
    path.write_text("text,never,always,known,nobody\none,0,1,0,\ntwo,0,1,1,\nthree,0,,0,\n")
    recipe = Recipe(labels=("never", "always", "known", "nobody"))
    trained, _ = read_examples(recipe, path)
    assert unlearnable(recipe, trained) == ["never", "always", "nobody"]


def test_a_table_that_is_not_there_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"There is no table at .*postss\.csv"):
        read_examples(Recipe(labels=("racist",)), tmp_path / "postss.csv")
