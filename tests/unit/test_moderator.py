from __future__ import annotations

import copy
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.support.pictures import encoded
from tests.support.tiny_bundle import manifest

import crossguard
from crossguard.bundle import Bundle, write_manifest
from crossguard.errors import ConfigError, ImageError, InputError, PostError
from crossguard.moderator import Moderator
from crossguard.records import Action, ImageSource, Post, PostFailure
from crossguard.runtimes.base import Job
from crossguard.runtimes.openvino import OpenVINORuntime

PICTURE = Image.effect_mandelbrot((64, 48), (-3, -2.5, 2, 2.5), 50).convert("RGB")


def test_one_post_gives_a_decision(tiny: Moderator) -> None:
    decision = tiny.score(text="hello friends", image=PICTURE, id="7")
    assert decision.id == "7"
    assert list(decision.labels) == ["racist", "sexist", "homophobe", "religion", "otherhate"]
    assert (decision.model, decision.model_version, decision.policy, decision.policy_version) == (
        "tiny",
        "1.0.0",
        "default",
        "1",
    )
    assert decision.text_weight == pytest.approx(0.5)
    assert decision.action in set(Action)


def test_the_shape_of_the_cards_is_one_call_away(tiny: Moderator) -> None:
    decision = tiny.score(text="hello")
    card = decision.to_card()
    assert set(card) == {"predictions", "probabilities"}
    assert card["probabilities"] == decision.scores
    assert card["predictions"] == {name: score >= 0.5 for name, score in decision.scores.items()}


def test_every_kind_of_image_source_gives_the_same_decision(tiny: Moderator, tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(encoded(PICTURE, "PNG"))
    sources: list[ImageSource] = [path, str(path), encoded(PICTURE, "PNG"), PICTURE, np.asarray(PICTURE)]
    scores = [tiny.score(image=source).scores for source in sources]
    assert all(score == scores[0] for score in scores)


def test_a_bad_image_raises_for_one_post_and_is_kept_in_place_for_many(tiny: Moderator) -> None:
    with pytest.raises(ImageError) as failure:
        tiny.score(image=b"not an image")
    assert failure.value.code == "image_not_an_image"
    outcomes = tiny.score([Post("a", "hello"), Post("b", "hello", image=b"not an image"), Post("c", "good")])
    assert [outcome.id for outcome in outcomes] == ["a", "b", "c"]
    bad = outcomes[1]
    assert [decision.ok for decision in outcomes] == [True, False, True]
    assert bad.error is not None
    assert bad.error.code == "image_not_an_image"
    assert (bad.action, bad.labels, bad.scores, bad.flags, bad.text_weight) == (None, {}, {}, (), None)
    assert (bad.model, bad.policy) == ("tiny", "default")


def test_an_empty_post_is_told(tiny: Moderator) -> None:
    with pytest.raises(PostError, match="nothing to score"):
        tiny.score(text="\u200b")
    outcome = tiny.score([""])[0]
    assert outcome.error is not None
    assert outcome.error.code == "post_empty"


def test_a_post_that_could_not_be_read_keeps_its_place(tiny: Moderator) -> None:
    broken = Post.failed("line-2", "line_malformed", "Line 2: not valid JSON.")
    decisions = tiny.score([Post("a", "hello"), broken, Post("c", "good")])
    assert [decision.ok for decision in decisions] == [True, False, True]
    assert decisions[1].error == PostFailure("line_malformed", "Line 2: not valid JSON.")
    with pytest.raises(PostError, match="Line 2") as failure:
        tiny.prepare(broken)
    assert failure.value.code == "line_malformed"


def test_posts_may_be_texts_or_mappings(tiny: Moderator) -> None:
    outcomes = tiny.score(["hello", {"id": "x", "text": "hello", "image": None}, {"text": "good", "colour": "red"}])
    assert [outcome.id for outcome in outcomes] == ["0", "x", "2"]
    assert outcomes[0].scores == outcomes[1].scores
    assert outcomes[2].ok, "keys that a post does not have are carried along, and do not make it unscorable"


def test_posts_and_parts_of_a_post_do_not_mix(tiny: Moderator) -> None:
    with pytest.raises(InputError, match="not both"):
        tiny.score(["hello"], text="hello")  # type: ignore[call-overload]  # the mistake under test


def test_an_animation_has_the_highest_score_of_its_frames(tiny: Moderator) -> None:
    frames = [Image.new("RGB", (32, 32), colour) for colour in ("red", "green", "blue")]
    animation = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=50)
    animated = tiny.score(image=animation).scores
    stills = [tiny.score(image=encoded(frame, "GIF")).scores for frame in frames]
    assert animated == pytest.approx({name: max(still[name] for still in stills) for name in animated}, abs=1e-6)


