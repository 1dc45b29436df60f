"""Where something is deployed: partition, region and account, as its role and image say."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from crossguard.errors import ConfigError

_ECR: Final = re.compile(
    r"^(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(\.cn)?/(?P<repository>[^:@]+)"
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is deployed, as its role and image say.

    Attributes:
        partition: `aws`, `aws-cn` or `aws-us-gov`.
        region: Such as `eu-central-1`.
        account: Twelve digits, of the role.
        repository: ARN of the image's repository.
    """

    partition: str
    region: str
    account: str
    repository: str

    @classmethod
    def of(cls, role: str, image: str) -> Place:
        """Reads a place.

        Raises:
            ConfigError: The image does not lie in ECR.
        """
        match = _ECR.match(image)
        if match is None:
            raise ConfigError(f"The image must lie in ECR (ACCOUNT.dkr.ecr.REGION.amazonaws.com/NAME), not '{image}'.")
        _, partition, _, _, account, *_ = role.split(":")
        repository = f"arn:{partition}:ecr:{match['region']}:{match['account']}:repository/{match['repository']}"
        return cls(partition, match["region"], account, repository)

    def arn(self, service: str, resource: str) -> str:
        """Returns the ARN of a resource of this account and region."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"
