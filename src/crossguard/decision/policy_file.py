"""A YAML file that overrides a bundle's policy without touching the bundle."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Container, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from crossguard.checked_settings import StrictModel, parse, read_yaml
from crossguard.decision.calibration import Calibrator, Identity, MonotoneMap
from crossguard.decision.policy import Bands, BandsOverride, Costs, Kind, Policy, Prevalence, Rate, disorder
from crossguard.errors import ConfigError, suggest
from crossguard.labels import LabelSet, perspective_names


class LabelOverride(BandsOverride):
    """What a policy file may change for one label."""

    calibration: Calibrator = Identity()
    prevalence: Prevalence | None = None


def _as_json(value: Any) -> Any:
    """Returns a value of YAML as JSON has it: dates and the like are text. What JSON takes stays, and so do hashes."""
    with suppress(TypeError):
        json.dumps(value, sort_keys=True)
        return value
    if isinstance(value, Mapping):
        return {str(key): _as_json(part) for key, part in value.items()}
    if isinstance(value, list | tuple | set):
        return [_as_json(part) for part in (sorted(value, key=str) if isinstance(value, set) else value)]
    return str(value)


class PolicyFile(StrictModel):
    """A YAML file that overrides a bundle's policy, for everybody or per tenant.

    Attributes mean what they mean in `Policy`, and replace those of the base where they are given, but for these:

    Attributes:
        version: The hash of the file's content is added to it.
        base: The bundle's policy to start from.
        labels: Overrides per label, field by field.
        inputs: Overrides per kind of input and label, field by field; an empty mapping takes those of the base away.
        tenants: Overrides per tenant and label, on top of `labels`; they hold for every kind of input.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9_.-]+$")
    version: str = Field(min_length=1)
    base: str = "default"
    description: str = ""
    labels: dict[str, LabelOverride] = Field(default_factory=dict)
    inputs: dict[Kind, dict[str, BandsOverride]] | None = None
    attributes: dict[str, Bands] | None = None
    costs: Costs | None = None
    feed_prevalence: dict[str, Rate] = Field(default_factory=dict)
    tenants: dict[str, dict[str, LabelOverride]] = Field(default_factory=dict)
    provenance: Annotated[dict[str, Any], AfterValidator(_as_json)] = Field(default_factory=dict)
    perspective: dict[str, MonotoneMap] = Field(default_factory=dict)

    def apply(
        self,
        policies: Mapping[str, Policy],
        labels: LabelSet,
        tenant: str | None = None,
        attributes: Collection[str] = (),
    ) -> Policy:
        """Returns the bundle's policy with this file's overrides; the whole file is checked, whoever the tenant is.

        Args:
            policies: Those of the bundle.
            labels: Of the model.
            tenant: Whose overrides apply.
            attributes: Of the model.

        Raises:
            ConfigError: Unknown base, tenant, label or attribute, or bands in the wrong order.
        """
        if self.base not in policies:
            raise ConfigError(
                f"Policy '{self.name}': the bundle has no policy '{self.base}' to start from."
                f"{suggest(self.base, policies)}"
            )
        base = policies[self.base]
        if tenant is not None and tenant not in self.tenants:
            raise ConfigError(f"Policy '{self.name}' has no tenant '{tenant}'.{suggest(tenant, self.tenants)}")
        whole = f"Policy '{self.name}', with what it takes from base '{self.base}'"
        if problems := [*self._unknown(labels, attributes), *self._all_disorders(base)]:
            raise ConfigError.gather(whole, problems)
        own = self.tenants[tenant] if tenant is not None else {}
        content = json.dumps(self.model_dump(), sort_keys=True).encode()
        merged = dict(base) | {
            "base": self.base,
            "inputs": self._inputs(base, own),
            "attributes": base.attributes if self.attributes is None else self.attributes,
            "costs": self.costs,
            "feed_prevalence": self.feed_prevalence or base.feed_prevalence,
            "name": self.name if tenant is None else f"{self.name}:{tenant}",
            "version": f"{self.version}+{hashlib.sha256(content).hexdigest()[:8]}",
            "description": self.description or base.description,
            "labels": self._rules(base, own),
            "provenance": self.provenance or base.provenance,
            "perspective": self.perspective or base.perspective,
        }
        return parse(Policy, merged, whole)

    def _unknown(self, labels: LabelSet, attributes: Collection[str]) -> Iterator[str]:
        """Yields the names that the model does not have."""
        places: dict[str, Iterable[str]] = {"": self.labels}
        places |= {f"'inputs.{kind}': ": names for kind, names in (self.inputs or {}).items()}
        places |= {f"Tenant '{tenant}': ": names for tenant, names in self.tenants.items()}
        places["'feed_prevalence': "] = self.feed_prevalence
        for place, names in places.items():
            for name in names:
                if name not in labels.names:
                    yield f"{place}{'unknown' if place else 'Unknown'} label '{name}'.{suggest(name, labels.names)}"
        known = perspective_names(labels, attributes)
        for name in self.perspective:
            if name not in known:
                yield f"'perspective': unknown attribute '{name}'.{suggest(name, known)}"

    def _all_disorders(self, base: Policy) -> Iterator[str]:
        """Yields where bands lie on the wrong side of a threshold, for everybody or for one tenant."""
        everybody = self._disorders(base, {})
        yield from everybody
        for tenant, own in self.tenants.items():
            yield from (f"Tenant '{tenant}': {told}" for told in self._disorders(base, own) if told not in everybody)

    def _disorders(self, base: Policy, own: Mapping[str, LabelOverride]) -> list[str]:
        rules = self._rules(base, own)
        found = {name: told for name, rule in rules.items() if (told := disorder(rule))}
        return [f"'labels.{name}': {told}." for name, told in found.items()] + [
            f"'inputs.{kind}.{name}': {told}."
            for kind, overrides in self._inputs(base, own).items()
            for name, bands in overrides.items()
            if name in rules and (told := disorder(rules[name] | bands)) and told != found.get(name)
        ]

    def _rules(self, base: Policy, own: Mapping[str, LabelOverride]) -> dict[str, dict[str, Any]]:
        """Returns the rule of each label: the base's, and on top this file's and those of a tenant, `own`."""
        mine, theirs = _plain(self.labels), _plain(own)
        return {
            name: rule.model_dump() | mine.get(name, {}) | theirs.get(name, {}) for name, rule in base.labels.items()
        }

    def _inputs(self, base: Policy, own: Mapping[str, BandsOverride]) -> dict[Kind, dict[str, dict[str, Any]]]:
        """Returns the bands of each kind of input: the base's, and on top this file's.

        What the file says of a label holds for every kind, unless it tells kinds apart itself; of what it does not say,
        each kind keeps its own. A tenant's rules, `own`, are the last word in any case.
        """
        given = self.inputs or {}
        found: dict[Kind, dict[str, dict[str, Any]]] = {}
        for kind in () if self.inputs == {} else base.inputs | given:
            emptied = kind in given and not given[kind]
            kept = {} if emptied else _without(_plain(base.inputs.get(kind, {})), _plain(self.labels))
            written = {name: kept.get(name, {}) | bands for name, bands in _plain(given.get(kind, {})).items()}
            found[kind] = _without(kept | written, _plain(own))
        return found


def _plain(rules: Mapping[str, BandsOverride]) -> dict[str, dict[str, Any]]:
    """Returns the bands that somebody wrote and their values, by label."""
    return {name: rule.given() for name, rule in rules.items()}


def _without(
    rules: Mapping[str, Mapping[str, Any]], settled: Mapping[str, Container[str]]
) -> dict[str, dict[str, Any]]:
    """Returns bands of one kind of input without those that are settled for all kinds."""
    left = {
        name: {band: value for band, value in bands.items() if band not in settled.get(name, ())}
        for name, bands in rules.items()
    }
    return {name: bands for name, bands in left.items() if bands}


def is_policy_file(policy: str) -> bool:
    """Whether this is the path of a policy file, and not the name of a bundle's policy."""
    return policy.lower().endswith((".yaml", ".yml"))


def read_policy_file(path: Path) -> PolicyFile:
    """Reads a policy file; every problem of it is told at once."""
    return parse(PolicyFile, read_yaml(path), str(path))
