"""Posts become what a model takes: text is tokenised, pictures are decoded by a pool beside the model."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from crossguard.bundle import Bundle
from crossguard.data.images import DecodeOptions, ImageLimits, is_costly, read_image
from crossguard.errors import ConfigError, PostError, suggest
from crossguard.preprocessing.batch import Prepared
from crossguard.preprocessing.text import TextEncoder, Tokens
from crossguard.records import Post, PostFailure
from crossguard.runtimes.base import available_cores

PixelMode: TypeAlias = Literal["fast", "exact"]
PIXEL_MODES: Final = ("fast", "exact")
# uint8 (size, size, 3) per frame, and whether an animation shows more than these.
Frames: TypeAlias = tuple[tuple[NDArray[np.uint8], ...], bool]
_NO_FRAMES: Final[Frames] = ((), False)


class Preparation:
    """Prepares posts for one bundle. Safe to share between threads.

    Args:
        bundle: Says how texts and pictures must look.
        limits: Caps on what is decoded.
        image_root: Folder of relative image paths; the working folder when None.
        pixels: `fast` decodes a JPEG at the smallest scale that is large enough; `exact` decodes all of it, as the
            models were trained.

    Raises:
        ConfigError: Unknown word for `pixels`.
    """

    def __init__(
        self, bundle: Bundle, limits: ImageLimits, image_root: Path | None = None, pixels: PixelMode = "fast"
    ) -> None:
        if pixels not in PIXEL_MODES:
            raise ConfigError(f"Unknown pixel mode '{pixels}'.{suggest(pixels, PIXEL_MODES)}")
        image = bundle.manifest.image
        hint = image.size if pixels == "fast" else None
        self._options = DecodeOptions(limits, hint, frames=image.frames, square=image.square)
        self._texts = TextEncoder(bundle.tokenizer, bundle.manifest.text)
        self._root = image_root
        self._decoders = ThreadPoolExecutor(max_workers=available_cores(), thread_name_prefix="crossguard-decode")

    def close(self) -> None:
        """Ends the threads."""
        self._decoders.shutdown(cancel_futures=True)

    def is_costly(self, post: Post) -> bool:
        """Whether decoding the image of a post may take seconds, as far as its header tells; False where it is bad."""
        try:
            return post.image is not None and is_costly(post.image, self._options, base=self._root)
        except PostError:
            return False

    def prepare(self, post: Post) -> Prepared:
        """Tokenises and decodes one post.

        Raises:
            PostError: The post cannot be scored.
        """
        if post.error is not None:
            raise PostError(post.error.code, post.error.message)
        return self._join(post, self._tokens([post])[0])

    def prepare_all(self, posts: Sequence[Post]) -> list[Prepared]:
        """Prepares a batch; a post that cannot be scored keeps its place and has its `error` set."""
        # Pictures first: they are decoded while the texts are tokenised.
        frames = [None if post.image is None else self._decoders.submit(self._frames, post) for post in posts]
        return list(map(self._try_join, posts, self._tokens(posts), frames))

    def _tokens(self, posts: Sequence[Post]) -> list[Tokens]:
        return self._texts.encode([(post.text, post.image_text) for post in posts])

    def _try_join(self, post: Post, tokens: Tokens, frames: Future[Frames] | None) -> Prepared:
        if post.error is not None:
            return Prepared(post.id, (), (), error=post.error)
        try:
            return _prepared(post, tokens, _NO_FRAMES if frames is None else frames.result())
        except PostError as error:
            return Prepared(post.id, (), (), error=PostFailure(error.code, str(error)))

    def _join(self, post: Post, tokens: Tokens) -> Prepared:
        return _prepared(post, tokens, _NO_FRAMES if post.image is None else self._frames(post))

    def _frames(self, post: Post) -> Frames:
        assert post.image is not None
        decoded = read_image(post.image, self._options, base=self._root)
        return tuple(map(np.asarray, decoded.frames)), decoded.sampled


def _prepared(post: Post, tokens: Tokens, frames: Frames) -> Prepared:
    pixels, sampled = frames
    if not tokens.windows and not pixels:
        raise PostError("post_empty", "The post has no visible text and no image, so there is nothing to score.")
    notes = {"text_truncated": tokens.truncated, "animation_sampled": sampled}
    return Prepared(post.id, tokens.windows, pixels, tuple(note for note, holds in notes.items() if holds))
