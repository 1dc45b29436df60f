"""A decoded image to the uint8 pixels that a model sees; normalisation to floats happens inside the graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from crossguard.checked_settings import StrictModel
from crossguard.preprocessing.resize import Interpolation, ResizeMode, Square

if TYPE_CHECKING:
    from PIL.Image import Image

Channel = Annotated[float, Field(gt=0, le=255)]


class ImageSpec(StrictModel):
    """How a bundle wants its images."""

    size: int = Field(ge=8, le=2048)  # height and width in pixels
    # `squash` keeps the whole image and changes its shape; `crop` keeps the shape and takes the centre
    resize: ResizeMode = "crop"
    interpolation: Interpolation = "bicubic"  # the filter of the resize; always antialiased
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)  # per channel, on the scale [0, 1]
    std: tuple[Channel, Channel, Channel] = (0.5, 0.5, 0.5)  # per channel, on the scale [0, 1]
    # At most how many frames of an animation are looked at: those that differ most
    frames: int = Field(default=4, ge=1, le=64)

    @property
    def square(self) -> Square:
        """The geometry alone."""
        return Square(self.size, self.resize, self.interpolation)


def to_pixels(image: Image, spec: ImageSpec) -> NDArray[np.uint8]:
    """Resizes an RGB image.

    Returns:
        uint8, (size, size, 3), RGB.
    """
    return np.asarray(spec.square.apply(image))
