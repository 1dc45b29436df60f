"""`crossguard export`: a trained model as a bundle of ONNX graphs or a Hugging Face folder; a bundle in 8 bits."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from crossguard.bundle import CARD, GRAPHS, read_bundle
from crossguard.cli.options import EXISTING, PATH, Number, refuse_idle
from crossguard.cli.telling import tell
from crossguard.errors import BundleError, ConfigError, OutputError, needs_extra
from crossguard.registry import MANIFEST

if TYPE_CHECKING:
    from crossguard.export.quality import QualityReport
    from crossguard.export.weight_dtype import WeightDtype

WEIGHT_DTYPES = ("fp32", "fp16", "int8")


@click.command("export")
@click.argument("run", type=EXISTING)
@click.argument("out", type=PATH)
@click.option(
    "--format",
    "format_",
    type=click.Choice(["onnx", "huggingface"]),
    default="onnx",
    show_default=True,
    help="onnx: a bundle that `crossguard score --model OUT` runs. huggingface: a folder for AutoModel.",
)
@click.option("--name", help="Name of the model; the folder's name when not given.")
@click.option("--version", help="Version of the model; when not given 1.0.0, and of an int8 copy that of RUN.")
@click.option(
    "--weight-dtype",
    multiple=True,
    metavar="[GRAPH=]BITS",
    help="fp32, fp16 or int8 weights, for all graphs or one of text, image, fusion.",
)
@click.option(
    "--average",
    type=EXISTING,
    multiple=True,
    help="A further run whose weights are averaged with RUN's; they must come from one start.",
)
@click.option(
    "--policy",
    "policies",
    multiple=True,
    metavar="NAME=SCHEME:RUN[,RUN...][@CRITERION]",
    help="Fit a policy to the predictions of these runs, such as all folds of a cross-validation. "
    "CRITERION is one of `crossguard calibrate --criterion`; f1 when not given.",
)
@click.option(
    "--precision",
    type=click.Choice(["fp32", "int8"]),
    default="fp32",
    show_default=True,
    help="int8: RUN is a bundle, and OUT a copy that computes in int8, if it passes the quality gate.",
)
@click.option(
    "--calibration",
    multiple=True,
    type=EXISTING,
    help="Annotated posts for --precision int8: some calibrate, the rest test it. May be repeated.",
)
@click.option(
    "--max-auc-loss",
    type=Number(0, 1),
    default=0.005,
    show_default=True,
    help="Largest ROC-AUC loss allowed per label.",
)
@click.option("--accept-loss", is_flag=True, help="Write an int8 copy that loses more than it may.")
@click.option("--overwrite", is_flag=True, help="Replace the model in OUT; a card (README.md) stays.")
def command(
    *,
    run: Path,
    out: Path,
    format_: str,
    name: str | None,
    version: str | None,
    weight_dtype: tuple[str, ...],
    average: tuple[Path, ...],
    policies: tuple[str, ...],
    precision: str,
    calibration: tuple[Path, ...],
    max_auc_loss: float,
    accept_loss: bool,
    overwrite: bool,
) -> None:
    """Export RUN, a folder of `crossguard train` or a published checkpoint, to the folder OUT.

    \b
    crossguard export runs/harmeme models/harmeme
    crossguard export runs/clip models/clip --weight-dtype fp16
    crossguard export runs/clip hub/clip --format huggingface
    crossguard export models/clip clip8 --precision int8 --calibration posts.csv
    """
    _check_options(format_, precision)
    if out.resolve() in {path.resolve() for path in (run, *average)}:
        raise OutputError(f"The output '{out}' is a run that is exported. Choose another folder.")
    kept, earlier = _refuse_filled(out, overwrite=overwrite), _identity(out)
    if precision == "int8":
        _write_int8(run, out, calibration, name, version, max_auc_loss=max_auc_loss, accept=accept_loss)
    elif format_ == "huggingface":
        with needs_extra("Exporting", "train"):
            from crossguard.export.huggingface import export_huggingface
        export_huggingface(run, out, average)
        tell(f"Wrote {out}. Load it with AutoModel.from_pretrained('{out}', trust_remote_code=True).")
    else:
        with needs_extra("Exporting", "train"):
            from crossguard.export.bundle import ExportPlan, as_name, export_bundle
            from crossguard.export.policies import PolicyPlan
        plans = [PolicyPlan.parse(text) for text in policies]
        name, version = name or as_name(out.resolve().name), version or "1.0.0"
        bundle = export_bundle(run, out, ExportPlan(name, version, _weight_dtypes(weight_dtype), plans, average))
        size = f"{bundle.size / 1e6:.1f} MB"
        tell(f"Wrote {out} ({size}). Try: crossguard score --model {out} --text '...'")
    _tell_what_stays(out, kept, earlier)


def _identity(folder: Path) -> tuple[str, list[str]] | None:
    """Returns what a bundle is called, and the checksums of its graphs; None where there is none."""
    try:
        manifest = read_bundle(folder, verify=False).manifest
    except BundleError:
        return None
    return f"{manifest.model.name} {manifest.model.version}", [manifest.files[f"{graph}.onnx"] for graph in GRAPHS]


def _tell_what_stays(out: Path, card: Path | None, earlier: tuple[str, list[str]] | None) -> None:
    """Says so where the card, or name and version, are still those of the model before."""
    if card:
        tell(f"note: {card} stayed; metrics in it may be those of another model.")
    now = _identity(out)
    if earlier and now and earlier[0] == now[0] and earlier[1] != now[1]:
        tell(
            f"note: the model before was called {now[0]}, too, so that results of both, and --resume, cannot tell them "
            "apart. Give another --version."
        )


def _check_options(format_: str, precision: str) -> None:
    """Raises UsageError where an option was typed that this export does not read."""
    named, of_runs = ("name", "version"), ("weight_dtype", "policies")
    other = () if format_ == "onnx" else ("format_",)
    if precision == "int8":
        refuse_idle((*of_runs, "average", *other), "beside --precision int8")
        return
    refuse_idle(("calibration", "max_auc_loss", "accept_loss"), "without --precision int8")
    refuse_idle((*named, *of_runs) if other else (), "beside --format huggingface")


def _refuse_filled(out: Path, *, overwrite: bool) -> Path | None:
    """Returns a card that is in `out`; raises OutputError where anything else is that nobody said to replace."""
    within = list(out.iterdir()) if out.is_dir() else []
    if out.is_file() or (not overwrite and any(path.name != CARD and not path.name.startswith(".") for path in within)):
        raise OutputError(f"'{out}' already exists. Replace the model in it with --overwrite, or choose another name.")
    return out / CARD if (out / CARD).is_file() else None


def _weight_dtypes(options: tuple[str, ...]) -> dict[str, WeightDtype]:
    chosen: dict[str, Any] = {}
    for option in sorted(options, key=lambda option: "=" in option):  # those for one graph win, wherever they stand
        graph, equals, bits = option.rpartition("=")
        if bits not in WEIGHT_DTYPES or (equals and graph not in GRAPHS):
            raise ConfigError(
                f"--weight-dtype takes one of {', '.join(WEIGHT_DTYPES)}, alone or as GRAPH=BITS with a graph of "
                f"{', '.join(GRAPHS)}; got '{option}'."
            )
        chosen |= dict.fromkeys([graph] if equals else GRAPHS, bits)
    return chosen


def _write_int8(
    source: Path,
    out: Path,
    data: tuple[Path, ...],
    name: str | None,
    version: str | None,
    *,
    max_auc_loss: float,
    accept: bool,
) -> None:
    """Writes an int8 copy of the bundle `source` to `out` and prints what it costs.

    Raises:
        ConfigError: `source` is no bundle, or no calibration data were given.
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
        from crossguard.export.bundle import ExportPlan, as_name
        from crossguard.export.quality import Tolerance
        from crossguard.export.quantize import export_int8
        from crossguard.runtimes.fallbacks import LAYERS, sums_overflow
    bundle = read_bundle(source)
    annotated = join([read_annotated(path, bundle.labels.names) for path in data])
    plan = ExportPlan(name or as_name(out.resolve().name), version or bundle.manifest.model.version)
    tolerance = Tolerance(auc=max_auc_loss)
    report = export_int8(bundle, annotated, out, tolerance, name=plan.name, version=plan.version, accept_loss=accept)
    _show_quality(report)
    if any(map(sums_overflow, LAYERS)):
        tell(
            "Sums of 8-bit products overflow on this processor: the copy is computed in float32 here, as fast as the "
            "original. It is faster on processors with VNNI or AMX."
        )
    tell(f"Wrote {out}. Try: crossguard score --model {out} --text '...'")


def _show_quality(report: QualityReport) -> None:
    from crossguard.cli.table import console, plain

    table = plain(("policy", "label", "positive", "ROC-AUC", "int8", "F1", "int8", "flags differ"), left=2)
    for policy, labels in report.policies.items():
        for name, row in labels.items():
            metrics = (*_pair(row.auc), *_pair(row.f1))
            table.add_row(policy, name, str(row.positives), *metrics, f"{row.flips:.2%}")
    screen = console()
    screen.print(f"int8 beside the original, {report.posts} held-out posts")
    screen.print(table)
    mean, largest = report.logit_difference
    screen.print(f"Logits differ by {mean:.3f} on average, {largest:.3f} at most.")


def _pair(values: tuple[float, float] | None) -> tuple[str, str]:
    return ("-", "-") if values is None else (f"{values[0]:.4f}", f"{values[1]:.4f}")
