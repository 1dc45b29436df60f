"""The one object that users hold: it loads a bundle and turns posts into decisions."""

from __future__ import annotations

import ctypes
import logging
import os
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future
from functools import cache, partial
from pathlib import Path
from typing import Any, BinaryIO, Self, TypedDict, overload

import numpy as np

from crossguard.bundle import Bundle, read_bundle
from crossguard.data.image_limits import ImageLimits
from crossguard.data.masking import visible
from crossguard.decision.policy import Policy, choose
from crossguard.decision.policy_file import PolicyFile, is_policy_file, read_policy_file
from crossguard.engine import BatchLimits, Observer, ScoringEngine
from crossguard.errors import BundleError, ConfigError, InputError
from crossguard.labels import LabelSet
from crossguard.posts import PostsLike, as_post, as_posts, is_one, noted, refuse_an_id_alone
from crossguard.preparation import OTHER_LANGUAGE, OtherLanguages, PixelMode, Preparation
from crossguard.preprocessing.batch import Prepared
from crossguard.records import Action, Decision, ImageSource, Logits, Post, PostFailure
from crossguard.registry import find, holds_checkpoint
from crossguard.results import Results
from crossguard.runtimes.base import Runtime, infer
from crossguard.runtimes.choice import create
from crossguard.runtimes.packing import LONE, SHAPES
from crossguard.runtimes.settings import check_threads
from crossguard.schema import Names
from crossguard.slices import stacked

logger = logging.getLogger(__name__)


class LoadOptions(TypedDict, total=False):
    """Keywords of `Moderator.load` that say how, and not which."""

    policy: str | Path | Policy
    tenant: str | None
    runtime: str
    precision: str
    threads: int | None
    image_limits: ImageLimits | None
    image_root: str | Path | None
    pixels: PixelMode
    other_languages: OtherLanguages
    verify: bool
    limits: BatchLimits | None
    one_by_one: bool


