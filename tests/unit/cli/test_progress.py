"""What a run says about itself."""

from __future__ import annotations

from collections import Counter

import pytest

from crossguard.cli.progress import print_summary
from crossguard.scoring import Summary


def test_a_summary_tells_what_happened_and_leaves_out_what_did_not(capsys: pytest.CaptureFixture[str]) -> None:
    print_summary(Summary(scored=3, actions=Counter(allow=2, block=1), seconds=1.5), [])
    assert capsys.readouterr().err == "3 posts: 2 allow, 0 review, 1 block, 2 posts/s\n"
    found = Summary(
        previous=1200,
        scored=1,
        actions=Counter(review=1),
        flags=Counter({"racist": 2, "sex\x9b2Jist": 1}),
        failed=Counter(image_not_found=4),
        examples={"image_not_found": "'7': No such image:\n'a.jpg'."},
        other_languages=Counter(de=1),
    )
    print_summary(found, ["look at 'th\x1b[2Jis'"])
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("5 posts after 1,200 of an earlier run: 0 allow, 1 review")
    assert lines[1:] == [
        "flagged: racist 2, sex 2Jist 1",
        "not scored: 4 (image_not_found 4)",
        "  image_not_found, such as '7': No such image: 'a.jpg'.",
        "in a language that the model does not know: de 1; their scores mean little",
        "note: look at 'th [2Jis'",
    ]
