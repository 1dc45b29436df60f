"""An int8 copy of a bundle, let through only when it says nearly the same as the original.

Both encoders multiply in 8 bits: static quantisation by NNCF, calibrated on posts. The result is ONNX as before
(`QuantizeLinear`, `DequantizeLinear`), so every runtime reads it. The fusion graph stays in float32: it takes no time,
and its outputs are the scores.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from crossguard.bundle import CARD, Bundle, write_manifest
from crossguard.errors import BundleError, InputError, OutputError, needs_extra
from crossguard.evaluation.annotated import Annotated
from crossguard.export.bundle import METRICS, REPORTS, first_card
from crossguard.export.onnx import silenced
from crossguard.export.quality import QualityReport, Tolerance, compare_scores
from crossguard.export.weight_dtype import restore
from crossguard.machine import multiplies_bf16
from crossguard.models.loading import WEIGHTS
from crossguard.moderator import Moderator
from crossguard.preprocessing.batch import collate
from crossguard.records import Post
from crossguard.registry import MANIFEST
from crossguard.runtimes.base import Job, encoder_jobs
from crossguard.runtimes.tuning import ENCODERS, measure
from crossguard.saving import save_json, whole_folder

# Graphs of attention layers need SmoothQuant and unquantised attention scores, which this word asks NNCF for.
TRANSFORMERS: Final = {"compact": ("text",), "clip": ENCODERS, "siglip": ENCODERS}
# Ranges settle after a few hundred examples; NNCF's own default is 300.
EXAMPLES: Final = 300
# Enough for an AUC to the third digit; more only take time.
HELD_OUT: Final = 2000
FEWEST: Final = 30
PRECISIONS: Final = ("fp32", "bf16")


def export_int8(
    bundle: Bundle,
    data: Annotated,
    out: Path,
    tolerance: Tolerance,
    *,
    name: str | None = None,
    version: str | None = None,
    accept_loss: bool = False,
) -> QualityReport:
    """Writes an int8 copy of a bundle, best one with weights in `fp32`, to `out`, and beside it `<out>-quality.json`.

    A part of the annotated posts calibrates, the rest is held back and compared. Name and version of the copy are those
    of the bundle when not given.

    Raises:
        BundleError: A label loses more than it may, unless that is accepted; the report is written, the copy is not.
        OutputError: `out` holds PyTorch weights, and the bundle has none to put in their place.
    """
    if (out / WEIGHTS).is_file() and not (bundle.folder / WEIGHTS).is_file():
        raise OutputError(
            f"'{out}' holds PyTorch weights, which {bundle.folder} does not, and they would stay beside the copy: "
            f"{WEIGHTS}. Delete that model first, or choose another folder."
        )
    calibration, held_out = split(data)
    out = out.resolve()  # "." has no name
    report_file = out.with_name(f"{out.name}-quality.json")
    with tempfile.TemporaryDirectory(prefix="crossguard-int8-") as scratch:
        copy = quantize(bundle, calibration.posts, Path(scratch) / "bundle", name=name, version=version)
        exact, fast = (Moderator.load(folder, verify=False) for folder in (bundle.folder, copy.folder))
        report = compare_scores(exact, fast, held_out)
        save_json(report_file, report.to_dict(tolerance))
        problems = report.problems(tolerance)
        if problems and not accept_loss:
            raise BundleError(
                f"The int8 copy was not written, because it loses more than it may on {report.posts} held-out posts: "
                f"{'; '.join(problems)}. Details: {report_file}. Calibrate with more posts like those to be scored, "
                "keep the exact bundle, or take the loss with --accept-loss."
            )
        # Where the rest is clearly faster in bf16, the copy is judged in it, too; then --precision auto may take it.
        # With nothing to win, each first start would try it for seconds, and machines would differ in their scores.
        if not problems and _gains_from_bf16(copy):
            half = Moderator.load(copy.folder, precision="bf16", verify=False)
            if not compare_scores(exact, half, held_out).problems(tolerance):
                _allow_bf16(copy)
        with whole_folder(out, last=MANIFEST, replaced=REPORTS, kept=(CARD,)) as folder:
            shutil.copytree(copy.folder, folder, dirs_exist_ok=True)
    return report


def _gains_from_bf16(bundle: Bundle) -> bool:
    trials = measure(bundle.graphs, PRECISIONS) if multiplies_bf16() else []
    return any(trial.best(PRECISIONS) == "bf16" for trial in trials)


def _allow_bf16(bundle: Bundle) -> None:
    write_manifest(bundle.folder, bundle.manifest.model_dump(mode="json") | {"precisions": PRECISIONS})


def split(data: Annotated) -> tuple[Annotated, Annotated]:
    """Returns posts to calibrate with and other posts to compare with, the same ones every time.

    Raises:
        InputError: Too few posts.
    """
    if len(data) < FEWEST:
        raise InputError(f"Calibrating needs {FEWEST} posts or more, and {data.source} has {len(data)}.")
    order = np.random.default_rng(0).permutation(len(data)).astype(np.int64)
    count = min(EXAMPLES, len(data) // 3)
    return data.take(order[:count]), data.take(order[count : count + HELD_OUT])


def quantize(
    bundle: Bundle, posts: Sequence[Post], folder: Path, *, name: str | None = None, version: str | None = None
) -> Bundle:
    """Writes a bundle with both encoders in 8 bits into another folder; card and metrics are not copied.

    Raises:
        InputError: No post has text, or none has an image.
    """
    jobs = _examples(bundle, posts)
    feeds = {graph: [job.feed for job in jobs if job.graph == graph][:EXAMPLES] for graph in ENCODERS}
    for graph, found in feeds.items():  # all, before the first is quantised: that takes minutes
        if not found:
            raise InputError(
                f"None of {len(posts)} calibration posts has a usable {graph}, by which that encoder is calibrated. "
                "Give a further table of posts that have one, in which the columns of the labels may be empty: "
                "--calibration MORE"
            )
    for file in set(bundle.manifest.files).difference(METRICS):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(bundle.folder / file, folder / file)
    for graph, found in feeds.items():
        quantize_graph(bundle.graphs[graph], found, folder / f"{graph}.onnx", bundle.manifest.model.backend)
    data = bundle.manifest.model_dump(mode="json", exclude={"precisions"})
    own = bundle.manifest.model
    data["model"] |= {"name": name or own.name, "version": version or own.version}
    told = f"The int8 copy of {own.name} {own.version}, whose metrics are others. "
    card = first_card(data["model"]["name"], data["model"]["version"], told)
    (folder / CARD).write_text(card, encoding="utf-8")
    data["provenance"] = bundle.provenance() | {"precision": "int8", "calibration_posts": len(posts)}
    for key, policy in bundle.manifest.policies.items():
        data["policies"][key]["provenance"] = bundle.policy_provenance(policy)
    return write_manifest(folder, data)


def _examples(bundle: Bundle, posts: Sequence[Post]) -> list[Job]:
    """Returns the calls that scoring the posts one by one would make, so that no padding is learnt from."""
    moderator = Moderator.load(bundle.folder, pixels="exact")
    spec, size = bundle.manifest.text, bundle.manifest.image.size
    ready = [entry for entry in moderator.prepare_all(posts) if entry.error is None]
    batches = (collate([post], spec, size)[0] for post in ready)
    trim = spec.padding == "longest"
    return [job for batch in batches for job in encoder_jobs(moderator.runtime, batch, trim=trim, bundled=True)[0]]


def quantize_graph(source: Path, feeds: Sequence[Any], target: Path, backend: str) -> None:
    """Writes one encoder, whose file is named after it, in 8 bits; `feeds`, inputs by name, calibrate it."""
    import onnx

    with needs_extra("Quantising to int8", "quantize"):
        import nncf
        from nncf.quantization.advanced_parameters import QuantizationParameters
    transformer = source.stem in TRANSFORMERS[backend]
    with silenced("nncf"):
        quantized = nncf.quantize(
            restore(onnx.load(source)),
            nncf.Dataset([dict(feed) for feed in feeds]),
            preset=nncf.QuantizationPreset.MIXED,
            model_type=nncf.ModelType.TRANSFORMER if transformer else None,
            subset_size=len(feeds),
            fast_bias_correction=True,
            # One scale per tensor of activations: ONNX Runtime knows no other in a quantised convolution.
            advanced_parameters=nncf.AdvancedQuantizationParameters(
                activations_quantization_params=QuantizationParameters(per_channel=False)
            ),
        )
    onnx.save_model(quantized, str(target))
