"""The records that a post becomes on its way from a file to a decision.

`Post` → `Batch` → `Logits` → `Decision`. Each stage knows only the record before and after it.
"""

from __future__ import annotations

import reprlib
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from enum import StrEnum
from os import PathLike
from typing import TYPE_CHECKING, Any, Final, Literal, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from crossguard.markup import decision_html
from crossguard.schema import KEYS, SCHEMA_VERSION, DecisionRecord

if TYPE_CHECKING:
    from PIL.Image import Image

    from crossguard.errors import PostError

# A file path, a `data:` URL, encoded bytes, a PIL image, or an array of shape (height, width, 3) and type uint8.
ImageSource: TypeAlias = "str | PathLike[str] | bytes | Image | NDArray[np.uint8]"

OPTIONAL: Final = tuple(key for key, entry in DecisionRecord.model_fields.items() if not entry.is_required())
SCALARS: Final = frozenset({str, int, float, bool, type(None)})


@dataclass(frozen=True, slots=True)
class PostFailure:
    """Why a post could not be scored.

    Attributes:
        code: A stable snake_case word for programs, such as `image_not_found` (docs/reference/error-codes.md).
    """

    code: str
    message: str

    @classmethod
    def of(cls, error: PostError) -> PostFailure:
        """Returns what an error says."""
        return cls(error.code, str(error))


@dataclass(frozen=True, slots=True, repr=False)
class Post:
    """What somebody published: text, image or both.

    Attributes:
        id: The caller's own name for the post; kept as it is.
        text: What the author wrote; empty when there is none.
        image: Where the image comes from, or None.
        image_text: Words read from the image (OCR); empty when unknown or none.
        extra: Further fields that came with the post, such as other columns of its table; carried, never scored.
        error: Set by a reader that could not read the post; such a post is not scored, and keeps its place.
        more_images: Its other images; the decision is made from the highest score per label over all of them.
    """

    id: str
    text: str = ""
    image: ImageSource | None = None
    image_text: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)
    error: PostFailure | None = None
    more_images: tuple[ImageSource, ...] = ()
    # Label of its row in pandas, and the names of the index: there, a frame of results joins it.
    _index: tuple[Hashable, list[Hashable]] | None = field(default=None, compare=False)

    @property
    def images(self) -> tuple[ImageSource, ...]:
        """All images."""
        return (() if self.image is None else (self.image,)) + self.more_images

    @classmethod
    def failed(cls, id_: str, code: str, message: str) -> Post:
        """Returns the place of a post that could not be read."""
        return cls(id_, error=PostFailure(code, message))

    def __repr__(self) -> str:
        texts = {"text": self.text, "image_text": self.image_text}
        shown = [f"{name}={reprlib.repr(text)}" for name, text in texts.items() if text]
        shown += [f"image={reprlib.repr(image)}" for image in self.images]
        shown += [f"error={self.error.code}"] if self.error is not None else []
        return f"Post({', '.join([repr(self.id), *shown])})"


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
        languages: How many of the posts are in which language that the model does not know; of `Moderator.logits`.
    """

    values: NDArray[np.float32]
    text_weight: NDArray[np.float32]
    texts: NDArray[np.int64] | None = None
    languages: Mapping[str, int] = field(default_factory=dict)

    def take(self, rows: NDArray[np.int64] | slice) -> Logits:
        """Returns these rows."""
        texts = None if self.texts is None else self.texts[rows]
        return Logits(self.values[rows], self.text_weight[rows], texts)

    def __len__(self) -> int:
        return len(self.values)


class Action(StrEnum):
    """What a moderator's queue should do with a post, mildest first; a stricter one is greater."""

    ALLOW = "allow"
    REVIEW = "review"
    BLOCK = "block"

    # By severity, not as texts: a text that names no action, such as a misspelt one, is an error.
    def __lt__(self, other: str) -> bool:
        return _severity(self) < _severity(other)

    def __le__(self, other: str) -> bool:
        return _severity(self) <= _severity(other)

    def __gt__(self, other: str) -> bool:
        return _severity(self) > _severity(other)

    def __ge__(self, other: str) -> bool:
        return _severity(self) >= _severity(other)


