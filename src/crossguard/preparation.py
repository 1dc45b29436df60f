"""Posts become what a model takes: text is tokenised, images are decoded by a pool beside the model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from crossguard.bundle import Bundle
from crossguard.cost import cost_of
from crossguard.data.image_limits import ImageLimits
from crossguard.errors import ConfigError, PostError, suggest
from crossguard.machine import available_cores
from crossguard.preprocessing.batch import Prepared
from crossguard.preprocessing.language import UNDETERMINED, classifier
from crossguard.preprocessing.text import TextEncoder, Tokens
from crossguard.preprocessing.text_worker import TextWorker
from crossguard.records import ImageSource, Post, PostFailure

if TYPE_CHECKING:
    from crossguard.data.image_decoding import DecodeOptions

PixelMode: TypeAlias = Literal["fast", "exact"]
OtherLanguages: TypeAlias = Literal["score", "note", "skip"]
OTHER_LANGUAGE: Final = "other_language"
"""Note and error code of a text in a language that the model does not know."""
POST_EMPTY: Final = "post_empty"
"""Error code of a post that says and shows nothing."""
# uint8 (size, size, 3) per frame, and whether an animation shows more than these.
Frames: TypeAlias = tuple[tuple[NDArray[np.uint8], ...], bool]


class Preparation:
    """Prepares posts for one bundle. Safe to share between threads.

    `threads` is how many images are decoded at once; the other arguments are those of `Moderator.load`.

    Raises:
        ConfigError: Unknown word for `pixels` or `other_languages`.
    """

    def __init__(
        self,
        bundle: Bundle,
        limits: ImageLimits,
        image_root: Path | None = None,
        pixels: PixelMode = "fast",
        threads: int | None = None,
        *,
        other_languages: OtherLanguages = "note",
    ) -> None:
        words = {"pixel mode": (pixels, PixelMode), "choice for other languages": (other_languages, OtherLanguages)}
        for what, (word, allowed) in words.items():
            if word not in get_args(allowed):
                raise ConfigError(f"Unknown {what} '{word}'.{suggest(word, get_args(allowed))}")
        self._image = bundle.manifest.image
        self.image_limits = limits
        self._pixels = pixels
        self._languages = bundle.manifest.languages
        self._other_languages = other_languages
        arguments, alike = (bundle.tokenizer, bundle.manifest.text, self._languages), other_languages == "score"
        self._texts = TextEncoder(*arguments, alike=alike)
        self._text_worker = TextWorker(*arguments, alike=alike)
        self.image_root = image_root
        self._decoders = ThreadPoolExecutor(threads or available_cores(), thread_name_prefix="crossguard-decode")

    @cached_property
    def _options(self) -> DecodeOptions:
        """How images are decoded; what decodes them is imported when the first one comes."""
        from crossguard.data.image_decoding import DecodeOptions

        hint = self._image.size if self._pixels == "fast" else None
        return DecodeOptions(self.image_limits, hint, frames=self._image.frames, square=self._image.square)

    def close(self) -> None:
        """Ends the threads and the process."""
        self._text_worker.close()
        self._decoders.shutdown(cancel_futures=True)

    def warm_up(self) -> None:
        """Loads what tells languages, so that no later post waits for it."""
        if self._languages:
            classifier()

    def cost(self, post: Post) -> int:
        """Returns what a post costs; see `crossguard.cost`."""
        return cost_of((post.text, post.image_text), len(post.images), self._texts.spec.windows)

    def prepare(self, post: Post, *, apart: bool = False, any_language: bool = False) -> Prepared:
        """Tokenises and decodes one post, in this thread.

        Args:
            post: What is prepared.
            apart: Whether its text is left to a process of low priority, so that no other thread is held up.
            any_language: Whether it is scored also where posts in another language are skipped.

        Raises:
            PostError: The post cannot be scored.
        """
        if post.error is not None:
            raise PostError(post.error.code, post.error.message)
        tokens = self._text_worker.encode(post.text, post.image_text) if apart else self._tokens([post])[0]
        return self._prepared(post, tokens, map(self._frames, post.images), any_language=any_language)

    def prepare_all(self, posts: Sequence[Post]) -> list[Prepared]:
        """Prepares a batch; a post that cannot be scored keeps its place and has its `error` set."""
        entries = self._prepare_batch(posts, self._frames, [False] * len(posts))
        return [entry for entry in entries if entry is not None]

    def prepare_cheap(self, posts: Sequence[Post], any_language: Sequence[bool]) -> list[Prepared | None]:
        """Prepares a batch, without waiting for images whose decoding may take seconds.

        Args:
            posts: What is prepared.
            any_language: Of each, whether it is scored also where posts in another language are skipped.

        Returns:
            As `prepare_all`; None for a post with such an image, as far as headers tell.
        """
        return self._prepare_batch(posts, self._cheap_frames, any_language)

    def _prepare_batch(
        self, posts: Sequence[Post], decode: Callable[[ImageSource], Frames], any_language: Sequence[bool]
    ) -> list[Prepared | None]:
        # Images first: they are decoded while the texts are tokenised.
        frames = [[self._decoders.submit(decode, image) for image in post.images] for post in posts]
        return list(map(self._joined, posts, self._tokens(posts), frames, any_language))

    def _tokens(self, posts: Sequence[Post]) -> list[Tokens]:
        return self._texts.encode([(post.text, post.image_text) for post in posts])

    def _cheap_frames(self, source: ImageSource) -> Frames:
        from crossguard.data.image_sources import read_encoded
        from crossguard.data.image_worker import is_cheap

        if isinstance(source, str | bytes | PathLike):
            source = read_encoded(source, self.image_limits, self.image_root)
            if not is_cheap(source, self._options):
                raise _CostlyImageError
        return self._frames(source)

    def _frames(self, source: ImageSource) -> Frames:
        from crossguard.data.images import read_image

        decoded = read_image(source, self._options, base=self.image_root)
        return tuple(map(np.asarray, decoded.frames)), decoded.sampled

    def _joined(
        self,
        post: Post,
        tokens: Tokens,
        frames: Sequence[Future[Frames]],
        any_language: bool,
    ) -> Prepared | None:
        if post.error is not None:
            return Prepared.failed(post.id, post.error)
        try:
            decoded = (future.result() for future in frames)
            return self._prepared(post, tokens, decoded, any_language=any_language)
        except PostError as error:
            return Prepared.failed(post.id, PostFailure.of(error))
        except _CostlyImageError:
            return None

    def _prepared(self, post: Post, tokens: Tokens, decoded: Iterable[Frames], *, any_language: bool) -> Prepared:
        images = list(decoded)
        pixels = tuple(frame for frames, _ in images for frame in frames)
        if not tokens.windows and not pixels:
            read = ", of which not all is read," if tokens.truncated else ""
            raise PostError(
                POST_EMPTY, f"The post has no visible text{read} and no image, so there is nothing to score."
            )
        other = tokens.language not in {"", UNDETERMINED, *self._languages} and self._other_languages != "score"
        if other and self._other_languages == "skip" and not any_language:
            raise PostError(
                OTHER_LANGUAGE,
                f"The text is in the language '{tokens.language}', and the model knows {', '.join(self._languages)}. "
                "To score it nevertheless: --other-languages note",
            )
        sampled = any(sampled for _, sampled in images)
        notes = {"text_truncated": tokens.truncated, "animation_sampled": sampled, OTHER_LANGUAGE: other}
        held = tuple(note for note, holds in notes.items() if holds)
        return Prepared(post.id, tokens.windows, pixels, held, language=tokens.language)


class _CostlyImageError(Exception):
    """Decoding the image may take seconds."""