class Moderator:
    """Scores posts with one bundle under one policy.

    Use `Moderator.load`. Safe to share between threads. A context manager: leaving it ends the threads.
    """

    # So that an attribute that nothing reads, such as a threshold, cannot be set.
    __slots__ = ("_bundle", "_engine", "_policy", "_preparation", "_process", "_runtime", "_shares")

    def __init__(
        self,
        bundle: Bundle,
        runtime: Runtime,
        policy: Policy,
        preparation: Preparation,
        limits: BatchLimits | None = None,
    ) -> None:
        self._bundle = bundle
        self._runtime = runtime
        self._policy = policy
        self._preparation = preparation
        self._process = os.getpid()
        self._shares = False
        self._engine = ScoringEngine(preparation, partial(infer, runtime, bundle), limits)

    def __del__(self, getpid: Callable[[], int] = os.getpid) -> None:  # the module may be gone when Python ends
        """In a fork, keeps the runtime for ever: its end would wait for threads that only the parent has."""
        if getpid() != self._process:
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._runtime))

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
        other_languages: OtherLanguages = "note",
        revision: str | None = None,
        verify: bool = True,
        limits: BatchLimits | None = None,
        one_by_one: bool = False,
    ) -> Moderator:
        """Loads a bundle; `crossguard.load` also opens PyTorch checkpoints.

        Args:
            model: A shipped name (`compact`), the folder of a bundle, or the Hub id of one.
            policy: Name of a policy of the bundle, a YAML file, or a `Policy`.
            tenant: Whose overrides of the policy file apply.
            runtime: `auto`, `openvino` or `onnx`.
            precision: `fp32`, `bf16`, or `auto`: what is faster here, of what the bundle allows.
            threads: Cores to use; all of them when None.
            image_limits: Caps on what is decoded; safe ones when None.
            image_root: Folder of relative image paths; the working folder when None.
            pixels: `fast` decodes a JPEG at the smallest scale that is large enough; `exact` decodes all of it.
            other_languages: What to do with a text in a language that the model does not know: `score` it like any
                other, `note` that in the decision, or `skip` it, which fails the post.
            revision: Branch, tag or commit of a Hub repository.
            verify: Whether to compare checksums.
            limits: Bounds of the batches of `submit`.
            one_by_one: Whether posts come one at a time. Loading then takes less, and many posts take longer.

        Raises:
            BundleError: The model is unknown, newer or corrupted.
            ConfigError: The policy, runtime, precision, pixel mode, `threads`, `image_limits` or `other_languages` is
                unknown or wrong.
            MissingExtraError: The runtime is not installed.
        """
        check_threads(threads)
        if not isinstance(image_limits, ImageLimits | None):
            raise ConfigError(f"image_limits is a crossguard.ImageLimits(...), not {type(image_limits).__name__}.")
        folder = find(model, revision)
        if holds_checkpoint(folder):
            raise BundleError(f"{folder} holds a PyTorch checkpoint and no bundle. Open it with crossguard.load(...).")
        bundle = read_bundle(folder, verify=verify)
        chosen = resolve_policy(bundle, policy, tenant)
        root = Path(image_root) if image_root is not None else None
        images = image_limits or ImageLimits()
        manifest = bundle.manifest
        identity = manifest.digest if verify else ""
        # Before the tokenizer, which is read while graphs are loaded.
        engine = create(
            runtime,
            bundle.graphs,
            precision,
            threads,
            allowed=manifest.precisions,
            identity=identity,
            one_by_one=one_by_one,
        )
        preparation = Preparation(bundle, images, root, pixels, threads, other_languages=other_languages)
        return cls(bundle, engine, chosen, preparation, limits)

    @property
    def bundle(self) -> Bundle:
        """The model on disk: name, version, policies, card."""
        return self._bundle

    @property
    def runtime(self) -> Runtime:
        """What runs the model."""
        return self._runtime

    @property
    def policy(self) -> Policy:
        """How it decides; `with_policy` gives a moderator with another one."""
        return self._policy

    @property
    def image_root(self) -> Path | None:
        """The folder of relative image paths; the working folder when None."""
        return self._preparation.image_root

    @property
    def image_limits(self) -> ImageLimits:
        """Caps on what is decoded."""
        return self._preparation.image_limits

    @property
    def labels(self) -> LabelSet:
        """What is predicted, in column order."""
        return self.bundle.labels

    def warm_up(self) -> None:
        """Scores a word, a longer text and a blank image, so that no later post waits for graphs to be compiled.

        Raises:
            BundleError: A graph cannot be compiled.
        """
        self._preparation.warm_up()
        # One pixel is within every limit, and is made as large as the model wants.
        self.score(text="a", image=np.zeros((1, 1, 3), dtype=np.uint8))
        self.score(text="good morning " * SHAPES[LONE][1])  # no lone row holds it

    def with_policy(self, policy: str | Path | Policy, tenant: str | None = None) -> Self:
        """Returns a moderator with another policy that shares the loaded model, and lasts as long as this one."""
        other = object.__new__(type(self))
        for name in Moderator.__slots__:
            setattr(other, name, getattr(self, name))
        other._policy = resolve_policy(self.bundle, policy, tenant)
        other._shares = True
        return other

    def close(self) -> None:
        """Ends the threads of this moderator and of those that `with_policy` made of it; none can score any more.

        What `submit` has not answered gets an `InputError`. Closing one that `with_policy` made does nothing. Threads
        of the runtime end with the last reference to it.
        """
        if not self._shares:
            self._engine.close()
            self._preparation.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> tuple[Any, ...]:
        raise TypeError("A moderator cannot be pickled or copied. Load one in each process: crossguard.load(...)")

    def __repr__(self) -> str:
        model, policy = self.bundle.manifest.model, self.policy
        return f"Moderator({model.name} {model.version}, policy {policy.name} {policy.version}, {self.runtime.name})"

    # A text and a mapping are iterables, too; as the first line is tried first, they are one post.
    @overload
    def score(self, posts: str | Post | Mapping[str, Any]) -> Decision: ...  # type: ignore[overload-overlap]  # see above

    @overload
    def score(self, posts: PostsLike) -> Results: ...

    @overload
    def score(
        self, *, text: str = "", image: ImageSource | BinaryIO | None = None, image_text: str = "", id: str = "post"
    ) -> Decision: ...

    def score(
        self,
        posts: str | Post | Mapping[str, Any] | PostsLike | None = None,
        *,
        text: str = "",
        image: ImageSource | BinaryIO | None = None,
        image_text: str = "",
        id: str = "post",  # noqa: A002 - the public name of the field
    ) -> Decision | Results:
        """Scores one post, or many.

        Args:
            posts: One post: a text, a `Post`, or a mapping with `text`, `image`, `image_path`, `image_text`, `id`. Or
                many: a list or an iterator of posts, a pandas or polars Series or DataFrame, an Arrow table.
            text: What the author wrote.
            image: File path, `data:` URL, encoded bytes, file object, PIL image, or uint8 array (height, width, 3).
            image_text: Words read from the image.
            id: Name of the single post.

        Returns:
            A decision for one post; for many a list of decisions, one per post, in order.

        Raises:
            PostError: The one post cannot be scored; one of many has its `error` set instead.
            InputError: `posts` is nothing that can be scored, or parts of a post were given beside it.
            TableError: A table has no column that can be scored.
        """
        if posts is None:
            return self._score_one(Post(id, text, image, image_text))  # type: ignore[arg-type]  # a file object is read
        if text or image_text or image is not None or id != "post":
            raise InputError("Give either posts, or the text, image and id of one post; not both.")
        if is_one(posts):
            refuse_an_id_alone(posts)
            return self._score_one(posts)
        seen: list[Post] = []
        names = Names(self.labels.names, attributes=tuple(self.bundle.manifest.attributes))
        decisions = self.stream(noted(as_posts(posts), seen))
        return Results(decisions, seen, names, self.image_root, image_limits=self.image_limits)

    def stream(self, posts: PostsLike, batch_size: int | None = None) -> Generator[Decision]:
        """Scores posts in batches, in order, in constant memory; the next batches are read and decoded meanwhile.

        A post that cannot be scored keeps its place: its decision has `error` set. Where posts come slowly, score each
        by itself: no decision is given before several batches were read.

        Raises:
            InputError: At once: this moderator was closed, or loaded before the process was forked.
        """
        self._check_usable()
        return self._decisions(posts, batch_size)

    def _decisions(self, posts: PostsLike, batch_size: int | None) -> Generator[Decision]:
        for prepared, logits in self._run(posts, batch_size):
            yield from self.decide(prepared, logits)

    def logits(self, posts: PostsLike, batch_size: int | None = None) -> tuple[Logits, list[Decision]]:
        """Returns the raw outputs of the model for evaluation and calibration.

        Returns:
            Logits, (posts, outputs), all outputs of the model in the order of the posts, with NaN rows for posts that
            could not be scored; and the failed decisions of those.
        """
        ready: list[bool] = []
        parts: list[Logits] = []
        failed: list[Decision] = []
        languages = Counter[str]()
        for prepared, logits in self._run(posts, batch_size):
            languages.update(post.language for post in prepared if OTHER_LANGUAGE in post.notes)
            ready += [post.error is None for post in prepared]
            if len(logits.values):  # of a batch without any, the model has not said how many outputs it has
                parts.append(Logits(logits.values, logits.text_weight))
            failed.extend(self.failed(post.id, post.error) for post in prepared if post.error is not None)
        found = stacked(parts) if parts else self.infer([])
        rows = np.flatnonzero(ready)
        values = np.full((len(ready), found.values.shape[1]), np.nan, dtype=np.float32)
        weights = np.full(len(ready), np.nan, dtype=np.float32)
        values[rows], weights[rows] = found.values, found.text_weight
        return Logits(values, weights, languages=languages), failed

    def _score_one(self, post: object) -> Decision:
        self._check_usable()
        ready = [self.prepare(as_post(post, "post"))]
        return self.decide(ready, self.infer(ready))[0]

    def _check_usable(self) -> None:
        """Checks that the threads of this moderator are there; without them, scoring would wait for ever."""
        if os.getpid() != self._process:
            raise InputError(
                "This moderator was loaded before the process was forked, and a fork has none of its threads. Load one "
                "in each process: crossguard.load(...)"
            )
        self._engine.check_open()

    def submit(self, posts: PostsLike, caller: str = "", *, any_language: bool = False) -> Future[list[Decision]]:
        """Scores posts together with those of other callers, for a server; returns at once.

        Args:
            posts: What is scored.
            caller: Whose they are; where there are several, each gets the same share of the work.
            any_language: Whether they are scored also under `other_languages="skip"`.

        Returns:
            A decision per post, in order; cancel it when nobody waits for them any more. Moderators that `with_policy`
            made of one another share their batches.

        Raises:
            InputError: `posts` is nothing that can be scored, or one post.
            TableError: A table has no column that can be scored.
        """
        self._check_usable()
        return self._engine.submit(list(as_posts(posts)), self, caller, any_language=any_language)

    def observe(self, observer: Observer) -> None:
        """Tells an observer from now on what `submit` does."""
        self._engine.observer = observer

    def stalled_s(self) -> float:
        """Returns for how many seconds no batch of `submit` has been finished, while there are some."""
        return self._engine.stalled_s()

    def prepare(self, post: Post) -> Prepared:
        """Tokenises and decodes one post.

        Raises:
            PostError: The post cannot be scored.
        """
        return self._preparation.prepare(post)

    def prepare_all(self, posts: Sequence[Post]) -> list[Prepared]:
        """Tokenises and decodes posts; one that cannot be scored keeps its place and has its `error` set."""
        return self._preparation.prepare_all(posts)

    def _run(self, posts: PostsLike, batch_size: int | None) -> Iterator[tuple[list[Prepared], Logits]]:
        self._check_usable()
        return self._engine.stream(as_posts(posts), batch_size)

    def infer(self, posts: Sequence[Prepared]) -> Logits:
        """Runs the model on prepared posts: `crossguard.runtimes.base.infer`."""
        return infer(self.runtime, self.bundle, posts)

    def decide(self, posts: Sequence[Prepared], logits: Logits) -> list[Decision]:
        """Applies this moderator's policy to what `infer` returned for the same posts.

        Returns:
            A decision per post, in order; a failed one for a post with an `error`.
        """
        further = self.bundle.manifest.attributes
        columns = self.bundle.columns(self.policy)
        output_of = {name: attribute.column for name, attribute in further.items()}
        output_of |= zip(self.labels.names, columns, strict=True)
        scores = self.policy.scores(self.labels, logits.values[:, columns])
        beside = {name: attribute.score(logits.values[:, attribute.column]) for name, attribute in further.items()}
        texts = np.zeros(logits.values.shape, np.int64) if logits.texts is None else logits.texts
        ready = iter(range(len(scores)))
        decisions = []
        for post in posts:
            if post.error is not None:
                decisions.append(self.failed(post.id, post.error))
                continue
            row = next(ready)
            attributes = {name: float(values[row]) for name, values in beside.items()}
            verdict = self.policy.decide(self.labels, scores[row], post.kind, attributes)
            decision = Decision(
                post.id,
                verdict.labels,
                verdict.action,
                float(logits.text_weight[row]),
                *self._versions,
                post.notes,
                attributes=attributes,
                language=post.language,
                window=post.deciding(int(texts[row, output_of[verdict.decided_by[0]]])),
                decided_by=() if verdict.action is Action.ALLOW else verdict.decided_by,
                runtime=self.runtime.name,
            )
            decisions.append(decision)
        return decisions

    def failed(self, id_: str, error: PostFailure) -> Decision:
        """Returns the decision of a post that could not be scored."""
        return Decision(id_, {}, None, None, *self._versions, error=error, runtime=self.runtime.name)

    @property
    def _versions(self) -> tuple[str, str, str, str]:
        model, policy = self.bundle.manifest.model, self.policy
        return model.name, model.version, policy.name, policy.version


