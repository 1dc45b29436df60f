"""Images of posts: as they were kept, small ones for lists, and a page with nothing else."""

from __future__ import annotations

import io
from typing import Final

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
    kept = _kept(visit)
    jpeg = _thumbnail(kept) if "small" in visit.request.query_params else kept
    return Response(jpeg, media_type="image/jpeg", headers={"content-disposition": "inline"})


def full(visit: Visit) -> Response:
    """Shows one image in full size; where a browser opens the file itself, it shrinks it to fit the window."""
    _kept(visit)
    return visit.render("image.html.j2", image=visit.number("image"))


def _kept(visit: Visit) -> bytes:
    query = select(images.c.jpeg, items.c.queue).join(items, items.c.id == images.c.item)
    with visit.console.database.read() as db:
        row = db.execute(query.where(images.c.id == visit.number("image"))).first()
    if row is None or row.jpeg is None or not visit.person.sees(row.queue):
        raise NotFoundError("There is no such image.")
    jpeg: bytes = row.jpeg
    return jpeg


def _thumbnail(jpeg: bytes) -> bytes:
    with Image.open(io.BytesIO(jpeg)) as opened:
        opened.draft("RGB", THUMBNAIL)
        return to_jpeg(opened, THUMBNAIL)
