from __future__ import annotations

import hmac
from pathlib import Path

import pytest

from crossguard.errors import ConfigError
from crossguard.serving.keys import KeyEntry, digest_of, identify, new_key, read_keys


def ring(**tokens: str) -> dict[str, KeyEntry]:
    return {name: KeyEntry(sha256=digest_of(token)) for name, token in tokens.items()}


def read(folder: Path, content: str) -> dict[str, KeyEntry]:
    (folder / "keys.yaml").write_text(content)
    return read_keys(folder / "keys.yaml")


def test_without_a_file_there_are_no_keys() -> None:
    assert read_keys(None) == {}


def test_a_key_is_its_owners() -> None:
    keys = ring(forum="one", chat="two")
    assert identify(keys, "two") == "chat"
    for other in ("three", "", "\udcff"):
        assert identify(keys, other) is None


def test_every_entry_is_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[str] = []

    def compare(given: str, stored: str) -> bool:
        compared.append(stored)
        return given == stored

    monkeypatch.setattr(hmac, "compare_digest", compare)
    identify(ring(first="1", second="2", third="3"), "1")
    assert len(compared) == 3


@pytest.mark.parametrize("word", ["foo", "bar"])
def test_a_hash_that_the_documentation_once_showed_is_refused(word: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--new-key"):
        read(tmp_path, f"keys:\n  forum:\n    sha256: {digest_of(word)}\n")


KEY = f"cg-{'aB3_-' * 8}xYz"  # as `new_key` makes it; the same in all processes, as it is part of the names of tests


@pytest.mark.parametrize("key", [KEY, "b0c1" * 16 + "x"])
@pytest.mark.parametrize(
    "content",
    [
        "keys: {{forum: {{sha256: {}}}}}",
        "keys: {{forum: {}}}",
        "keys: {{forum: [{}]}}",
        "keys: {{forum: {{sha256: {}}}, chat: {{}}}}",
        "keys: {{forum: {{sha256: {0}, admin: {0}}}}}",
        "keys: {}",
        "keys: [forum: {}",
        "keys:\n  forum:\n    sha256: {}\n   admin: true",
    ],
)
def test_no_error_shows_a_key(content: str, key: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as failure:
        read(tmp_path, content.format(key))
    assert key[:20] not in str(failure.value)


@pytest.mark.parametrize(
    "content",
    [
        "{}: forum",
        "keys: {{forum: {{{}}}}}",
        "keys: {{forum: {{{}: x}}}}",
        "keys: {{forum: *{}}}",
        "keys: {{forum: !{} x}}",
        "keys: {{{0}: {{}}, {0}: {{}}}}",
    ],
)
def test_no_error_names_a_key_of_ours_where_something_else_belongs(content: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as failure:
        read(tmp_path, content.format(KEY))
    assert KEY[:20] not in str(failure.value)


@pytest.mark.parametrize("content", ["keys: {{forum: {{sha256: '{}'}}}}", "keys: {{forum: {}}}"])
def test_a_key_in_the_place_of_its_hash_is_told(content: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"'keys\.forum[^']*': this is the key itself; put its sha256"):
        read(tmp_path, content.format(KEY))


def test_a_key_is_no_name_of_a_caller(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="name of a caller is a key itself") as failure:
        read(tmp_path, f"keys: {{{KEY}: {{sha256: {digest_of(KEY)}}}}}")
    assert KEY not in str(failure.value)


def test_keys_are_long_and_differ() -> None:
    made = {new_key() for _ in range(100)}
    assert len(made) == 100
    assert min(map(len, made)) > 40


@pytest.mark.parametrize(
    "content",
    ["keys: {}", "keys: {a: {sha256: abc}}", f"keys: {{a: {{sha256: {'0' * 64}}}, b: {{sha256: {'0' * 64}}}}}", "- a"],
)
def test_a_wrong_file_is_refused(tmp_path: Path, content: str) -> None:
    with pytest.raises(ConfigError):
        read(tmp_path, content)