def resolve_policy(bundle: Bundle, policy: str | Path | Policy, tenant: str | None = None) -> Policy:
    """Returns a policy of the bundle by name, or what a policy file makes of one.

    Raises:
        ConfigError: Unknown name, unknown tenant, a policy of another model, or a file that breaks a rule.
    """
    manifest = bundle.manifest
    name = policy.name if isinstance(policy, Policy) else str(policy)
    if isinstance(policy, Path) or is_policy_file(name):
        file = read_policy_file(Path(name))
        chosen = file.apply(manifest.policies, bundle.labels, tenant, manifest.attributes)
        if told := _other_model(file, bundle):
            _warn_once(f"Policy '{name}' {told}.", chosen.version)
    elif tenant is not None:
        raise ConfigError(
            f"Tenant '{tenant}' needs a policy file with overrides per tenant, such as policy='policy.yaml'; "
            f"the policy '{name}' has none."
        )
    else:
        chosen = policy if isinstance(policy, Policy) else choose(manifest.policies, name)
    chosen.check(bundle.labels, manifest.attributes, manifest.label_schemes)
    return chosen


def _other_model(file: PolicyFile, bundle: Bundle) -> str:
    """Says to which model a policy file was fitted, where that is another: its maps are for the logits of that one."""
    match file.provenance.get("model"):
        case {"name": name, "version": version} if {"name": str(name), "version": str(version)} != bundle.identity:
            here = "{name} {version}".format_map(bundle.identity)
            return f"was fitted to {name} {version}, and this is {here}: fit it again, or its scores mean little"
    return ""


@cache
def _warn_once(told: str, version: str) -> None:  # noqa: ARG001 - a policy file that was changed is told of again
    logger.warning("%s", visible(told))
