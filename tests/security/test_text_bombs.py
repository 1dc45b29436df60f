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
# What a pattern that starts anew at each place, or a correction of a word without end, takes seconds for.
SLOW = [
    "a",
    "a.",
    "a ",
    "!",
    "!a",
    "1",
    "1a",
    "@a",
    "<a",
    "&amp;",
    "_",
    "a_",
    "$a",
    "(",
    "zqxjv",
    "zqxjv ",
    "a\u0301\u0302",
    "\U0001f680",
    "\U0001f680 ",
    "\U0001f680a",
    "\u0430-",
    "a\u0430b ",
    "\u202e",
    "\ufdfa",
    "x y  z ",
    "q*z ",
    "h4t3",
    "aaab",
    "helo wrld hwo ",
    "thisisajoinedsentenceofwords",
    "http://",
    "\n",
    "a\n",
]
LONGEST_S = 3.0
"""Of processor time; the slowest takes .2 s here, and took 9 s."""


@pytest.mark.parametrize("characters", [8_192, 200_000])
def test_no_text_takes_seconds_to_prepare(characters: int) -> None:
    code = f"""
    import time

    def seconds(shape):
        text = (shape * {characters})[:{characters}]
        begun = time.process_time()
        encoder.encode([(text, "")])
        return time.process_time() - begun

    print([seconds(shape) for shape in {SLOW!r}])
    """
    taken = dict(zip(SLOW, json.loads(run_capped(SETUP + code, mib=700, seconds=120)), strict=True))
    assert len(taken) == len(SLOW)
    assert not {shape: seconds for shape, seconds in taken.items() if seconds > LONGEST_S}


def test_no_text_takes_seconds_to_mask() -> None:
    """The console masks texts of 100,000 characters, and whoever writes a post chooses them."""
    code = f"""
    import json
    import time
    from crossguard.data.masking import mask

    def seconds(shape):
        begun = time.process_time()
        mask((shape * 100_000)[:100_000])
        return time.process_time() - begun

    print(json.dumps([seconds(shape) for shape in {[*SLOW, "a_ ", "a_ a.", "a- a_ ", "é_ "]!r}]))
    """
    taken = json.loads(run_capped(code, mib=700, seconds=120))
    assert max(taken) < LONGEST_S


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
