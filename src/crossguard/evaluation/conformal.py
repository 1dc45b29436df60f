"""Review and block limits with a guarantee that holds for any model and any distribution of posts.

Conformal risk control (Angelopoulos et al. 2024) for two losses that change one way with the limit. The guarantee is on
average over calibration sets, for posts that are exchangeable with the calibration posts: the same feed, the same
annotators. A feed with another base rate keeps both guarantees, as each looks at one class only.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from crossguard.errors import InputError


def review_limit(positive: NDArray[np.float64], miss_rate: float) -> float:
    """Returns the highest limit under which a hateful post goes unseen with probability at most `miss_rate`.

    Args:
        positive: (n,), scores or logits of hateful posts.
        miss_rate: In (0, 1).

    Raises:
        InputError: Too few hateful posts to promise that.
    """
    return float(np.sort(positive)[_allowed(len(positive), miss_rate, "hateful")])


def block_limit(negative: NDArray[np.float64], block_rate: float) -> float:
    """Returns the lowest limit above which a harmless post lies with probability at most `block_rate`.

    Posts must be blocked only strictly above the limit.

    Args:
        negative: (n,), scores or logits of harmless posts.
        block_rate: In (0, 1).

    Raises:
        InputError: Too few harmless posts to promise that.
    """
    return float(np.sort(negative)[::-1][_allowed(len(negative), block_rate, "harmless")])


def _allowed(posts: int, rate: float, kind: str) -> int:
    """Returns how many calibration posts may fall on the wrong side: the largest k with (k + 1) / (n + 1) <= rate."""
    allowed = math.floor(rate * (posts + 1) + 1e-9) - 1
    if allowed < 0:
        raise InputError(
            f"A guarantee of {rate:g} needs {math.ceil(1 / rate) - 1} {kind} posts, and there are "
            f"{posts}. Ask for a higher rate."
        )
    return min(allowed, posts - 1)
