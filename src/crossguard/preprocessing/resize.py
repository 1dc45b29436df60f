"""An image of any shape to a square, in memory that does not depend on that shape. Needs Pillow only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

if TYPE_CHECKING:
    from PIL.Image import Image

ResizeMode: TypeAlias = Literal["squash", "crop"]
Interpolation: TypeAlias = Literal["bilinear", "bicubic"]
# Beyond this ratio of sides, the centre is cut out before the resize and not after it.
LONGEST: Final = 16


@dataclass(frozen=True, slots=True)
class Square:
    """How an image becomes a square."""

    size: int  # its side, in pixels
    # `squash` keeps the whole image and changes its shape; `crop` keeps the shape and takes the centre
    resize: ResizeMode
    interpolation: Interpolation  # the filter; always antialiased

    def apply(self, image: Image) -> Image:
        """Returns the square of an RGB image."""
        from PIL.Image import Resampling

        filter_ = Resampling.BILINEAR if self.interpolation == "bilinear" else Resampling.BICUBIC
        size = self.size
        if self.resize == "squash":
            return image.resize((size, size), filter_)
        width, height = resized(image.width, image.height, size)
        left, top = round((width - size) / 2.0), round((height - size) / 2.0)
        if max(width, height) > LONGEST * size:
            # The resized image would be large: 20,000 x 1 pixels become 4,480,000 x 224.
            x, y = image.width / width, image.height / height
            right, bottom = min((left + size) * x, image.width), min((top + size) * y, image.height)
            return image.resize((size, size), filter_, box=(left * x, top * y, right, bottom))
        return image.resize((width, height), filter_).crop((left, top, left + size, top + size))


def resized(width: int, height: int, size: int) -> tuple[int, int]:
    """Returns the width and height at which the shorter side is `size`, rounded down as torchvision does."""
    if width <= height:
        return size, max(size, int(size * height / width))
    return max(size, int(size * width / height)), size
