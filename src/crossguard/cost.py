"""What a post costs: counted the same by rates, admission, queues and batches.

A text of up to `TEXT_BYTES` and an image are 1 together; each further `TEXT_BYTES` and image are 1 more. It is known
before anything is cleaned, fetched or decoded.
"""

from __future__ import annotations

import math
from typing import Final

# Of UTF-8. About a hundred tokens of English, which fill a window or two and take the model as long as an image does.
TEXT_BYTES: Final = 512
MOST_BYTES: Final = 4
"""Of a character, in UTF-8."""


def cost_of(texts: tuple[str, ...], images: int, windows: int) -> int:
    """Returns what a post costs: of its texts what fills `windows`, which the model reads at most, and its images."""
    further = max(0, images - 1)
    # Most texts are so short that their bytes need not be counted.
    if MOST_BYTES * sum(map(len, texts)) <= TEXT_BYTES:
        return 1 + further
    size = sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)
    return min(windows, max(1, math.ceil(size / TEXT_BYTES))) + further
