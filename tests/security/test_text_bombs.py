"""Small posts that once took gigabytes, under a cap of memory and time."""

from __future__ import annotations

import json

import pytest
from tests.support.capped import run_capped

SETUP = """
    from crossguard.bundle import read_bundle
    from crossguard.preprocessing.text import TextEncoder
    from crossguard.registry import find

    bundle = read_bundle(find("compact"))
    encoder = TextEncoder(bundle.tokenizer, bundle.manifest.text)
"""
# A character that NFKC expands to 18, an emoji, one that falls into pieces, and words without end.
BOMBS = ["\ufdfa", "\U0001f595", "\u0e33", "a", "\u0301", "&amp;", "@a ", "#Aa1", "a.", "https://"]


@pytest.mark.parametrize("repeats", [2_304, 300_000])
def test_a_post_in_both_parts_stays_small(repeats: int) -> None:
    code = f"""
    posts = [(bomb * {repeats}, bomb * {repeats}) for bomb in {BOMBS!r}]
    print([len(tokens.windows) for tokens in encoder.encode(posts)])
    """
    windows = json.loads(run_capped(SETUP + code, mib=700, seconds=60))
    assert len(windows) == len(BOMBS)
    assert all(0 < count <= 2 * 32 for count in windows)  # as written, and without the disguise


def test_a_file_of_bombs_gives_a_record_for_each() -> None:
    code = """
    import crossguard

    moderator = crossguard.load("compact", threads=2)
    posts = [{"id": str(index), "text": bomb * 2304, "image_text": bomb * 2304} for index, bomb in enumerate(BOMBS)]
    decisions = moderator.score(posts)
    print([decision.id for decision in decisions])
    """
    printed = run_capped(f"    BOMBS = {BOMBS!r}\n" + code, mib=1536, seconds=120)
    assert printed.strip() == str([str(index) for index in range(len(BOMBS))])
