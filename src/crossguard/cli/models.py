"""`crossguard models`: list models, show a model's card, verify its checksums."""

from __future__ import annotations

import json
from typing import Final

import click

from crossguard.bundle import Bundle, read_bundle
from crossguard.cli.options import refuse_idle
from crossguard.cli.telling import show
from crossguard.loading import find_bundle
from crossguard.registry import shipped

_VIEWS: Final = ("card", "verify", "benchmark", "as_json")


@click.command("models")
@click.argument("model", required=False)
@click.option("--card", is_flag=True, help="Print the model card.")
@click.option("--verify", is_flag=True, help="Compare every file with its checksum.")
@click.option("--benchmark", is_flag=True, help="Measure the encoders on this machine, and tell what is chosen.")
@click.option("--json", "as_json", is_flag=True, help="Print the manifest as JSON.")
def command(model: str | None, *, card: bool, verify: bool, benchmark: bool, as_json: bool) -> None:
    """List the models in the package, or show MODEL: a name, a folder, or a Hub id.

    \b
    crossguard models                    the bundled models
    crossguard models compact            labels, thresholds, checksums
    crossguard models compact --card     the model card
    crossguard models compact --benchmark    what --precision auto chooses here
    crossguard models ./my-model --verify
    """
    if model is None:
        refuse_idle(_VIEWS, "without MODEL")
        _list()
        return
    if sum((card, as_json, verify, benchmark)) > 1:
        raise click.UsageError("--card, --verify, --benchmark and --json each show something else: choose one.")
    bundle = read_bundle(find_bundle(model), verify=verify)
    if card:
        show(
            bundle.card() or f"{bundle.folder} has no card. Write one with: crossguard card {model} --details card.yaml"
        )
    elif as_json:
        click.echo(json.dumps(bundle.manifest.model_dump(mode="json"), indent=2))
    elif verify:
        click.echo(f"{len(bundle.manifest.files)} files match their checksums.")
    elif benchmark:
        _benchmark(bundle)
    else:
        _show(bundle)


def _list() -> None:
    for name, folder in shipped().items():
        bundle = read_bundle(folder, verify=False)
        manifest, size = bundle.manifest, f"{bundle.size / 1e6:.1f} MB"
        labels, policies = ", ".join(manifest.label_set.names), ", ".join(manifest.policies)
        click.echo(f"{name} {manifest.model.version}  {size}  labels: {labels}  policies: {policies}")


def _benchmark(bundle: Bundle) -> None:
    from rich.table import Table

    from crossguard.cli.table import console
    from crossguard.machine import available_cores, multiplies_bf16, processor_name, vector_units
    from crossguard.runtimes import tuning

    screen, allowed = console(), bundle.manifest.precisions
    native = ("fp32", "bf16") if multiplies_bf16() else ("fp32",)
    units = ", ".join(vector_units()) or "no vector unit that we know"
    screen.print(f"{processor_name()}, {available_cores()} cores, {units}", soft_wrap=True)
    table = Table(box=None, pad_edge=False)
    for column in ("encoder", "precision", "ms per inference", ""):
        table.add_column(column, justify="right" if column == "ms per inference" else "left")
    choice = tuning.choose(bundle.graphs, allowed, bundle.manifest.digest)
    for trial in tuning.measure(bundle.graphs, native):
        for name in native:
            told = "" if name in allowed else "not allowed by the bundle"
            if name == choice.precisions[trial.graph]:
                told = "chosen"
            taken = trial.milliseconds.get(name)
            table.add_row(trial.graph, name, "fails" if taken is None else f"{taken:.2f}", told)
    screen.print(table)
    if "bf16" not in native:
        screen.print("bf16 is not measured: this processor would emulate it.", soft_wrap=True)
    told = ", ".join(f"{graph} {name}" for graph, name in choice.precisions.items())
    screen.print(f"--precision auto: {told} ({choice.reason})", soft_wrap=True)


def _show(bundle: Bundle) -> None:
    from rich.text import Text

    from crossguard.cli.table import BANDS, bands, console, plain

    manifest, screen = bundle.manifest, console()
    model = manifest.model
    told = f" {model.version}  {model.backend} {model.head}, {bundle.size / 1e6:.1f} MB, {bundle.folder}"
    screen.print(Text.assemble((model.name, "bold"), told), soft_wrap=True)
    labels = plain(("label", "meaning"), left=2)
    for label in manifest.labels:
        labels.add_row(label.name, label.meaning)
    screen.print(labels)
    for policy in manifest.policies.values():
        screen.print(f"\npolicy {policy.name} {policy.version}: {policy.description}")
        names = ("label", "input") if len(policy.kinds) > 1 else ("label",)
        table = plain((*names, *BANDS), left=len(names))
        for name in manifest.label_set.names:
            for kind in policy.kinds:
                table.add_row(*(name, kind)[: len(names)], *bands(policy.rules(kind)[name]))
        screen.print(table)
    for file, digest in manifest.files.items():
        screen.print(f"sha256 {digest}  {file}", highlight=False, soft_wrap=True)
