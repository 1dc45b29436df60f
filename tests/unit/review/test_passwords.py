"""Hashing passwords, few at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from unittest.mock import Mock

import pytest
from argon2 import PasswordHasher

from crossguard.review import passwords
from crossguard.review.errors import FormError, TooManyAttemptsError

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@contextmanager
def hashed_at_once(networks: list[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Future[str]]]:
    """Everybody of these networks sends a new password, and none is hashed before the block ends."""
    go_on = threading.Event()
    monkeypatch.setattr(passwords, "_HASHER", Mock(hash=lambda _: str(go_on.wait(30))))
    with ThreadPoolExecutor(len(networks)) as pool:
        sent = [pool.submit(passwords.hash_password, "correct horse", network) for network in networks]
        while len(passwords._TAKEN) + sum(one.done() for one in sent) < len(networks):
            time.sleep(0.01)
        yield sent
        go_on.set()


def test_a_password_matches_its_own_hash_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "_HASHER", CHEAP)
    stored = passwords.hash_password("correct horse", "")
    assert passwords.matches(stored, "correct horse", "")
    assert not passwords.matches(stored, "wrong horse", "")
    assert not passwords.matches(None, "correct horse", "")
    with pytest.raises(FormError, match="10 to 200 characters; this one has 5"):
        passwords.hash_password("short", "")


def test_few_wait_to_be_hashed_and_others_are_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    networks = [f"10.0.0.{number}" for number in range(passwords.PLACES)]
    with hashed_at_once(networks, monkeypatch) as waiting:
        with pytest.raises(TooManyAttemptsError, match="Try again in a few seconds"):
            passwords.hash_password("correct horse", "10.0.1.1")
        with pytest.raises(TooManyAttemptsError):
            passwords.matches("hash", "correct horse", "10.0.1.1")
        assert not any(one.done() for one in waiting)
    assert [one.result() for one in waiting] == ["True"] * passwords.PLACES
    assert passwords._TAKEN == []


def test_one_network_leaves_places_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    with hashed_at_once(["10.0.0.1"] * passwords.PLACES, monkeypatch) as sent:
        refused = [one for one in sent if one.done()]
        assert {type(one.exception()) for one in refused} == {TooManyAttemptsError}
        assert len(refused) == passwords.PLACES - passwords.PLACES_OF_NETWORK
    monkeypatch.setattr(passwords, "_HASHER", CHEAP)
    passwords.hash_password("correct horse", "10.0.0.1")
