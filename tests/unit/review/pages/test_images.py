"""Images of posts, and who may see them."""

from __future__ import annotations

from PIL import Image
from starlette.testclient import TestClient
from tests.support.pictures import data_url, encoded
from tests.support.review import submission
from tests.unit.review.conftest import NOW
from tests.unit.review.pages.conftest import limit, log_in

from crossguard.review.console import Console


def test_an_image_has_a_page_of_its_own_for_those_who_may_see_it(client: TestClient, console: Console) -> None:
    log_in(client, console)
    console.intake.take([submission("1", images=[data_url(encoded(Image.new("RGB", (90, 60)), "PNG"))])], NOW)
    assert 'href="/images/1/full"' in client.get("/items/1").text
    page = client.get("/images/1/full")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert 'src="/images/1"' in page.text
    assert client.get("/images/1").headers["content-type"] == "image/jpeg"
    limit(console, "another")
    for path in ("/images/1", "/images/1/full"):
        assert client.get(path).status_code == 404, path
