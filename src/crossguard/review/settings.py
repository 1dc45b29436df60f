"""Every setting of the console in one table: flags, environment, file, checks and documentation come from it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from string import ascii_lowercase
from typing import Annotated, Any, Final, Self, TypeAlias
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from crossguard.checked_settings import StrictModel, Words, gather_settings
from crossguard.labels import HATE
from crossguard.review.roles import Role

PREFIX: Final = "CROSSGUARD_REVIEW_"
MAIN, APPEALS, ESCALATED = "main", "appeals", "escalated"
BUILT_IN: Final = (MAIN, APPEALS, ESCALATED)
_LETTERS: Final = frozenset(ascii_lowercase) - frozenset("secutigxnp")  # the other keys of the item's page
_MEBI: Final = 1024 * 1024


Rate: TypeAlias = Annotated[float, Field(ge=0, le=1)]


class ReviewSettings(StrictModel):
    """How a console runs. The descriptions are its manual: `crossguard review --help` and the docs print them."""

    host: str = Field(default="127.0.0.1", description="Address to listen on; 0.0.0.0 for every interface.")
    port: int = Field(default=8090, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    public_url: str = Field(
        default="",
        description="Address that people type, such as https://review.example.com; https makes cookies secure.",
    )
    database: str = Field(
        default="crossguard-review.sqlite", description="File of SQLite, or postgresql://user@host/name."
    )
    demo: bool = Field(default=True, description="Whether a new database starts with the demo's posts.")
    model: str = Field(
        default="compact", description="Model that scores what comes without scores and explains; none for no model."
    )
    policy: str = Field(default="default", description="Policy of the model, or a YAML file.")
    labels: Words = Field(default=HATE.names, min_length=1, description="Labels that people decide on.")
    actions: Words = Field(
        default=("allow", "block"), min_length=2, description="What can be done with a post, the mildest first."
    )
    required: Words = Field(
        default=(), description="What a decision needs besides its action: labels, clause, comment."
    )
    policy_text: Path | None = Field(
        default=None, description="YAML file of the policy's clauses; the meanings of the labels when not given."
    )
    queues: Words = Field(default=(), description=f"Queues besides {', '.join(BUILT_IN)}.")
    lease_minutes: float = Field(
        default=10, gt=0, description="How long an item is assigned to a person; renewed while its page is open."
    )
    undo_minutes: float = Field(default=60, ge=0, description="How long a decision can be undone by who made it.")
    daily_limit: int = Field(default=0, ge=0, description="Most items of a person per day (UTC); 0 is unlimited.")
    second_vote_rate: Rate = Field(default=0.1, description="Fraction of the items that two people decide, blind.")
    gold_rate: Rate = Field(
        default=0.05, description="Fraction of assigned items that are golden ones, if there are any."
    )
    audit_rate: Rate = Field(
        default=0.01, description="Fraction of the allowed posts that people check, blind, mixed with the others."
    )
    audit_rate_near: Rate = Field(
        default=0.1, description="The same for allowed posts that score at least half a threshold."
    )
    retention_days: int = Field(
        default=0, ge=0, description="Days after which the text and images of a decided item are deleted; 0 keeps them."
    )
    session_hours: float = Field(default=12, gt=0, description="How long a login lasts.")
    oidc_issuer: str = Field(
        default="", description="OpenID provider by which people may log in, such as https://id.example.com."
    )
    oidc_client_id: str = Field(default="", description="The console's name at the provider.")
    oidc_client_secret: str = Field(default="", description="Its secret there; best given as a variable.")
    oidc_scope: str = Field(default="openid profile email", description="What the provider is asked for.")
    oidc_claim: str = Field(default="groups", description="Claim that says a person's role.")
    oidc_roles: Words = Field(
        default=(),
        description="Roles by value of the claim, the first that fits counts: leads=lead,mods=reviewer. "
        "Who fits none is refused; without any rule everybody is a reviewer.",
    )
    webhook_url: str = Field(default="", description="Where decisions are sent, signed; nowhere when empty.")
    webhook_secret: str = Field(default="", description="Key of the signatures; at least 16 characters.")
    max_body_bytes: int = Field(default=32 * _MEBI, ge=1024, description="Largest request body.")

    @field_validator("required")
    @classmethod
    def _known_parts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        unknown = set(value) - {"labels", "clause", "comment"}
        if unknown:
            raise ValueError(f"a decision has labels, clause and comment; not {', '.join(sorted(unknown))}")
        return value

    @field_validator("oidc_roles")
    @classmethod
    def _known_roles(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        wrong = [rule for rule in value if rule.rpartition("=")[2] not in set(Role) or not rule.rpartition("=")[0]]
        if wrong:
            raise ValueError(f"a rule is VALUE=ROLE, with a role of {', '.join(Role)}; not {wrong[0]}")
        return value

    @model_validator(mode="after")
    def _whole_oidc(self) -> Self:
        if self.oidc_issuer and not self.oidc_client_id:
            raise ValueError("oidc_issuer needs oidc_client_id")
        return self

    @model_validator(mode="after")
    def _signed_webhooks(self) -> Self:
        if self.webhook_url and not self.webhook_secret:
            raise ValueError("webhook_url needs webhook_secret, the key that messages are signed with")
        return self

    @field_validator("public_url", "webhook_url", "oidc_issuer")
    @classmethod
    def _web_address(cls, value: str) -> str:
        if value and (urlsplit(value).scheme not in {"http", "https"} or not urlsplit(value).netloc):
            raise ValueError("must be an address that begins with https:// or http://")
        return value.rstrip("/")

    @field_validator("webhook_secret")
    @classmethod
    def _long_secret(cls, value: str) -> str:
        if value and len(value) < 16:  # noqa: PLR2004 - the bound in the description
            raise ValueError("must have at least 16 characters")
        return value

    def role_rules(self) -> list[tuple[str, str]]:
        """Returns value of the claim and role, in the order in which they count."""
        parts = (rule.rpartition("=") for rule in self.oidc_roles)
        return [(value.strip(), role) for value, _, role in parts]

    @property
    def all_queues(self) -> tuple[str, ...]:
        """Names of the queues, the built-in ones first."""
        return tuple(dict.fromkeys((*BUILT_IN, *self.queues)))

    @cached_property
    def action_keys(self) -> dict[str, str]:
        """The key of each action: the first of its letters that nothing else has; nothing where none is left."""
        found: dict[str, str] = {}
        for action in self.actions:
            free = (letter for letter in action.lower() if letter in _LETTERS and letter not in found.values())
            found[action] = next(free, "")
        return found

    @property
    def strict_actions(self) -> tuple[str, ...]:
        """Those that say that something is wrong with a post: all but `allow`, or but the first of other names."""
        mild = "allow" if "allow" in self.actions else self.actions[0]
        return tuple(action for action in self.actions if action != mild)

    @property
    def secure(self) -> bool:
        """Whether cookies travel over https only."""
        return self.public_url.startswith("https://")


def gather(flags: Mapping[str, Any], environment: Mapping[str, str], file: Path | None) -> ReviewSettings:
    """Returns the settings of a process; see `checked_settings.gather_settings`."""
    return gather_settings(ReviewSettings, PREFIX, flags, environment, file, "Settings of crossguard review")
