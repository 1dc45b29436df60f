"""Images of items, as we encoded them."""

from __future__ import annotations

from sqlalchemy import select
from starlette.responses import Response

from crossguard.review.errors import NotFoundError
from crossguard.review.pages.visit import Visit
from crossguard.review.store.schema import images, items


def image(visit: Visit) -> Response:
    """Serves one image to somebody who may see its item."""
    query = select(images.c.jpeg, items.c.queue).join(items, items.c.id == images.c.item)
    with visit.console.database.read() as db:
        row = db.execute(query.where(images.c.id == int(visit.request.path_params["image"]))).first()
    if row is None or row.jpeg is None or not visit.person.sees(row.queue):
        raise NotFoundError("There is no such image.")
    headers = {"cache-control": "private, max-age=600", "content-disposition": "inline"}
    return Response(row.jpeg, media_type="image/jpeg", headers=headers)
