"""The lead's page."""

from __future__ import annotations

import base64
import io

from PIL import Image
from starlette.testclient import TestClient
from tests.support.review import submission
from tests.unit.review.conftest import NOW
from tests.unit.review.pages.conftest import log_in

from crossguard.review.console import Console
from crossguard.review.roles import Role


def test_the_quality_page_draws_false_positives_per_group(client: TestClient, console: Console) -> None:
    token = log_in(client, console, role=Role.LEAD)
    assert "Too few harmless posts name a group of people yet." in client.get("/quality").text
    places = ("park", "library", "museum", "harbour", "theatre", "market")
    posts = [submission(str(n), f"my Muslim friends at the {place}", 0.45 + n / 50) for n, place in enumerate(places)]
    console.intake.take(posts, NOW)
    for number in range(1, len(posts) + 1):
        client.post(f"/items/{number}/claim", data={"csrf": token})
        client.post(f"/items/{number}/vote", data={"csrf": token, "action": "allow", "submission": f"v{number}"})
    console.measured = None
    page = client.get("/quality").text
    assert "Part of the harmless posts naming a group that was flagged." in page
    drawn = page[page.index('aria-label="False-positive rate per group"') :]
    assert drawn.index("<title>Muslim: 0.50, 6 items</title>") < drawn.index("</svg>"), "three of six are flagged"


def test_small_images_and_tables_to_download(client: TestClient, console: Console) -> None:
    token = log_in(client, console, role=Role.LEAD)
    made = io.BytesIO()
    Image.new("RGB", (900, 600), (10, 200, 90)).save(made, "PNG")
    picture = f"data:image/png;base64,{base64.b64encode(made.getvalue()).decode()}"
    console.intake.take([submission("1", images=[picture])], NOW)
    assert 'src="/images/1?small"' in client.get("/queues/main").text
    assert Image.open(io.BytesIO(client.get("/images/1?small").content)).size == (160, 107)
    client.post("/items/1/vote", data={"csrf": token, "action": "block", "submission": "s"})
    table = client.get("/quality/decided.csv")
    assert (table.status_code, table.text.count("\n")) == (200, 2)
    assert client.get("/quality/decided.exe").status_code == 404
    log_in(client, console, "Rob")
    assert client.get("/quality/decided.csv").status_code == 403
