"""For programs: a key, JSON in, JSON out."""

from __future__ import annotations

from starlette.testclient import TestClient
from tests.support.review import submission
from tests.unit.review.conftest import NOW

from crossguard.review.console import Console


def test_posts_come_in_with_a_key_only(client: TestClient, console: Console) -> None:
    from crossguard.review.store import keys

    body = {"items": [submission("1").model_dump(mode="json")]}
    assert client.post("/api/items", json=body).status_code == 401
    with console.database.write() as tx:
        key = keys.add(tx, "serve", NOW)
    headers = {"authorization": f"Bearer {key}"}
    assert client.post("/api/items", json=body, headers=headers).json()["taken"] == 1
    wrong = client.post("/api/items", json={"items": [{"id": "2", "txt": "x"}]}, headers=headers)
    assert wrong.status_code == 422
    assert "Did you mean 'text'" in wrong.json()["error"]["message"]
    assert client.post("/api/items", content=b"{", headers=headers).status_code == 400
    appeal = client.post("/api/appeals", json={"id": "a", "post": "1"}, headers=headers)
    assert appeal.status_code == 409
    with console.database.write() as tx:
        keys.revoke(tx, "serve", NOW)
    assert client.post("/api/items", json=body, headers=headers).status_code == 401