def test_after_warming_up_no_text_waits_for_a_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    used: list[str] = []
    infer = OpenVINORuntime.infer

    def noted(runtime: OpenVINORuntime, jobs: Sequence[Job]) -> list[dict[str, Any]]:
        used.extend(job.graph for job in jobs)
        return infer(runtime, jobs)

    monkeypatch.setattr(OpenVINORuntime, "infer", noted)
    with Moderator.load("compact", runtime="openvino") as moderator:
        moderator.warm_up()
        known = set(used)
        moderator.score(["a word", "good morning to all of you " * 12, "one\ntwo three four\nfive" * 40])
    assert set(used) == known


def test_policies_share_the_loaded_model(tiny: Moderator) -> None:
    other = tiny.with_policy("benchmark")
    assert other.runtime is tiny.runtime
    assert tiny.policy.name == "default"
    assert other.score(text="hello").policy == "benchmark"
    assert other.score(text="hello").scores != tiny.score(text="hello").scores


def test_a_policy_that_reads_other_outputs_is_refused(tiny: Moderator, tiny_bundle: Bundle) -> None:
    made = tiny.policy.model_copy(update={"name": "mine", "label_scheme": "labels"})
    told = r"Policy 'mine': the model has no label scheme 'labels', but any, consensus"
    with pytest.raises(ConfigError, match=told):
        tiny.with_policy(made)
    with pytest.raises(ConfigError, match=told):
        Moderator.load(tiny_bundle.folder, policy=made)


def test_an_unknown_policy_is_told(tiny_bundle: Bundle) -> None:
    with pytest.raises(ConfigError, match="Did you mean 'benchmark'"):
        Moderator.load(tiny_bundle.folder, policy="benchmrk")


