"""The records that a post becomes on its way from a file to a decision.

`Post` → (`Skipped`) → `Batch` → `Logits` → `Decision`. Each stage knows only the record before and after it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from os import PathLike
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.Image import Image

# A file path, a `data:` URL, encoded bytes, a PIL image, or an array of shape (height, width, 3) and type uint8.
ImageSource: TypeAlias = "str | PathLike[str] | bytes | Image | NDArray[np.uint8]"


@dataclass(frozen=True, slots=True)
class Post:
    """What somebody published: text, image or both.

    Attributes:
        id: The caller's own name for the post; kept as it is.
        text: What the author wrote; empty when there is none.
        image: Where the picture comes from, or None.
        image_text: Words read from the picture (OCR); empty when unknown or none.
        labels: Known labels by name as probabilities in [0, 1]; None where the post is not annotated.
    """

    id: str
    text: str = ""
    image: ImageSource | None = None
    image_text: str = ""
    labels: Mapping[str, float] | None = None


@dataclass(frozen=True, slots=True)
class Skipped:
    """A post that could not be scored, kept in its place so that nothing vanishes.

    Attributes:
        id: The id of the post, or `line-N` where it could not be read.
        reason: A stable snake_case word for programs, such as `image_not_found`.
        message: One sentence for people.
    """

    id: str
    reason: str
    message: str

    def to_dict(self) -> dict[str, Any]:
        """Returns the wire format: the keys of a skipped record."""
        return {"id": self.id, "status": "skipped", "reason": self.reason, "message": self.message}


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Posts ready for a model; n rows.

    A row is a post, or one sampled frame of an animated post. Only rows that have a modality have an entry in its
    arrays, so an absent modality costs nothing, and identical texts or images appear once.

    Attributes:
        token_ids: int64, (unique texts, length), padded.
        attention_mask: int64, same shape, 1 where a token is real.
        pixels: uint8, (unique images, height, width, 3), RGB.
        text_of: int64, (n,), row of `token_ids` for each row of the batch, -1 where there is no text.
        image_of: int64, (n,), row of `pixels` for each row of the batch, -1 where there is no image.
    """

    token_ids: NDArray[np.int64]
    attention_mask: NDArray[np.int64]
    pixels: NDArray[np.uint8]
    text_of: NDArray[np.int64]
    image_of: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.text_of)


@dataclass(frozen=True, slots=True, eq=False)
class Logits:
    """What a model says; n rows.

    Attributes:
        values: float32, (n, outputs).
        text_share: float32, (n,), mean gate in [0, 1]: how much the text weighed; 1 without an image, 0 without text.
        texts: int64, (n, outputs), which of the post's windows of text each value is of, -1 without text; None where
            rows are not posts.
    """

    values: NDArray[np.float32]
    text_share: NDArray[np.float32]
    texts: NDArray[np.int64] | None = None

    def take(self, rows: NDArray[np.int64]) -> Logits:
        """Returns these rows."""
        texts = None if self.texts is None else self.texts[rows]
        return Logits(self.values[rows], self.text_share[rows], texts)

    def __len__(self) -> int:
        return len(self.values)


class Action(StrEnum):
    """What a moderator's queue should do with a post, mildest first."""

    ALLOW = "allow"
    REVIEW = "review"
    BLOCK = "block"


@dataclass(frozen=True, slots=True)
class LabelDecision:
    """One label of one post.

    Attributes:
        score: Calibrated probability in [0, 1].
        threshold: The score from which the label is flagged, in [0, 1].
        flagged: Whether score >= threshold.
        action: What this label alone asks for.
    """

    score: float
    threshold: float
    flagged: bool
    action: Action


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer for one post. `to_dict` is the single wire format of files, HTTP and pages.

    Attributes:
        id: The id of the post.
        labels: One entry per label, in label order.
        action: The strictest action over the labels.
        text_share: How much the text weighed against the picture, in [0, 1].
        model: Name of the bundle.
        model_version: Version of the bundle.
        policy: Name of the policy that set thresholds and bands.
        policy_version: Version of that policy.
        notes: What a reader should know, such as `text_truncated`.
    """

    id: str
    labels: Mapping[str, LabelDecision]
    action: Action
    text_share: float
    model: str
    model_version: str
    policy: str
    policy_version: str
    notes: Sequence[str] = field(default=())

    @property
    def scores(self) -> dict[str, float]:
        """Probability per label."""
        return {name: label.score for name, label in self.labels.items()}

    @property
    def flags(self) -> tuple[str, ...]:
        """Names of the flagged labels."""
        return tuple(name for name, label in self.labels.items() if label.flagged)

    def to_card(self) -> dict[str, dict[str, Any]]:
        """Returns the shape of the two model cards: `{'predictions': {...}, 'probabilities': {...}}`."""
        return {
            "predictions": {name: label.flagged for name, label in self.labels.items()},
            "probabilities": self.scores,
        }

    def to_dict(self) -> dict[str, Any]:
        """Returns the wire format."""
        return {
            "id": self.id,
            "status": "scored",
            "action": self.action.value,
            "flags": list(self.flags),
            "labels": {
                name: {
                    "score": round(label.score, 6),
                    "threshold": label.threshold,
                    "flagged": label.flagged,
                    "action": label.action.value,
                }
                for name, label in self.labels.items()
            },
            "shares": {"text": round(self.text_share, 4), "image": round(1.0 - self.text_share, 4)},
            "model": self.model,
            "model_version": self.model_version,
            "policy": self.policy,
            "policy_version": self.policy_version,
            "notes": list(self.notes),
        }


Outcome: TypeAlias = Decision | Skipped
