"""API keys: a file of hashes, and who a presented key belongs to.

A key is 32 random bytes, so one round of SHA-256 keeps it safe at rest: there is no dictionary to try, as there is
for a password. The file never holds a key itself.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, TypeAlias

from pydantic import BeforeValidator, Field, field_validator, model_validator
from starlette.requests import Request

from crossguard.checked_settings import StrictModel, parse, read_yaml
from crossguard.errors import ConfigError

TOKEN_BYTES = 32
BEGIN: Final = "cg-"
"""Begins each key, so that one is known wherever it turns up."""
WHOLE_KEY: Final = re.compile(r"cg-[\w-]{43}")
MOST_OF_A_KEY: Final = re.compile(r"cg-[\w-]{20,}")
ANONYMOUS = "anonymous"  # the caller where no keys are in use
# Of "foo" and "bar", which the documentation gave as examples: whoever copied one has a key that anybody can guess.
GUESSED = (
    "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae",
    "fcde2b2edba56bf408601fb721fe9b5c338d10ee429ea04fae5511b68fbf8fb9",
)


def _no_key(value: object) -> object:
    if isinstance(value, str) and value.strip().startswith(BEGIN):
        raise ValueError("this is the key itself; put its sha256, as `crossguard serve --new-key NAME` prints it")
    return value


Digest: TypeAlias = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$"), BeforeValidator(_no_key)]


class KeyEntry(StrictModel):
    """One key of the file."""

    sha256: Digest  # of the key, as 64 hexadecimal digits
    policy: str | None = None  # policy of the bundle, or YAML file, for this caller; the service's own when None
    tenant: str | None = None  # whose overrides of a policy file apply
    # Rate, in what posts count as; the service's default when None, unlimited when 0
    posts_per_minute: int | None = Field(default=None, ge=0)
    admin: bool = False  # whether the key may reload the model

    @field_validator("sha256")
    @classmethod
    def _no_example(cls, digest: str) -> str:
        if digest in GUESSED:
            raise ValueError("this is the hash of an example; make a key of your own: crossguard serve --new-key NAME")
        return digest


class KeyFile(StrictModel):
    """The file: entries by the name of the caller, which appears in logs."""

    # Whatever stands in the place of a hash may be a key, which no error may show.
    keys: dict[str, Annotated[KeyEntry, BeforeValidator(_no_key)]] = Field(min_length=1, repr=False)

    @field_validator("keys", mode="before")
    @classmethod
    def _no_key_as_name(cls, keys: object) -> object:
        if isinstance(keys, dict) and any(isinstance(name, str) and WHOLE_KEY.fullmatch(name) for name in keys):
            raise ValueError("the name of a caller is a key itself; names appear in logs")
        return keys

    @model_validator(mode="after")
    def _different(self) -> KeyFile:
        hashes = [entry.sha256 for entry in self.keys.values()]
        if len(set(hashes)) < len(hashes):
            raise ValueError("two names have the same sha256; give each caller a key of its own")
        return self


def read_keys(path: Path | None) -> dict[str, KeyEntry]:
    """Returns the entries of a key file by the name of the caller; without a file there are none."""
    if path is None:
        return {}
    try:
        return parse(KeyFile, read_yaml(path, quoted=False), str(path)).keys
    except ConfigError as error:  # names a key that stands where a name or a setting does
        raise ConfigError(MOST_OF_A_KEY.sub(f"{BEGIN}...", str(error))) from None


def identify(keys: Mapping[str, KeyEntry], token: str) -> str | None:
    """Returns the name of the caller whose key this is, or None.

    Every entry is compared, and each in constant time, so that the answer's delay tells nothing about the keys.
    """
    digest = digest_of(token)
    found: str | None = None
    for name, entry in keys.items():
        if hmac.compare_digest(digest, entry.sha256):
            found = name
    return found


def new_key() -> str:
    """Returns a fresh key."""
    return BEGIN + secrets.token_urlsafe(TOKEN_BYTES)


def digest_of(token: str) -> str:
    """Returns what the file stores for a key."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def presented_key(request: Request) -> str:
    """Returns the key of a request: a bearer token, `x-api-key`, or the query parameter that Google's clients send."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token:
        return token.strip()
    return (request.headers.get("x-api-key") or request.query_params.get("key") or "").strip()