def test_a_policy_file_overrides_the_bundle(
    tiny_bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text("name: mine\nversion: '1'\nlabels:\n  racist: {threshold: 0.0, review: 0.0}\n")
    decision = Moderator.load(tiny_bundle.folder, policy=path).score(text="hello")
    assert decision.policy == "mine"
    assert "racist" in decision.flags
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Moderator.load(tiny_bundle.folder, policy="~/policy.yaml").policy.name == "mine"


def test_a_policy_file_that_was_fitted_to_another_model_is_told_once(
    tiny: Moderator, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Its maps are for the logits of that model, and nothing in its scores shows it."""
    path = tmp_path / "mine.yaml"

    def told(provenance: str) -> list[str]:
        path.write_text(f"name: mine\nversion: '1'\ntenants: {{kids: {{}}}}\nprovenance: {provenance}\n")
        caplog.clear()
        chosen = tiny.with_policy(path).policy
        tiny.with_policy(path, "kids").with_policy(chosen).with_policy("benchmark")
        return caplog.messages

    other = "and this is tiny 1.0.0: fit it again, or its scores mean little."
    assert told("{model: {name: tiny, version: 0.9.0}}") == [f"Policy '{path}' was fitted to tiny 0.9.0, {other}"]
    assert told("{model: {name: small, version: 1.0.0}}") == [f"Policy '{path}' was fitted to small 1.0.0, {other}"]
    assert told("{model: {name: tiny, version: 2}}") == [f"Policy '{path}' was fitted to tiny 2, {other}"]
    steering = tmp_path / "mine\x1b[2J.yaml"
    steering.write_text('name: mine\nversion: "1"\nprovenance: {model: {name: "a\\e]0;b", version: "1"}}\n')
    caplog.clear()
    tiny.with_policy(steering)
    assert caplog.messages == [f"Policy '{tmp_path}/mine [2J.yaml' was fitted to a ]0;b 1, {other}"]
    for quiet in ("{model: {name: tiny, version: 1.0.0}}", "{}", "{model: unknown}", "{model: {name: tiny}}"):
        assert told(quiet) == []


def test_relative_images_start_from_the_image_root(tiny_bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "picture.png").write_bytes(encoded(PICTURE, "PNG"))
    moderator = Moderator.load(tiny_bundle.folder, image_root=tmp_path)
    assert moderator.score(image="picture.png").text_weight == 0


def test_logits_have_all_outputs_where_a_whole_batch_fails(tiny_bundle: Bundle, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_bundle.folder, tmp_path / "bundle")
    told = manifest() | {"label_schemes": {"consensus": list(range(5))}}
    told["policies"].pop("benchmark")
    write_manifest(folder, told)
    logits, failed = Moderator.load(folder).logits(["", "", "hello", ""], batch_size=2)
    assert logits.values.shape == (4, 10)
    assert np.isfinite(logits.values).all(axis=1).tolist() == [False, False, True, False]
    assert np.isnan(logits.text_weight).tolist() == [True, True, False, True]
    assert [decision.id for decision in failed] == ["0", "1", "3"]


def test_logits_keep_the_rows_of_posts_that_could_not_be_scored(tiny: Moderator) -> None:
    logits, failed = tiny.logits(["hello", {"id": "bad", "image": b"x"}, "good"], batch_size=2)
    assert logits.values.shape == (3, 10)
    assert np.isnan(logits.values[1]).all()
    assert np.isfinite(logits.values[[0, 2]]).all()
    assert [entry.id for entry in failed] == ["bad"]
    assert tiny.logits([])[0].values.shape == (0, 10)


def test_a_stopped_stream_leaves_nothing_hanging(tiny: Moderator) -> None:
    stream = tiny.stream((f"hello {index}" for index in range(10_000)), batch_size=4)
    assert next(stream).id == "0"
    stream.close()
    assert tiny.score(text="hello").id == "post"


def test_long_text_is_noted(tiny: Moderator) -> None:
    assert tiny.score(text="hello " * 500).notes == ()
    assert tiny.score(text="hello " * 50_000).notes == ("text_truncated",)


def test_a_fork_is_told_to_load_a_moderator_of_its_own(tiny: Moderator, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fork has no threads, so scoring in it would wait for ever."""
    other = tiny.with_policy("benchmark")
    assert other.score("hello").ok
    monkeypatch.setattr(os, "getpid", lambda: -1)
    for moderator in (tiny, other):
        for score in (moderator.score, lambda text, own=moderator: own.score([text])):
            with pytest.raises(InputError, match=r"Load one in each process: crossguard\.load"):
                score("hello")
        with pytest.raises(InputError, match="fork"):
            moderator.submit([Post("a", "hello")])


@pytest.mark.parametrize("duplicate", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_moderator_is_not_copied_to_another_process(
    tiny: Moderator, duplicate: Callable[[Moderator], object]
) -> None:
    with pytest.raises(TypeError, match="Load one in each process"):
        duplicate(tiny)


@pytest.mark.parametrize("last", ["raise SystemExit(3)", "tiny.score('hello')"])
def test_a_fork_ends_although_it_has_no_thread_of_the_runtime(tiny_bundle: Bundle, last: str) -> None:
    """It used to wait for ever, or to die of a signal."""
    script = f"""
import os, sys
from crossguard import Moderator
tiny = Moderator.load(sys.argv[1], runtime="openvino")
tiny.score("hello")
child = os.fork()
if child == 0:
    {last}
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    run = subprocess.run(
        [sys.executable, "-c", script, str(tiny_bundle.folder)], capture_output=True, text=True, timeout=60, check=True
    )
    assert run.stdout == ("3\n" if "Exit" in last else "1\n"), run.stderr


@pytest.mark.parametrize("option", ["runtime", "precision", "pixels", "other_languages", "policy"])
def test_none_is_none_of_the_choices(tiny_bundle: Bundle, option: str) -> None:
    wrong: Any = {option: None}
    for load in (Moderator.load, crossguard.load):
        with pytest.raises(ConfigError, match=r"'None'.*Known: "):
            load(tiny_bundle.folder, **wrong)


@pytest.mark.parametrize("threads", [0, "2", 1.5, True])
def test_threads_are_a_number_of_cores(tiny_bundle: Bundle, threads: Any) -> None:
    for load in (Moderator.load, crossguard.load):
        with pytest.raises(ConfigError, match=f"threads is {threads!r}; it is the number of cores"):
            load(tiny_bundle.folder, threads=threads)


def test_closing_a_moderator_of_another_policy_leaves_the_first_one_open(tiny_bundle: Bundle) -> None:
    first = Moderator.load(tiny_bundle.folder)
    with first.with_policy("benchmark") as other:
        assert other.score("hello").ok
    assert first.score("hello").ok
    first.close()
    with pytest.raises(InputError, match="This moderator was closed"):
        other.score("hello")


def test_submit_reads_posts_as_score_does(tiny: Moderator) -> None:
    found = tiny.submit(["hello", {"id": "b", "text": ""}]).result(30)
    assert [(decision.id, decision.status) for decision in found] == [("0", "scored"), ("b", "failed")]
    with pytest.raises(InputError, match="this is one post"):
        tiny.submit("hello")


def test_image_limits_are_of_their_own_type(tiny_bundle: Bundle) -> None:
    limits: Any = {"max_bytes": 1}
    with pytest.raises(ConfigError, match=r"image_limits is a crossguard.ImageLimits\(\.\.\.\), not dict"):
        Moderator.load(tiny_bundle.folder, image_limits=limits)
