"""What is being served: a loaded model, a policy per caller, and the keys. Replaced as a whole by a reload."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from crossguard.data.image_limits import ImageLimits
from crossguard.engine import BatchLimits
from crossguard.errors import ConfigError
from crossguard.loading import load
from crossguard.moderator import Moderator
from crossguard.serving.keys import KeyEntry, read_keys
from crossguard.serving.settings import ServeSettings


@dataclass(frozen=True, slots=True)
class Served:
    """Immutable; requests in flight keep the one that they began with."""

    base: Moderator  # scores for callers without a policy of their own
    tenants: Mapping[str, Moderator]  # moderators by the name of a key; they share the loaded model
    keys: Mapping[str, KeyEntry]  # by the name of a caller; without any, everybody may call

    def moderator(self, caller: str) -> Moderator:
        """Returns who scores for the caller of that name."""
        return self.tenants.get(caller, self.base)


def load_served(settings: ServeSettings) -> Served:
    """Reads keys, policies and model, and scores a first post, so that the first caller does not wait for it."""
    keys = read_keys(settings.keys_file)
    base = load(
        settings.model_name,
        policy=settings.policy,
        runtime=settings.runtime,
        precision=settings.precision,
        threads=settings.threads,
        image_limits=ImageLimits(max_bytes=settings.max_image_bytes, max_pixels=settings.max_pixels),
        other_languages=settings.other_languages,
        revision=settings.revision,
        limits=BatchLimits(settings.batch_posts, settings.max_batch_delay_ms / 1000),
    )
    base.warm_up()
    return Served(base, _tenants(base, keys, settings), keys)


def _tenants(base: Moderator, keys: Mapping[str, KeyEntry], settings: ServeSettings) -> dict[str, Moderator]:
    tenants, problems = {}, []
    for name, entry in keys.items():
        if entry.policy is not None or entry.tenant is not None:
            try:
                tenants[name] = base.with_policy(entry.policy or settings.policy, entry.tenant)
            except ConfigError as error:
                problems.append(f"key '{name}': {error}")
    if problems:
        raise ConfigError.gather(f"Keys file {settings.keys_file}", problems)
    return tenants
