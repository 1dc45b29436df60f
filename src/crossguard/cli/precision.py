"""The part of `crossguard export` that lowers the precision of a bundle and shows what that costs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from crossguard.bundle import MANIFEST, read_bundle
from crossguard.errors import ConfigError, needs_extra

if TYPE_CHECKING:
    from crossguard.export.quality import QualityReport


def write_int8(source: Path, out: Path, data: tuple[Path, ...], *, max_auc_loss: float, accept: bool) -> None:
    """Writes an int8 copy of the bundle `source` to `out` and prints what it costs.

    Raises:
        BundleError: A label loses more than it may.
        ConfigError: `source` is no bundle, or no calibration data were given.
        MissingExtraError: An optional part is not installed.
    """
    if not data:
        raise ConfigError("--precision int8 needs --calibration DATA: annotated posts like those to be scored.")
    if not (source / MANIFEST).is_file():
        raise ConfigError(
            f"--precision int8 starts from a bundle, and {source} has no {MANIFEST}. "
            f"First: crossguard export {source} BUNDLE. Then: crossguard export BUNDLE {out} --precision int8 ..."
        )
    with needs_extra("Exporting to int8", "train,quantize"):
        from crossguard.evaluation.annotated import join, read_annotated
        from crossguard.export.int8 import Gate, export_int8
        from crossguard.export.quality import Tolerance
    bundle = read_bundle(source)
    annotated = join([read_annotated(path, bundle.labels.names) for path in data])
    gate = Gate(Tolerance(auc=max_auc_loss), accept)
    report = export_int8(bundle, annotated, out, gate)
    _show(report)
    click.echo(f"Wrote {out}. Try: crossguard score --model {out} --text '...'", err=True)


def _show(report: QualityReport) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"int8 beside the original, {report.posts} held-out posts")
    for heading in ("policy", "label", "positive", "ROC-AUC", "int8", "F1", "int8", "flags differ"):
        table.add_column(heading, justify="left" if heading in {"policy", "label"} else "right")
    for policy, labels in report.policies.items():
        for name, row in labels.items():
            metrics = (*_pair(row.auc), *_pair(row.f1))
            table.add_row(policy, name, str(row.positives), *metrics, f"{row.flips:.2%}")
        table.add_section()
    console = Console()
    console.print(table)
    mean, largest = report.logit_difference
    console.print(f"Logits differ by {mean:.3f} on average, {largest:.3f} at most.")


def _pair(values: tuple[float, float] | None) -> tuple[str, str]:
    return ("-", "-") if values is None else (f"{values[0]:.4f}", f"{values[1]:.4f}")
