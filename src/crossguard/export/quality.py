"""What a faster copy of a model costs: the same posts through both, label by label, and a gate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from crossguard.evaluation.annotated import Annotated
from crossguard.evaluation.estimates import Estimate
from crossguard.evaluation.metrics import measure
from crossguard.moderator import Moderator
from crossguard.preprocessing.batch import collate
from crossguard.runtimes.base import encode

# With fewer, a single post would decide.
FEWEST_POSITIVES: Final = 20
# F1 at a threshold that flags a handful of posts moves by a tenth with one of them.
FEWEST_FLAGS: Final = 20
# Features of so many posts are compared: their cosine explains a loss, it does not decide.
FEATURES: Final = 256


@dataclass(frozen=True, slots=True)
class Tolerance:
    """What a label may lose.

    AUC and F1 are looked at where a label has 20 positive posts or more; F1 also needs 20 flags.
    """

    auc: float = 0.005
    f1: float = 0.02  # F1 at the policy's threshold, absolute
    flips: float = 0.05  # share of posts whose flag may differ; the only test of a label without annotations


@dataclass(frozen=True, slots=True)
class LabelQuality:
    """One label, the exact model against the fast one."""

    posts: int
    positives: int
    auc: tuple[float, float] | None  # exact and fast; None when only one answer occurs
    f1: tuple[float, float] | None  # exact and fast, at the policy's threshold; None without a positive post
    flagged: int  # annotated posts that the exact model flags
    flips: float  # share of all posts whose flag differs

    def losses(self, tolerance: Tolerance) -> list[str]:
        """Returns what this label loses beyond the tolerance, in words."""
        problems = []
        enough = self.positives >= FEWEST_POSITIVES
        if enough and self.auc is not None and self.auc[0] - self.auc[1] > tolerance.auc:
            problems.append(f"ROC-AUC {self.auc[0]:.4f} → {self.auc[1]:.4f} (may lose {tolerance.auc:g})")
        if enough and self.flagged >= FEWEST_FLAGS and self.f1 is not None and self.f1[0] - self.f1[1] > tolerance.f1:
            problems.append(f"F1 {self.f1[0]:.4f} → {self.f1[1]:.4f} (may lose {tolerance.f1:g})")
        if self.flips > tolerance.flips:
            problems.append(f"{self.flips:.2%} of flags differ (may be {tolerance.flips:.2%})")
        return problems


@dataclass(frozen=True, slots=True)
class QualityReport:
    """The comparison of an exact and a fast model on held-out posts."""

    posts: int
    policies: dict[str, dict[str, LabelQuality]]  # labels by name, by policy: its outputs, calibration and thresholds
    # Mean and lowest cosine of the text features of the first 256 posts; None without texts
    text_cosine: tuple[float, float] | None
    image_cosine: tuple[float, float] | None
    logit_difference: tuple[float, float]

    def problems(self, tolerance: Tolerance) -> list[str]:
        """Returns one line per label that loses more than it may."""
        return [
            f"{name} (policy {policy}): {'; '.join(lost)}"
            for policy, labels in self.policies.items()
            for name, row in labels.items()
            if (lost := row.losses(tolerance))
        ]

    def to_dict(self, tolerance: Tolerance) -> dict[str, Any]:
        """Returns the content of the JSON report."""
        return {**asdict(self), "tolerance": asdict(tolerance), "problems": self.problems(tolerance)}


def compare_scores(exact: Moderator, fast: Moderator, held_out: Annotated) -> QualityReport:
    """Scores held-out posts with both models, by every policy of the exact one; what cannot be scored is left out."""
    first, _ = exact.logits(held_out.posts)
    second, _ = fast.logits(held_out.posts)
    ready = ~np.isnan(first.values).any(axis=1)
    pair = first.values[ready], second.values[ready]
    names = exact.bundle.manifest.policies
    policies = {name: _labels(exact.with_policy(name), pair, held_out.truth[ready]) for name in names}
    difference = np.abs(pair[0] - pair[1])
    text, image = _cosines(exact, fast, held_out)
    spread = (float(difference.mean()), float(difference.max()))
    return QualityReport(int(ready.sum()), policies, text, image, spread)


def _labels(
    exact: Moderator, logits: tuple[NDArray[np.float32], NDArray[np.float32]], truth: NDArray[np.float64]
) -> dict[str, LabelQuality]:
    policy, columns = exact.policy, exact.bundle.columns(exact.policy)
    scores, fast = (policy.scores(exact.labels, values[:, columns]) for values in logits)
    return {
        name: _label(truth[:, column], scores[:, column], fast[:, column], policy.labels[name].threshold)
        for column, name in enumerate(exact.labels.names)
    }


def _label(
    truth: NDArray[np.float64], exact: NDArray[np.float64], fast: NDArray[np.float64], threshold: float
) -> LabelQuality:
    known = ~np.isnan(truth)
    answers = truth[known] > 0
    flags = [score >= threshold for score in (exact, fast)]
    pair = [measure(answers, score[known], flag[known]) for score, flag in zip((exact, fast), flags, strict=True)]
    return LabelQuality(
        int(known.sum()),
        int(answers.sum()),
        _both(pair, "roc_auc"),
        _both(pair, "f1"),
        int(flags[0][known].sum()),
        float((flags[0] != flags[1]).mean()),
    )


def _both(pair: Sequence[Mapping[str, Estimate]], key: str) -> tuple[float, float] | None:
    exact, fast = (metrics[key].value for metrics in pair)
    return None if exact is None or fast is None else (exact, fast)


def _cosines(exact: Moderator, fast: Moderator, held_out: Annotated) -> list[tuple[float, float] | None]:
    """Compares the features of both encoders on the first posts, text first."""
    manifest = exact.bundle.manifest
    ready = [post for post in exact.prepare_all(held_out.posts[:FEATURES]) if post.error is None]
    batch, _ = collate(ready, manifest.text, manifest.image.size)
    widths, trim = (manifest.model.text_width, manifest.model.image_width), manifest.text.padding == "longest"
    features = (encode(moderator.runtime, batch, trim=trim, widths=widths) for moderator in (exact, fast))
    return [_cosine(*pair) for pair in zip(*features, strict=True)]


def _cosine(left: NDArray[np.float32], right: NDArray[np.float32]) -> tuple[float, float] | None:
    """Returns the mean and the lowest cosine of two rows that belong together."""
    if not len(left):
        return None
    norms = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    cosines = (left * right).sum(axis=1, dtype=np.float64) / np.maximum(norms, 1e-12)
    return float(cosines.mean()), float(cosines.min())
