"""`crossguard deploy`: put a model onto AWS SageMaker."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from crossguard.cli.options import FILE, out_option, overwrite_option
from crossguard.cli.telling import tell

if TYPE_CHECKING:
    from crossguard.deploy.sagemaker.endpoint import Endpoint
    from crossguard.deploy.sagemaker.package import Packed


@click.group("deploy")
def command() -> None:
    """Deploy a model to a cloud."""


@command.group("sagemaker")
def sagemaker() -> None:
    """Deploy to AWS SageMaker: archives, IAM policies, endpoints, jobs.

    \b
    crossguard deploy sagemaker package compact -o compact-1.8.0.tar.gz
    crossguard deploy sagemaker policy endpoint.yaml --for execution
    crossguard deploy sagemaker apply endpoint.yaml --dry-run
    crossguard deploy sagemaker apply endpoint.yaml
    crossguard deploy sagemaker delete hate
    """


@sagemaker.command("package", short_help="Write a model as the archive that SageMaker unpacks.")
@click.argument("model")
@out_option(type=FILE, default=Path("model.tar.gz"), show_default=True, help="The archive.")
@overwrite_option
@click.option(
    "--code",
    type=click.Path(path_type=Path, file_okay=False),
    help="Also write the handler as a folder, for an SDK that asks for source_dir.",
)
def package(*, model: str, out: Path, overwrite: bool, code: Path | None) -> None:
    """Write MODEL, a name, a folder or a Hub id, as the archive that SageMaker unpacks to /opt/ml/model."""
    from crossguard.bundle import read_bundle
    from crossguard.deploy.sagemaker.package import package_model, write_code
    from crossguard.loading import find_bundle
    from crossguard.saving import refuse_existing

    refuse_existing(out, overwrite=overwrite)
    packed = package_model(read_bundle(find_bundle(model)), out)
    if packed.left_out:
        tell(f"Left out, as serving does not need it: {', '.join(packed.left_out)}")
    _tell(packed)
    if code is not None:
        write_code(code)
        tell(f"The handler and what it imports: {code}")


@sagemaker.command("package-training", short_help="Write the source archive of a training job.")
@out_option(type=FILE, default=Path("source.tar.gz"), show_default=True, help="The archive.")
@overwrite_option
def package_training(*, out: Path, overwrite: bool) -> None:
    """Write the source archive of a training job on AWS's PyTorch images."""
    from crossguard.deploy.sagemaker.package import package_training as pack
    from crossguard.saving import refuse_existing

    refuse_existing(out, overwrite=overwrite)
    _tell(pack(out))


@sagemaker.command("policy", short_help="Print the least-privilege IAM policy that FILE needs.")
@click.argument("file", type=FILE)
@click.option(
    "--for",
    "party",
    type=click.Choice(["trust", "execution", "deployer", "caller"]),
    required=True,
    help="trust and execution: the role's two documents; deployer: who runs apply and delete; caller: who sends posts.",
)
def policy(file: Path, party: str) -> None:
    """Print the least-privilege IAM policy that FILE needs, for one of the parties."""
    from crossguard.deploy.sagemaker.policies import policy_for
    from crossguard.deploy.sagemaker.spec import read_spec

    click.echo(json.dumps(policy_for(read_spec(file), party), indent=2))


@sagemaker.command("apply", short_help="Create or update the endpoint, or run the job, of FILE.")
@click.argument("file", type=FILE)
@click.option("--dry-run", is_flag=True, help="Print the CloudFormation template or the requests, and send nothing.")
def apply(file: Path, dry_run: bool) -> None:
    """Create or update the endpoint, or run the transform or training job, that FILE describes; wait for its end."""
    from crossguard.deploy.sagemaker.endpoint import Endpoint
    from crossguard.deploy.sagemaker.spec import read_spec

    thing = read_spec(file)
    if dry_run:
        asked = thing.template() if isinstance(thing, Endpoint) else [asdict(request) for request in thing.requests()]
        click.echo(json.dumps(asked, indent=2))
    else:
        click.echo(_deployed(thing) if isinstance(thing, Endpoint) else thing.run(say=tell))


@sagemaker.command("delete", short_help="Delete an endpoint and all that is billed for it.")
@click.argument("name")
def delete(name: str) -> None:
    """Delete the endpoint NAME, its configuration, model, scaling and alarm, so that nothing is billed any more."""
    from crossguard.deploy.sagemaker import delete as remove

    remove(name)
    click.echo(f"{name} is deleted.")


def _deployed(endpoint: Endpoint) -> str:
    done = f"{endpoint.name} is {(outcome := endpoint.deploy())}."
    if outcome != "unchanged":
        return done
    return f"{done} The file alone counts: a new archive needs a key of its own, a new image a tag of its own."


def _tell(packed: Packed) -> None:
    click.echo(f"{packed.sha256}  {packed.path}")
    tell(f"{packed.size / 1e6:.1f} MB; checksum in {packed.path}.sha256")
