"""The records that a post becomes on its way from a file to a decision.

`Post` → `Batch` → `Logits` → `Decision`. Each stage knows only the record before and after it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from os import PathLike
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.Image import Image

# Of the records that files, HTTP and pages hold; changes when a key changes its name or meaning.
SCHEMA_VERSION: Final = 2

# A file path, a `data:` URL, encoded bytes, a PIL image, or an array of shape (height, width, 3) and type uint8.
ImageSource: TypeAlias = "str | PathLike[str] | bytes | Image | NDArray[np.uint8]"


@dataclass(frozen=True, slots=True)
class PostFailure:
    """Why a post could not be scored.

    Attributes:
        code: A stable snake_case word for programs, such as `image_not_found` (docs/reference/error-codes.md).
        message: One sentence for people.
    """

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Post:
    """What somebody published: text, image or both.

    Attributes:
        id: The caller's own name for the post; kept as it is.
        text: What the author wrote; empty when there is none.
        image: Where the picture comes from, or None.
        image_text: Words read from the picture (OCR); empty when unknown or none.
        labels: Known labels by name as probabilities in [0, 1]; None where the post is not annotated.
        error: Set by a reader that could not read the post; such a post is not scored, and keeps its place.
    """

    id: str
    text: str = ""
    image: ImageSource | None = None
    image_text: str = ""
    labels: Mapping[str, float] | None = None
    error: PostFailure | None = None

    @classmethod
    def failed(cls, id_: str, code: str, message: str) -> Post:
        """Returns the place of a post that could not be read."""
        return cls(id_, error=PostFailure(code, message))


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
        text_weight: float32, (n,), the modality weight of the text in [0, 1]; 1 without an image, 0 without text.
        texts: int64, (n, outputs), which of the post's windows of text each value is of, -1 without text; None where
            rows are not posts.
    """

    values: NDArray[np.float32]
    text_weight: NDArray[np.float32]
    texts: NDArray[np.int64] | None = None

    def take(self, rows: NDArray[np.int64]) -> Logits:
        """Returns these rows."""
        texts = None if self.texts is None else self.texts[rows]
        return Logits(self.values[rows], self.text_weight[rows], texts)

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

    A post that could not be scored has a decision, too: `error` says why, and `labels` is empty.

    Attributes:
        id: The id of the post, or `line-N` where it could not be read.
        labels: One entry per label, in label order; empty when the post could not be scored.
        action: The strictest action over the labels; None when the post could not be scored.
        text_weight: The modality weight of the text, in [0, 1]; that of the image is the rest. None without a score.
        model: Name of the bundle.
        model_version: Version of the bundle.
        policy: Name of the policy that set thresholds and bands.
        policy_version: Version of that policy.
        notes: What a reader should know, such as `text_truncated`.
        error: Why the post could not be scored; None when it was.
    """

    id: str
    labels: Mapping[str, LabelDecision]
    action: Action | None
    text_weight: float | None
    model: str
    model_version: str
    policy: str
    policy_version: str
    notes: Sequence[str] = field(default=())
    error: PostFailure | None = None

    @property
    def ok(self) -> bool:
        """Whether the post was scored."""
        return self.error is None

    @property
    def status(self) -> str:
        """`scored` or `failed`."""
        return "scored" if self.error is None else "failed"

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
            "schema_version": SCHEMA_VERSION,
            "status": self.status,
            "action": self.action and self.action.value,
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
            "modality_weights": None
            if self.text_weight is None
            else {"text": round(self.text_weight, 4), "image": round(1.0 - self.text_weight, 4)},
            "model": self.model,
            "model_version": self.model_version,
            "policy": self.policy,
            "policy_version": self.policy_version,
            "notes": list(self.notes),
            "error": self.error and {"code": self.error.code, "message": self.error.message},
        }
