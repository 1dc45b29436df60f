"""Images of posts: as they were kept, small ones for lists, and a page with nothing else."""

from __future__ import annotations

import io
from typing import Any, Final

from PIL import Image
from sqlalchemy import select
from starlette.responses import Response

from crossguard.data.images import to_jpeg
from crossguard.review.errors import NotFoundError
from crossguard.review.pages.visit import Visit
from crossguard.review.store.schema import images, items

THUMBNAIL: Final = (160, 160)


def image(visit: Visit) -> Response:
    """Serves one image to somebody who may see its item."""
    kept: bytes = _kept(visit, images.c.jpeg)
    jpeg = _thumbnail(kept) if "small" in visit.request.query_params else kept
    return Response(jpeg, media_type="image/jpeg", headers={"content-disposition": "inline"})


def full(visit: Visit) -> Response:
    """Shows one image in full size; where a browser opens the file itself, it shrinks it to fit the window."""
    return visit.render("image.html.j2", image=_kept(visit, images.c.id))


def _kept(visit: Visit, wanted: Any) -> Any:
    """Returns one column of an image that is there and that this person may see."""
    query = select(wanted, items.c.queue).join(items, items.c.id == images.c.item)
    with visit.console.database.read() as db:
        row = db.execute(query.where(images.c.id == visit.number("image"), images.c.jpeg.is_not(None))).first()
    if row is None or not visit.person.sees(row.queue):
        raise NotFoundError("There is no such image.")
    return row[0]


def _thumbnail(jpeg: bytes) -> bytes:
    with Image.open(io.BytesIO(jpeg)) as opened:
        opened.draft("RGB", THUMBNAIL)
        return to_jpeg(opened, THUMBNAIL)
