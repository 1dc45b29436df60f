from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from tests.support.perspective_bundle import write_perspective_bundle

from crossguard.bundle import Bundle
from crossguard.cli.perspective import command, read_pairs
from crossguard.errors import ConfigError, InputError, OutputError
from crossguard.moderator import Moderator

WORDS = ("hello", "good", "morning", "you", "are", "all", "awful", "people", "i", "love", "hate", "my", "friends")


@pytest.fixture(scope="module")
def bundle(tiny_bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return write_perspective_bundle(tiny_bundle, tmp_path_factory.mktemp("attributed") / "bundle")


def run(*arguments: str | Path) -> str:
    ended = CliRunner().invoke(command, ["map", *map(str, arguments)], catch_exceptions=False)
    assert ended.exit_code == 0, ended.output
    return ended.output


def squares(highest: float = 1.0) -> list[str]:
    return [f"{x:.3f},{x**2:.3f}" for x in np.linspace(0, highest, 100)]


def test_texts_are_scored_and_old_thresholds_keep_their_meaning(bundle: Bundle, tmp_path: Path) -> None:
    moderator = Moderator.load(bundle.folder)
    random = np.random.default_rng(0)
    texts = [" ".join(random.choice(WORDS, size=4)) for _ in range(200)]
    lines = [f"{text},{moderator.score(text=text).scores['toxicity'] ** 2:.6f},not a score" for text in texts]
    file, out = tmp_path / "both.csv", tmp_path / "moved.yaml"
    file.write_text("\n".join(["Text,Toxicity,note", *lines, "empty score,,x", ",0.5,x"]))
    assert "TOXICITY" in run(file, "--model", bundle.folder, "-o", out)
    mapped = Moderator.load(bundle.folder, policy=out)
    assert mapped.policy.name == "moved"
    fitted = mapped.policy.perspective["TOXICITY"]
    assert fitted.pairs == len(set(texts)) == 199, "one text came twice"
    for text in texts[:20]:
        score = moderator.score(text=text).scores["toxicity"]
        assert fitted(score) == pytest.approx(score**2, abs=0.02)
        assert mapped.score(text=text).scores["toxicity"] == score


def test_scores_at_hand_are_used_and_a_policy_file_is_added_to(bundle: Bundle, tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("name: own\nversion: '4'\nlabels: {racist: {threshold: 0.9, block: 0.95}}\n")
    file, out = tmp_path / "both.csv", tmp_path / "out.yaml"
    file.write_text("\n".join(["crossguard_INSULT,perspective_INSULT", *squares()]))
    run(file, "--model", bundle.folder, "--policy", own, "--name", "both", "-o", out)
    policy = Moderator.load(bundle.folder, policy=out).policy
    assert policy.labels["racist"].threshold == 0.9
    assert policy.perspective["INSULT"](0.5) == pytest.approx(0.25, abs=0.02)
    with pytest.raises(OutputError, match="--overwrite"):
        run(file, "--model", bundle.folder, "-o", out)


def test_the_policy_says_that_the_service_uses_the_maps(bundle: Bundle, tmp_path: Path) -> None:
    """`score`, which it named, gives the same answers without them."""
    file, out = tmp_path / "both.csv", tmp_path / "own policy.yaml"
    file.write_text("\n".join(["crossguard_INSULT,INSULT", *squares()]))
    told = f"Use it with: crossguard serve --model {bundle.folder} --policy '{{}}'"
    assert told.format(out) in run(file, "--model", bundle.folder, "-o", out)
    assert out.read_text().splitlines()[0] == f"# {told.format(out.name)}"


def test_comments_with_the_same_words_are_one_where_their_words_are_known(bundle: Bundle, tmp_path: Path) -> None:
    """Perspective's scores of one comment may differ between days, and those of two comments may be the same."""
    file, out = tmp_path / "both.csv", tmp_path / "out.yaml"
    rows = [f"{row},comment {at % 60}" for at, row in enumerate(squares())]
    for column, pairs in (("text", 60), ("note", 100)):
        file.write_text("\n".join([f"crossguard_INSULT,INSULT,{column}", *rows]))
        run(file, "--model", bundle.folder, "-o", out, "--overwrite")
        assert Moderator.load(bundle.folder, policy=out).policy.perspective["INSULT"].pairs == pairs


def test_a_threshold_that_is_told_is_reached_by_comments_that_share_a_score(bundle: Bundle, tmp_path: Path) -> None:
    file = tmp_path / "both.csv"
    pairs = ["0.9,0.95"] * 129 + ["0.9,0.6"] * 71 + ["0.1,0.05"] * 200  # 0.9 is 0.826 on average, below 0.83
    rows = [f"words {place},{scores}" for place, scores in enumerate(pairs)]
    file.write_text("\n".join(["text,crossguard_INSULT,INSULT", *rows]))
    said = " ".join(run(file, "--model", bundle.folder, "-o", tmp_path / "out.yaml").split())
    told = re.search(r"as many comments as reach .*?0\.9 in Perspective reach .*?(\S+) by mapped scores", said)
    assert told is not None
    assert 0.7 < float(told[1]) < 0.83


def test_maps_that_a_policy_file_has_are_kept_and_named(bundle: Bundle, tmp_path: Path) -> None:
    file, first, both = tmp_path / "both.csv", tmp_path / "first.yaml", tmp_path / "both.yaml"
    file.write_text("\n".join(["crossguard_INSULT,INSULT", *squares()]))
    run(file, "--model", bundle.folder, "-o", first)
    file.write_text("\n".join(["crossguard_THREAT,THREAT", *squares()]))
    assert "the maps of INSULT." in run(file, "--model", bundle.folder, "--policy", first, "-o", both)
    assert set(Moderator.load(bundle.folder, policy=both).policy.perspective) == {"INSULT", "THREAT"}


def test_columns_of_attributes_that_the_model_lacks_are_named(bundle: Bundle, tmp_path: Path) -> None:
    file = tmp_path / "both.csv"
    header = "crossguard_INSULT,INSULT,sexually_explicit,FLIRTATION,ID,note"
    file.write_text("\n".join([header, *(f"{row},0.5,0.5,7,x" for row in squares())]))
    said = run(file, "--model", bundle.folder, "-o", tmp_path / "out.yaml")
    assert "'sexually_explicit' is not used: the model has no attribute SEXUALLY_EXPLICIT" in said
    assert "estimates it from PROFANITY, with the map of PROFANITY if there is one." in said
    assert "'FLIRTATION' is not used: the model has no attribute FLIRTATION. The service leaves it out" in said
    assert "'ID'" not in said
    assert "'note'" not in said


def test_scores_of_a_version_are_those_of_the_attribute(bundle: Bundle, tmp_path: Path) -> None:
    file, out = tmp_path / "both.csv", tmp_path / "out.yaml"
    file.write_text("\n".join(["crossguard_INSULT@6,INSULT@6", *squares()]))
    said = run(file, "--model", bundle.folder, "-o", out)
    assert set(Moderator.load(bundle.folder, policy=out).policy.perspective) == {"INSULT"}
    assert "is not used" not in said


def test_an_attribute_with_few_scores_costs_no_other_its_map(bundle: Bundle, tmp_path: Path) -> None:
    file, out = tmp_path / "both.csv", tmp_path / "out.yaml"
    header = "crossguard_INSULT,INSULT,crossguard_THREAT,THREAT"
    file.write_text("\n".join([header, *(f"{row},{row if at < 40 else ','}" for at, row in enumerate(squares()))]))
    told = "THREAT gets no map. A map needs at least 50 different posts with both scores, and there are 40."
    assert told in run(file, "--model", bundle.folder, "-o", out)
    assert set(Moderator.load(bundle.folder, policy=out).policy.perspective) == {"INSULT"}
    file.write_text("\n".join([header, *(f"{row},{row}" for row in squares()[:40])]))
    with pytest.raises(InputError, match=r"INSULT gets no map\. .* 40\. THREAT gets no map\. .* 40\."):
        run(file, "--model", bundle.folder, "-o", tmp_path / "none.yaml")


def test_old_thresholds_that_no_mapped_score_reaches_are_named(bundle: Bundle, tmp_path: Path) -> None:
    file = tmp_path / "both.csv"
    file.write_text("\n".join(["crossguard_INSULT,INSULT", *squares(highest=0.88)]))
    said = run(file, "--model", bundle.folder, "-o", tmp_path / "out.yaml")
    assert "old thresholds of 0.8 and 0.9 are never reached" in said
    assert "(0 of the 100 pairs reach 0.8)" in said
    assert "do not rise" not in said


def test_an_old_threshold_that_fewer_comments_reach_is_told_with_the_score_that_as_many_reach(
    bundle: Bundle, tmp_path: Path
) -> None:
    random = np.random.default_rng(1)
    seen = random.normal(-0.5, 2.5, size=(300, 1)) + random.normal(size=(300, 2))
    rows = [f"{ours:.4f},{theirs:.4f}" for ours, theirs in 1 / (1 + np.exp(-seen))]
    file = tmp_path / "both.csv"
    file.write_text("\n".join(["crossguard_INSULT,INSULT", *rows]))
    said = " ".join(run(file, "--model", bundle.folder, "-o", tmp_path / "out.yaml").split())
    told = re.search(r"INSULT: as many comments as reach .*0\.9 in Perspective reach .*?(\S+) by mapped scores", said)
    assert told is not None
    assert 0.5 < float(told[1]) < 0.9
    there, here, both = re.findall(r"(\d+) > (\d+) \((\d+)\)", said)[-1]
    assert int(both) <= int(here) < int(there) < 150
    file.write_text("\n".join(["crossguard_INSULT,INSULT", *squares()]))
    assert "as many comments as reach" not in run(file, "--model", bundle.folder, "-o", tmp_path / "other.yaml")


def test_old_thresholds_that_every_mapped_score_reaches_are_named(bundle: Bundle, tmp_path: Path) -> None:
    """Of comments that were all removed, no map says what a harmless one gets."""
    file = tmp_path / "both.csv"
    rows = [f"{x:.3f},{0.72 + 0.27 * x:.3f}" for x in np.linspace(0, 1, 100)]
    file.write_text("\n".join(["crossguard_INSULT,INSULT", *rows]))
    said = run(file, "--model", bundle.folder, "-o", tmp_path / "out.yaml")
    assert "INSULT: mapped scores are never below 0.7" in said
    assert "so every comment reaches old thresholds of 0.5 and 0.7: add comments with low Perspective scores" in said
    assert "(0 of the 100 pairs are below 0.5)" in said
    row = next(line for line in said.splitlines() if "INSULT" in line and "all" in line)
    assert row.split()[-4:-2] == ["all", "all"]
    file.write_text("\n".join(["crossguard_INSULT,INSULT", *squares()]))
    assert "never below" not in run(file, "--model", bundle.folder, "-o", tmp_path / "other.yaml")


def test_comments_in_languages_that_the_service_refuses_are_left_out_and_counted(
    bundle: Bundle, tmp_path: Path
) -> None:
    file = tmp_path / "both.csv"
    random = np.random.default_rng(2)
    english = [f"{' '.join(random.choice(WORDS, size=4))},{place / 60:.3f}" for place in range(60)]
    french = [f"Tu es vraiment un imbécile et personne ne veut te voir ici {place},0.9" for place in range(13)]
    file.write_text("\n".join(["text,TOXICITY", *english, *french]), encoding="utf-8")
    moderator = Moderator.load(bundle.folder)
    pairs = read_pairs(file, ["TOXICITY"], moderator)
    assert [None if part is None else len(part) for part in pairs["TOXICITY"]] == [60, 60, 60]
    said = run(file, "--model", bundle.folder, "-o", tmp_path / "out.yaml")
    assert "Left out: 13 comments in a language that the model does not support." in said


def test_scores_that_do_not_rise_together_are_named(bundle: Bundle, tmp_path: Path) -> None:
    file = tmp_path / "both.csv"
    rows = [f"{x:.3f},{1 - x:.3f}" for x in np.linspace(0, 1, 100)]
    file.write_text("\n".join(["crossguard_INSULT,INSULT", *rows]))
    assert "INSULT: Perspective's scores do not rise" in run(file, "--model", bundle.folder, "-o", tmp_path / "o.yaml")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("text,SPAM\nhello,0.5\n", "no column for an attribute"),
        ("TOXICITY\n0.5\n", "neither a column of texts"),
        ("TOXICITY,comment,body\n0.5,a,b\n", "Say which one: rename it to 'text'."),
        ("text,TOXICITY\nhello,0.5\nyou,high\n", "Row 3: 'TOXICITY'"),
        ("text,TOXICITY\nhello,0.5\n", "at least 50"),
        ("text,TOXICITY,PERSPECTIVE_TOXICITY\nhello,0.5,0.5\n", "two columns for TOXICITY"),
        ("text,TOXICITY,TOXICITY@6\nhello,0.5,0.5\n", "two columns for TOXICITY: 'TOXICITY' and 'TOXICITY@6'"),
        ("", "is empty"),
        ("text,TOXICITY\n", "has no rows"),
        ('text,TOXICITY\n"hello,0.5\n', "not valid CSV"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(bundle: Bundle, tmp_path: Path, content: str, said: str) -> None:
    file = tmp_path / "both.csv"
    file.write_text(content)
    with pytest.raises(InputError, match=said):
        run(file, "--model", bundle.folder, "-o", tmp_path / "out.yaml")


def test_rows_of_json_that_lack_a_score_or_a_text_are_left_out(bundle: Bundle, tmp_path: Path) -> None:
    file = tmp_path / "both.jsonl"
    rows = [{"text": f"post {place}", "TOXICITY": place / 60} for place in range(60)]
    file.write_text("".join(json.dumps(row) + "\n" for row in [{"text": "refused"}, *rows, {"TOXICITY": 0.5}]))
    pairs = read_pairs(file, ["TOXICITY"], Moderator.load(bundle.folder))
    assert [None if part is None else len(part) for part in pairs["TOXICITY"]] == [60, 60, 60]


def test_a_wrong_name_is_told_before_anything_is_scored(bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="name"):
        run(tmp_path / "none.csv", "--model", bundle.folder, "--name", "my policy", "-o", tmp_path / "out.yaml")


def test_pairs_come_from_a_file(tmp_path: Path) -> None:
    answer = CliRunner().invoke(command, ["map", str(tmp_path)])
    assert (answer.exit_code, "is a directory" in answer.output) == (2, True)
