"""A post as it arrives."""

from __future__ import annotations

import io
import json
import math
import re
from typing import Any

import pytest
from PIL import Image
from pydantic import ValidationError
from tests.support.decisions import failed
from tests.support.pictures import data_url, encoded
from tests.support.review import decision

from crossguard.errors import InputError
from crossguard.moderator import Moderator
from crossguard.review.submissions import FRAMES, Report, Submission, as_jpeg, decision_of
from crossguard.wire import MISSING

LABEL: dict[str, Any] = decision("1")["labels"]["racist"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": ""},
        {"source": "a b"},
        {"images": ["data:,"] * 17},
        {"posted_at": 1_700_000_000_000},
        {"posted_at": -1},
        {"images": ["/etc/passwd"]},
        {"images": ["data:,", "picture.png"]},
        {"report": {"reporter": ""}},
        {"report": {"reporter": "  "}},
        {"report": {"reporter": "x"}, "suggestion": {"by": "x", "scores": {"TOXICITY": 0.5}}},
        {"suggestion": {"by": "x", "scores": {}}},
        {"suggestion": {"by": "x", "scores": {"TOXICITY": 1.5}}},
        {"expected": {"action": "block", "labels": {"racist": "maybe"}}},
        {"txt": "hello"},
        {"queue": "\ud83d"},
        {"images": ["missing:\ud83d"]},
        {"suggestion": {"by": "x", "scores": {"\ud83d": 0.5}}},
        {"expected": {"action": "\ud83d"}},
    ],
)
def test_what_is_no_post_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Submission.model_validate({"id": "1"} | wrong)


def test_an_empty_author_is_nobody() -> None:
    authors = [Submission(id="1", author=author).author for author in ("", "  ", "\0", " u/ann ", None)]
    assert authors == [None, None, None, "u/ann", None]


def test_blanks_around_the_key_of_a_reporter_are_none_of_it() -> None:
    assert Report(reporter=" u9 ").reporter == "u9"


def test_a_decision_is_ours_or_refused_and_a_failed_one_is_none() -> None:
    found = decision_of(decision("1"), "1")
    assert found is not None
    assert found.id == "1"
    assert decision_of(None, "1") is None
    failed = decision("1") | {"labels": {}, "action": None, "error": {"code": "post_empty", "message": "No."}}
    assert decision_of(failed, "1") is None
    for wrong in ({}, {"labels": 3}, decision("1") | {"labels": {"racist": 0.5}}):
        with pytest.raises(InputError, match="Post '1': its decision is not a record"):
            decision_of(wrong, "1")


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"labels": {}}, "'labels' is empty, and 'error' does not say why"),
        ({"action": None}, "'action' is empty"),
        ({"modality_weights": None}, "'modality_weights' is empty"),
        ({"modality_weights": {"text": None, "image": 1.0}}, "'modality_weights.text': Input should be a valid number"),
        ({"labels": {"racist": LABEL | {"score": "0.9"}}}, "'labels.racist.score': Input should be a valid number"),
        ({"labels": {"racist": LABEL | {"score": math.nan}}}, "'labels.racist.score': "),
        ({"labels": {"\ud83d": LABEL}}, "half of a surrogate pair"),
        ({"policy": "\ud83d"}, "half of a surrogate pair"),
        ({"of_a_later_version": math.inf}, "a number that is not finite"),
        ({"of_a_later_version": json.loads("[" * 900 + "]" * 900)}, "lists inside each other"),
    ],
)
def test_a_record_that_no_page_could_show_is_refused(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=re.escape(told)):
        decision_of(decision("1") | wrong, "1")


def test_records_that_scoring_writes_are_taken(tiny: Moderator) -> None:
    image = Image.new("RGB", (40, 30))
    scored = [tiny.score(text="hello"), tiny.score(text="a line\nand another", image=image), failed("1")]
    for record in [outcome.to_dict() for outcome in scored]:
        decision_of(record, "1")
        decision_of(json.loads(json.dumps(record)) | {"of_a_later_version": 1, "input": {"a": math.nan}}, "1")


def test_images_are_encoded_again_and_never_fetched() -> None:
    url = data_url(encoded(Image.new("RGB", (3000, 1000), (200, 30, 30)), "PNG"))
    ((jpeg, problem),) = as_jpeg(url)
    assert as_jpeg(url.replace("data:", "Data:", 1)) == [(jpeg, problem)]
    assert jpeg is not None
    assert problem == ""
    with Image.open(io.BytesIO(jpeg)) as image:
        assert (image.format, image.size) == ("JPEG", (3000, 1000))
    for bad in ("https://evil.example/a.png", "data:image/svg+xml,<svg onload='alert(1)'/>", "/etc/passwd"):
        ((jpeg, problem),) = as_jpeg(bad)
        assert jpeg is None
        assert problem


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ((1080, 2400), (1080, 2400)),  # a phone's screenshot
        ((1080, 6000), (1080, 6000)),  # of a long chat
        ((1000, 20000), (410, 8192)),
        ((4000, 3000), (1440, 1080)),  # a photo
        ((2400, 5000), (1080, 2250)),
        ((640, 480), (640, 480)),
    ],
)
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_what_an_image_says_can_still_be_read(sent: tuple[int, int], kept: tuple[int, int], kind: str) -> None:
    ((jpeg, _),) = as_jpeg(data_url(encoded(Image.new("RGB", sent, (200, 30, 30)), kind)))
    assert jpeg is not None
    with Image.open(io.BytesIO(jpeg)) as image:
        assert image.size == kept


def test_of_an_animation_a_few_frames_are_kept() -> None:
    frames = [Image.new("RGB", (40, 30), (40 * n, 250 - 40 * n, 9)) for n in range(6)]
    moving = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    made = as_jpeg(data_url(moving))
    assert len(made) == FRAMES
    assert len({jpeg for jpeg, _ in made}) == FRAMES


def test_why_a_file_has_no_image_is_kept() -> None:
    assert as_jpeg(f"{MISSING}No such image: 'a.png'.") == [(None, "No such image: 'a.png'.")]
    ((jpeg, problem),) = as_jpeg(data_url(b"nothing"))
    assert jpeg is None
    assert problem
