"""Pictures as the pages for moderators embed them: small, and in the page itself."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Final

from crossguard.data.images import ImageLimits, decode
from crossguard.records import ImageSource

SIZE: Final = (360, 270)
QUALITY: Final = 80


def thumbnail(source: ImageSource) -> str:
    """Returns a `data:` URL of a JPEG of at most 360 by 270 pixels: the first frame of the picture.

    Raises:
        ImageError: It cannot be read.
    """
    frame = decode(source, ImageLimits(), base=Path.cwd(), frames=1)[0]
    frame.thumbnail(SIZE)
    buffer = io.BytesIO()
    frame.save(buffer, "JPEG", quality=QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"
