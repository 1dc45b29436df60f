"""A decoded picture to the uint8 pixels that a model sees; normalisation to floats happens inside the graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from crossguard.strict import StrictModel

if TYPE_CHECKING:
    from PIL.Image import Image

Channel = Annotated[float, Field(gt=0, le=255)]


class ImageSpec(StrictModel):
    """How a bundle wants its pictures.

    Attributes:
        size: Height and width in pixels.
        resize: `squash` keeps the whole picture and changes its shape; `crop` keeps the shape and takes the centre.
        interpolation: The filter of the resize; always antialiased.
        mean: Per channel, on the scale [0, 1].
        std: Per channel, on the scale [0, 1].
        frames: How many frames of an animation are looked at, evenly spaced.
    """

    size: int = Field(ge=8, le=2048)
    resize: Literal["squash", "crop"] = "crop"
    interpolation: Literal["bilinear", "bicubic"] = "bicubic"
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    std: tuple[Channel, Channel, Channel] = (0.5, 0.5, 0.5)
    frames: int = Field(default=4, ge=1, le=64)


def to_pixels(image: Image, spec: ImageSpec) -> NDArray[np.uint8]:
    """Resizes an RGB picture.

    Returns:
        uint8, (size, size, 3), RGB.
    """
    from PIL.Image import Resampling

    filter_ = Resampling.BILINEAR if spec.interpolation == "bilinear" else Resampling.BICUBIC
    if spec.resize == "squash":
        return np.asarray(image.resize((spec.size, spec.size), filter_))
    width, height = resized(image.width, image.height, spec.size)
    left, top = round((width - spec.size) / 2.0), round((height - spec.size) / 2.0)
    whole = image.resize((width, height), filter_)
    return np.asarray(whole.crop((left, top, left + spec.size, top + spec.size)))


def resized(width: int, height: int, size: int) -> tuple[int, int]:
    """Returns the width and height at which the shorter side is `size`, rounded down as torchvision does."""
    if width <= height:
        return size, max(size, int(size * height / width))
    return max(size, int(size * width / height)), size