_SEVERITY: Final = {action.value: place for place, action in enumerate(Action)}


def _severity(action: object) -> int:
    if not isinstance(action, str):
        raise TypeError(f"An Action is compared with an Action, not {type(action).__name__}.")
    if action not in _SEVERITY:
        raise ValueError(f"'{action}' is not a valid Action; known: {', '.join(_SEVERITY)}.")
    return _SEVERITY[action]


@dataclass(frozen=True, slots=True)
class LabelDecision:
    """One label of one post; `schema.LabelRecord` says what the fields mean."""

    score: float
    threshold: float
    flagged: bool
    action: Action


@dataclass(frozen=True, slots=True)
class DecidingWindow:
    """The line, the stretch of a long text, or the reading of a disguised one, that the decision rests on.

    Attributes:
        text: First character and the one behind the last in the post's text, to the word; None when the window holds
            none of it or is the whole of it, or the place is unknown.
    """

    index: int
    of: int
    text: tuple[int, int] | None = None
    image_text: tuple[int, int] | None = None
    undisguised: bool = False


@dataclass(frozen=True, slots=True, repr=False)
class Decision:
    """The answer for one post. `to_dict` gives the record; `schema.DecisionRecord` says what the fields mean.

    A post that could not be scored has a decision, too: `error` says why, and `labels` is empty.

    Attributes:
        text_weight: The modality weight of the text, in [0, 1]; that of the image is the rest. None without a score.
    """

    id: str
    labels: Mapping[str, LabelDecision]
    action: Action | None
    text_weight: float | None
    model: str
    model_version: str
    policy: str
    policy_version: str
    notes: Sequence[str] = ()
    error: PostFailure | None = None
    runtime: str = ""
    digest: str | None = None
    input: Mapping[str, Any] = field(default_factory=dict)
    attributes: Mapping[str, float] = field(default_factory=dict)
    language: str = ""
    window: DecidingWindow | None = None
    decided_by: Sequence[str] = ()
    _post: Post | None = field(default=None, compare=False)  # what was scored, where `Results` hold the decision

    @property
    def schema_version(self) -> int:
        """Of the record."""
        return SCHEMA_VERSION

    @property
    def ok(self) -> bool:
        """Whether the post was scored."""
        return self.error is None

    @property
    def status(self) -> Literal["scored", "failed"]:
        """`scored` or `failed`."""
        return "scored" if self.error is None else "failed"

    @property
    def scores(self) -> dict[str, float]:
        """Probability per label."""
        return {name: label.score for name, label in self.labels.items()}

    @property
    def is_doubtful(self) -> bool:
        """Whether a person should look, or nobody judged it: then its words are masked."""
        return self.action is not Action.ALLOW or bool(self.flags)

    @property
    def flags(self) -> tuple[str, ...]:
        """Names of the flagged labels."""
        return tuple(name for name, label in self.labels.items() if label.flagged)

    @property
    def reasons(self) -> dict[str, float]:
        """Score per label or attribute that asks for the action, then per other flagged label, the highest first."""
        scores = {**self.attributes, **self.scores}
        flags = sorted(self.flags, key=self.scores.__getitem__, reverse=True)
        return {name: scores[name] for name in dict.fromkeys((*self.decided_by, *flags))}

    @property
    def asking_attributes(self) -> dict[str, float]:
        """Score per attribute that asks for the action, which no label shows."""
        return {name: self.attributes[name] for name in self.decided_by if name in self.attributes}

    @property
    def top(self) -> tuple[str, float] | None:
        """The label with the highest score, and that score; None when the post could not be scored."""
        return max(self.scores.items(), key=lambda pair: pair[1], default=None)

    @property
    def modality_weights(self) -> dict[str, float] | None:
        """How the model's gate mixed text and image; None when the post could not be scored."""
        if self.text_weight is None:
            return None
        text = round(self.text_weight, 4)  # the other is made of what is written, and so the same once it is read again
        return {"text": text, "image": round(1.0 - text, 4)}

    def to_card(self) -> dict[str, dict[str, Any]]:
        """Returns the shape of the two model cards: `{'predictions': {...}, 'probabilities': {...}}`."""
        return {
            "predictions": {name: label.flagged for name, label in self.labels.items()},
            "probabilities": self.scores,
        }

    def to_dict(self) -> dict[str, Any]:
        """Returns the record: plain values, which `json.dumps` takes as they are."""
        # Labels and attributes, most of a record, are written out: the service makes one per post.
        labels = {
            name: {
                "score": round(label.score, 6),
                "threshold": label.threshold,
                "flagged": label.flagged,
                "action": label.action.value,
            }
            for name, label in self.labels.items()
        }
        attributes = {name: round(score, 6) for name, score in self.attributes.items()}
        made: dict[str, Any] = {"labels": labels, "attributes": attributes}
        record = {key: made[key] if key in made else _plain(getattr(self, key)) for key in KEYS}
        for key in OPTIONAL:
            if not record[key]:
                del record[key]
        return record

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        """Returns the decision that `to_dict` turned into a record.

        Raises:
            KeyError, TypeError, ValueError: The record is not one of ours.
        """
        if record["schema_version"] != SCHEMA_VERSION:
            raise ValueError(f"schema version {record['schema_version']}")
        weights, error = record["modality_weights"], record["error"]
        labels = {
            name: LabelDecision(label["score"], label["threshold"], label["flagged"], Action(label["action"]))
            for name, label in record["labels"].items()
        }
        own = {entry.name: record[entry.name] for entry in fields(cls) if entry.name in record}
        return cls(
            **own
            | {
                "labels": labels,
                "action": Action(record["action"]) if record["action"] else None,
                "text_weight": weights and weights["text"],
                "notes": tuple(record["notes"]),
                "decided_by": tuple(record.get("decided_by") or ()),
                "error": error and PostFailure(error["code"], error["message"]),
                "attributes": {
                    name: value for name, value in record.get("attributes", {}).items() if value is not None
                },
                "language": record.get("language") or "",
                "window": _window(record.get("window")),
                "digest": record.get("digest") or None,
                "input": {key: cell for key, cell in record.get("input", {}).items() if cell is not None},
            }
        )

    def __repr__(self) -> str:
        name = f"Decision({self.id!r}"
        if self.error is not None:
            return f"{name}, failed: {self.error.code})"
        shown = ", ".join(f"{name} {score:.2f}" for name, score in self.reasons.items())
        label, score = self.top or ("no label", 0.0)
        return f"{name}, {self.action}: {shown or f'no flag, highest {label} {score:.2f}'})"

    def _repr_html_(self) -> str:
        """The decision in a notebook: a bar per label. What the post says is not shown."""
        asking = ", ".join(f"{name} {score:.2f}" for name, score in self.asking_attributes.items())
        said = self.error.message if self.error is not None else asking
        labels = ((name, one.score, one.threshold, one.action, one.flagged) for name, one in self.labels.items())
        return decision_html(self.id, str(self.action or self.status), labels, said)


def _window(record: Mapping[str, Any] | None) -> DecidingWindow | None:
    if not record:
        return None
    spans = {name: record[name] and (record[name][0], record[name][1]) for name in ("text", "image_text")}
    return DecidingWindow(record["index"], record["of"], **spans, undisguised=record["undisguised"])


def _plain(value: Any) -> Any:
    if type(value) in SCALARS:  # nearly all; this is a tenth of the service's own work per post
        return value
    if hasattr(value, "__dataclass_fields__"):
        return {name: _plain(getattr(value, name)) for name in value.__dataclass_fields__}
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, Mapping):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    return value
