"""`crossguard push`: upload an exported model to the Hugging Face Hub."""

from __future__ import annotations

from pathlib import Path

import click

from crossguard.cli.options import ExistingPath
from crossguard.errors import needs_extra


@click.command("push")
@click.argument("folder", type=ExistingPath(exists=True, file_okay=False, path_type=Path))
@click.argument("repository")
@click.option("--private", is_flag=True, help="Make a new repository private.")
def command(folder: Path, repository: str, private: bool) -> None:
    """Upload FOLDER, which `crossguard export` wrote, to REPOSITORY (organisation/name) of the Hugging Face Hub.

    Of a bundle, the files that it lists are sent, its card, and files LICENSE and NOTICE; of another folder, all but
    logs, states of training, and results of `crossguard evaluate` and `audit`.

    \b
    hf auth login
    crossguard push hub/clip my-organisation/clip-fusion --private
    """
    with needs_extra("Uploading", "train"):
        from crossguard.export.push import push
    click.echo(push(folder, repository, private=private))
