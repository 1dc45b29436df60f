"""The one object that users hold: it loads a bundle and turns posts into decisions."""

from __future__ import annotations

import copy
from collections.abc import Generator, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Self, overload

import numpy as np
from numpy.typing import NDArray

from crossguard.bundle import Bundle, read_bundle
from crossguard.data.images import ImageLimits
from crossguard.decision.policy import Policy, choose, read_policy_file
from crossguard.errors import InputError
from crossguard.labels import LabelSet
from crossguard.pipeline import Pipeline
from crossguard.preparation import PixelMode, PostLike, Preparation, Work, as_posts
from crossguard.preprocessing.batch import Prepared, collate
from crossguard.records import Decision, ImageSource, Logits, Outcome, Post, Skipped
from crossguard.registry import find
from crossguard.runtimes.base import Runtime, run
from crossguard.runtimes.choice import create


class Moderator:
    """Scores posts with one bundle under one policy.

    Use `Moderator.load`. Safe to share between threads.
    """

    def __init__(self, bundle: Bundle, runtime: Runtime, policy: Policy, preparation: Preparation) -> None:
        self.bundle = bundle
        self.runtime = runtime
        self.policy = policy
        self._preparation = preparation
        self._pipeline = Pipeline()

    @classmethod
    def load(
        cls,
        model: str | Path = "compact",
        *,
        policy: str | Path | Policy = "default",
        tenant: str | None = None,
        runtime: str = "auto",
        precision: str = "auto",
        threads: int | None = None,
        image_limits: ImageLimits | None = None,
        image_root: str | Path | None = None,
        pixels: PixelMode = "fast",
        revision: str | None = None,
        verify: bool = True,
    ) -> Moderator:
        """Loads a model.

        Args:
            model: A shipped name (`compact`), a folder, or a Hub id.
            policy: Name of a policy of the bundle, a YAML file, or a `Policy`.
            tenant: Whose overrides of the policy file apply.
            runtime: `auto`, `openvino` or `onnx`.
            precision: `auto`, `fp32` or `bf16`.
            threads: Cores to use; all of them when None.
            image_limits: Caps on what is decoded; safe ones when None.
            image_root: Folder of relative image paths; the working folder when None.
            pixels: `fast` decodes a JPEG at the smallest scale that is large enough; `exact` decodes all of it.
            revision: Branch, tag or commit of a Hub repository.
            verify: Whether to compare checksums.

        Raises:
            BundleError: The model is unknown, newer or corrupted.
            ConfigError: The policy, runtime, precision or pixel mode is unknown or wrong.
            MissingExtraError: The runtime is not installed.
        """
        bundle = read_bundle(find(model, revision), verify=verify)
        chosen = resolve_policy(bundle, policy, tenant)
        root = Path(image_root) if image_root is not None else None
        preparation = Preparation(bundle, image_limits or ImageLimits(), root, pixels)
        return cls(bundle, create(runtime, bundle.graphs, precision, threads), chosen, preparation)

    @property
    def labels(self) -> LabelSet:
        """What is predicted, in column order."""
        return self.bundle.labels

    def warm_up(self) -> None:
        """Scores a word and a blank picture, so that no later post waits for graphs to be compiled.

        Raises:
            BundleError: A graph cannot be compiled.
        """
        size = self.bundle.manifest.image.size
        self.score(text="a", image=np.zeros((size, size, 3), dtype=np.uint8))

    def with_policy(self, policy: str | Path | Policy, tenant: str | None = None) -> Self:
        """Returns a moderator with another policy that shares the loaded model."""
        other = copy.copy(self)
        other.policy = resolve_policy(self.bundle, policy, tenant)
        return other

    @overload
    def score(
        self, *, text: str = "", image: ImageSource | None = None, image_text: str = "", id: str = "post"
    ) -> Decision: ...

    @overload
    def score(self, posts: Iterable[PostLike]) -> list[Outcome]: ...

    def score(
        self,
        posts: Iterable[PostLike] | None = None,
        *,
        text: str = "",
        image: ImageSource | None = None,
        image_text: str = "",
        id: str = "post",  # noqa: A002 - the public name of the field
    ) -> Decision | list[Outcome]:
        """Scores one post given by its parts, or many.

        Args:
            posts: `Post`s, mappings with the keys of `Post`, or texts.
            text: What the author wrote.
            image: File path, `data:` URL, encoded bytes, PIL image, or uint8 array (height, width, 3).
            image_text: Words read from the picture.
            id: Name of the single post.

        Returns:
            A `Decision` for a single post; for many, in their order, a `Decision` or a `Skipped` each.

        Raises:
            PostError: The single post cannot be scored.
            InputError: Both `posts` and parts of a single post were given.
        """
        single = bool(text or image_text or image is not None)
        if posts is None:
            return self._score_one(Post(id, text, image, image_text))
        if single:
            raise InputError("Give either posts, or the text and image of one post; not both.")
        return list(self.stream(posts))

    def stream(self, posts: Iterable[PostLike | Skipped], batch_size: int | None = None) -> Generator[Outcome]:
        """Scores posts as they come, in order, in constant memory; the next batches are decoded meanwhile.

        A `Skipped` in the input stays in its place.
        """
        for work, logits in self._run(posts, batch_size):
            decisions = iter(self.decide(work.ready, logits))
            for entry in work.entries:
                yield entry if isinstance(entry, Skipped) else next(decisions)

    def logits(self, posts: Iterable[PostLike], batch_size: int | None = None) -> tuple[Logits, list[Skipped]]:
        """Returns the raw outputs of the model for evaluation and calibration.

        Returns:
            Logits, (posts, outputs), all outputs of the model in the order of the posts, with NaN rows for posts that
            could not be scored; and those posts.
        """
        values: list[NDArray[np.float32]] = []
        shares: list[NDArray[np.float32]] = []
        skipped: list[Skipped] = []
        for work, logits in self._run(posts, batch_size):
            ready = np.array([isinstance(entry, Prepared) for entry in work.entries])
            rows = np.full((len(ready), logits.values.shape[1]), np.nan, dtype=np.float32)
            share = np.full(len(ready), np.nan, dtype=np.float32)
            rows[ready], share[ready] = logits.values, logits.text_share
            values.append(rows)
            shares.append(share)
            skipped.extend(entry for entry in work.entries if isinstance(entry, Skipped))
        if not values:
            return Logits(np.zeros((0, self._outputs), np.float32), np.zeros(0, np.float32)), []
        return Logits(np.concatenate(values), np.concatenate(shares)), skipped

    @property
    def _outputs(self) -> int:
        return 1 + max(max(columns) for columns in self.bundle.manifest.readouts.values())

    def _score_one(self, post: Post) -> Decision:
        ready = [self.prepare(post)]
        return self.decide(ready, self.infer(ready))[0]

    def prepare(self, post: Post) -> Prepared:
        """Tokenises and decodes one post, for a server that gathers the prepared posts of many callers.

        Raises:
            PostError: The post cannot be scored.
        """
        return self._preparation.prepare(post)

    def prepare_all(self, posts: Sequence[Post]) -> list[Prepared | Skipped]:
        """Tokenises and decodes posts; one that cannot be scored becomes `Skipped` in its place."""
        return self._preparation.prepare_all(posts).entries

    def _run(self, posts: Iterable[PostLike | Skipped], batch_size: int | None) -> Iterator[tuple[Work, Logits]]:
        return self._pipeline.run(as_posts(posts), self._preparation.prepare_all, self.infer, batch_size)

    def infer(self, posts: Sequence[Prepared]) -> Logits:
        """Runs the model on prepared posts.

        Returns:
            One row per post, (posts, outputs); the highest logits over the windows of a long text and the frames of an
            animation.
        """
        if not posts:
            return Logits(np.zeros((0, self._outputs), np.float32), np.zeros(0, np.float32))
        manifest = self.bundle.manifest
        batch, rows = collate(posts, manifest.text, manifest.image.size)
        widths = (manifest.model.text_width, manifest.model.image_width)
        logits = run(self.runtime, batch, trim=manifest.text.padding == "longest", widths=widths)
        return rows.highest(logits)

    def decide(self, posts: Sequence[Prepared], logits: Logits) -> list[Decision]:
        """Applies this moderator's policy to what `infer` returned for the same posts."""
        columns = list(self.bundle.manifest.readouts[self.policy.readout])
        scores = self.policy.scores(self.labels, logits.values[:, columns])
        model = self.bundle.manifest.model
        decisions = []
        for post, row, share in zip(posts, scores, logits.text_share, strict=True):
            labels, action = self.policy.decide(self.labels, row)
            decisions.append(
                Decision(
                    post.id,
                    labels,
                    action,
                    float(share),
                    model.name,
                    model.version,
                    self.policy.name,
                    self.policy.version,
                    post.notes,
                )
            )
        return decisions


load = Moderator.load


def resolve_policy(bundle: Bundle, policy: str | Path | Policy, tenant: str | None = None) -> Policy:
    """Returns a policy of the bundle by name, or what a policy file makes of one.

    Raises:
        ConfigError: Unknown name, unknown tenant, or a file that breaks a rule.
    """
    policies = bundle.manifest.policies
    if isinstance(policy, Policy):
        policy.check(bundle.labels)
        return policy
    if isinstance(policy, Path) or policy.endswith((".yaml", ".yml")):
        return read_policy_file(Path(policy)).apply(policies, bundle.labels, tenant)
    return choose(policies, policy)
