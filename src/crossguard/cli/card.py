"""`crossguard card`: writes a model card from what was measured."""

from __future__ import annotations

from pathlib import Path

import click

from crossguard.cli.options import PATH, out_option, overwrite_option
from crossguard.cli.telling import show, tell
from crossguard.errors import ConfigError, needs_extra
from crossguard.registry import MANIFEST, shipped
from crossguard.saving import refuse_existing, save_text


@click.command("card")
@click.argument("model")
@click.option(
    "--details",
    type=PATH,
    required=True,
    help="YAML: summary, licence, datasets, limits, ...; at least the line `summary: ...`.",
)
@click.option("--run", "runs", multiple=True, type=PATH, help="Folder of 'crossguard evaluate --out'.")
@click.option("--audit", "audits", multiple=True, type=PATH, help="Folder of 'crossguard audit --out'.")
@out_option(type=PATH, help="File to write; the terminal when not given.")
@overwrite_option
@click.option("--into-bundle", is_flag=True, help="Write card and metrics into the bundle and renew its checksums.")
def command(
    *,
    model: str,
    details: Path,
    runs: tuple[Path, ...],
    audits: tuple[Path, ...],
    out: Path | None,
    overwrite: bool,
    into_bundle: bool,
) -> None:
    """Write the card of MODEL: data statement, thresholds, metrics with intervals, groups, and every command.

    \b
    crossguard card ./my-model --details card.yaml --run runs/test --out README.md
    crossguard card ./my-model --details card.yaml --run runs/test --into-bundle
    """
    with needs_extra("Writing a card", "evaluate"):
        from crossguard.evaluation.card import build_card, install_card, metrics_files, read_audit, read_details
        from crossguard.evaluation.runs import read_run
    from crossguard.bundle import read_bundle
    from crossguard.loading import find_bundle

    if out is not None:
        refuse_existing(out, overwrite=overwrite, inputs=(details,))
    if into_bundle:
        _refuse_elsewhere(model)
    bundle = read_bundle(find_bundle(model), verify=into_bundle)  # new checksums must not hide that a file is damaged
    added = metrics_files(runs[0]) if into_bundle and runs else {}
    card = build_card(bundle, read_details(details), [*map(read_run, runs)], [*map(read_audit, audits)], added)
    if into_bundle:
        install_card(bundle, card, added)
        tell(f"Wrote the card into {bundle.folder}")
    if out is not None:
        save_text(out, card)
        tell(f"Wrote {out}")
    elif not into_bundle:
        show(card)


def _refuse_elsewhere(model: str) -> None:
    """Raises ConfigError unless a model is a bundle's folder, and no word for one in the package or in a cache."""
    if model in shipped() or not (Path(model) / MANIFEST).is_file():
        raise ConfigError(
            f"--into-bundle writes into a bundle, and '{model}' is no folder of your own with a {MANIFEST}. Export "
            "one first: crossguard export RUN BUNDLE. Or write the card to a file: --out README.md"
        )
