"""Every setting of the console in one table: flags, environment, file, checks and documentation come from it."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from functools import cached_property
from pathlib import Path
from string import ascii_lowercase
from typing import Annotated, Any, Final, Self, TypeAlias

from pydantic import AfterValidator, Field, field_validator, model_validator

from crossguard import checked_settings
from crossguard.checked_settings import (
    BaseAddress,
    Host,
    PublicAddress,
    Secret,
    StrictModel,
    WebAddress,
    Words,
    gather_settings,
    setting,
)
from crossguard.data.datasets.rows import FIXED
from crossguard.errors import ConfigError
from crossguard.labels import HATE
from crossguard.review.roles import Role
from crossguard.review.signing import key_of

PREFIX: Final = "CROSSGUARD_REVIEW_"
MAIN, APPEALS, ESCALATED = "main", "appeals", "escalated"
BUILT_IN: Final = (MAIN, APPEALS, ESCALATED)
_LETTERS: Final = frozenset(ascii_lowercase) - frozenset("secutigxnp")  # the other keys of the item's page
_MEBI: Final = 1024 * 1024
EXPORTED: Final = ("action", "clause", "votes", "agreed", "weight", "language", "decided_at")
"""Columns of an export beside the labels and those that every table of annotated posts has."""

Rate: TypeAlias = Annotated[float, Field(ge=0, le=1)]


def _each(pattern: str, told: str) -> AfterValidator:
    """Returns the check that every one of several words is as a pattern says."""

    def check(words: tuple[str, ...]) -> tuple[str, ...]:
        if wrong := [word for word in words if not re.fullmatch(pattern, word)]:
            raise ValueError(f"{told}; not '{wrong[0][:80]}'")
        return words

    return AfterValidator(check)


Parts: TypeAlias = Annotated[Words, _each("labels|clause|comment", "a decision has labels, clause and comment")]
Queues: TypeAlias = Annotated[
    Words, _each(r"[\w.-]{1,64}", "a queue's name has 1 to 64 letters, digits, dots and dashes")
]
Rules: TypeAlias = Annotated[
    Words, _each(f".+=({'|'.join(Role)})", f"a rule is VALUE=ROLE, with a role of {', '.join(Role)}")
]


class ReviewSettings(StrictModel):
    """How a console runs. The descriptions are its manual: `crossguard review --help` and the docs print them."""

    host: Host = setting("Address to listen on; 0.0.0.0 for every interface, :: also for those of IPv6.", "127.0.0.1")
    port: int = setting("Port to listen on; 0 takes a free one.", 8090, ge=0, le=65535)
    public_url: PublicAddress = setting(
        "Address that people type, such as https://review.example.com; https makes cookies secure.", ""
    )
    database: str = setting("File of SQLite, or postgresql://user@host/name.", "crossguard-review.sqlite")
    demo: bool = setting("Whether a new database starts with the demo's posts.", True)
    model: str = setting("Model that scores what comes without scores and explains; none for no model.", "compact")
    policy: str = setting("Policy of the model, or a YAML file.", "default")
    labels: Words = setting("Labels that people decide on.", HATE.names, min_length=1)
    actions: Words = setting("What can be done with a post, the mildest first.", ("allow", "block"), min_length=2)
    required: Parts = setting("What a decision needs besides its action: labels, clause, comment.", ())
    policy_text: Path | None = setting("YAML file of the policy's clauses; one clause per label when not given.", None)
    queues: Queues = setting(f"Queues besides {', '.join(BUILT_IN)}.", ())
    lease_minutes: float = setting(
        "How long an item is assigned to a person; renewed while its page is open.", 10, gt=0
    )
    undo_minutes: float = setting("How long a decision can be undone by who made it.", 60, ge=0)
    daily_limit: int = setting("Most items of a person per day (UTC); 0 is unlimited.", 0, ge=0)
    second_vote_rate: Rate = setting("Fraction of the items that two people decide, blind.", 0.1)
    gold_rate: Rate = setting("Fraction of assigned items that are golden ones, if there are any.", 0.05)
    audit_rate: Rate = setting("Fraction of the allowed posts that people check, blind, mixed with the others.", 0.01)
    audit_rate_near: Rate = setting("The same for allowed posts that score at least half a threshold.", 0.1)
    retention_days: int = setting(
        "Days after which the text and images of a decided item are deleted; 0 keeps them.", 0, ge=0
    )
    session_hours: float = setting("How long a login lasts.", 12, gt=0)
    oidc_issuer: BaseAddress = setting(
        "OpenID provider by which people may log in, such as https://id.example.com.", ""
    )
    oidc_client_id: str = setting("The console's name at the provider.", "")
    oidc_client_secret: Secret = setting("Its secret there; best given as a variable.", "", repr=False)
    oidc_scope: str = setting("What the provider is asked for.", "openid profile email")
    oidc_claim: str = setting("Claim that says a person's role.", "groups")
    oidc_roles: Rules = setting(
        "Roles by value of the claim, the first that fits counts: leads=lead,mods=reviewer. "
        "Who fits none is refused; without any rule everybody is a reviewer.",
        (),
    )
    webhook_url: WebAddress = setting("Where decisions are sent, signed; nowhere when empty.", "")
    webhook_secret: Secret = setting("Key of the signatures; at least 16 characters.", "", repr=False)
    max_body_bytes: int = setting("Largest request body.", 32 * _MEBI, ge=1024)

    @field_validator("labels", "actions")
    @classmethod
    def _told_apart(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) < len(value) or any(not 0 < len(name) <= 32 for name in value):  # noqa: PLR2004 - the column
            raise ValueError("each has 1 to 32 characters, and none is there twice")
        return value

    @field_validator("labels")
    @classmethod
    def _no_other_columns(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        taken = {*FIXED, *EXPORTED} - {"hateful"}
        if wrong := [name for name in value if name in taken]:
            raise ValueError(f"an export has a column '{wrong[0]}' of its own; choose another name")
        return value

    @model_validator(mode="after")
    def _with_what_they_need(self) -> Self:
        if self.oidc_issuer and not self.oidc_client_id:
            raise ValueError("oidc_issuer needs oidc_client_id")
        if self.webhook_url and not self.webhook_secret:
            raise ValueError("webhook_url needs webhook_secret, the key that messages are signed with")
        return self

    @field_validator("webhook_secret")
    @classmethod
    def _long_secret(cls, value: str) -> str:
        if value and len(value) < 16:  # noqa: PLR2004 - the bound in the description
            raise ValueError("must have at least 16 characters")
        try:
            key_of(value)
        except ValueError:
            raise ValueError("must have base64 behind whsec_") from None
        return value

    def check_used(self) -> None:
        """Refuses a secret without the address that it is for, which may have been misspelt.

        That is asked of the console only: the commands beside it may share its variables, and not its flags.
        """
        for name, address in (
            ("oidc_client_id", "oidc_issuer"),
            ("oidc_client_secret", "oidc_issuer"),
            ("webhook_secret", "webhook_url"),
        ):
            if getattr(self, name) and not getattr(self, address):
                raise ConfigError(f"Settings of crossguard review: {name} does nothing without {address}.")

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


def unread_variables(environment: Mapping[str, str], others: Collection[str]) -> list[str]:
    """Returns a sentence for each variable that looks like a setting and is none; `others` are read elsewhere."""
    return checked_settings.unread_variables(
        environment, PREFIX, ReviewSettings.model_fields, others, "crossguard review"
    )
