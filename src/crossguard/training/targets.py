"""What annotators said, as what each output shall predict."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from crossguard.training.recipe import Rule

Floats = NDArray[np.float32]
HALF = 0.5


def targets(shares: Floats, rule: Rule) -> Floats:
    """Turns shares of annotators into targets.

    Args:
        shares: (n, labels) in [0, 1]; NaN where unknown.
        rule: `any` (one annotator is enough), `majority` (more than half), `votes` (the share itself), or `unanimous`
            (all of them; a post with votes but no unanimous label is unknown as a whole).

    Returns:
        (n, labels) in [0, 1]; NaN where unknown.
    """
    if rule == "votes":
        return shares
    if rule == "unanimous":
        agreed = np.isnan(shares) | (shares == 0) | (shares == 1)
        settled = (shares == 1).any(axis=1) | agreed.all(axis=1)
        return np.where(agreed & settled[:, None], shares, np.float32(np.nan))
    bound = HALF if rule == "majority" else 0.0
    return np.where(np.isnan(shares), shares, (shares > bound).astype(np.float32))


def unions(shares: Floats, hateful: Floats, rule: Rule) -> Floats:
    """Returns whether a post carries any label, (n,) in [0, 1]; NaN where unknown.

    Args:
        shares: (n, labels), as above.
        hateful: (n,), what the dataset says of the post as a whole; NaN where nothing.
        rule: As above.
    """
    known = targets(shares, rule)
    highest = np.nan_to_num(known).max(axis=1, initial=0)
    settled = ~np.isnan(known).any(axis=1) | (highest == 1)
    from_labels = np.where(settled, highest, np.float32(np.nan))
    if rule == "unanimous":
        return from_labels
    whole = targets(hateful[:, None], rule)[:, 0]
    return np.where(np.isnan(whole), from_labels, whole)


def answers(known: Floats) -> NDArray[np.float64]:
    """Returns targets as an evaluation has them, 1, 0 or NaN: half of the votes are a yes."""
    return np.where(np.isnan(known), np.nan, known >= HALF)
