"""A bundle whose encoders multiply in 8 bits: static quantisation by NNCF, calibrated on posts.

The result is ONNX as before (`QuantizeLinear`, `DequantizeLinear`), so every runtime reads it. The fusion graph stays
in float32: it takes no time, and its outputs are the scores.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from crossguard.bundle import Bundle, write_manifest
from crossguard.errors import InputError, needs_extra
from crossguard.export.library_logging import silenced
from crossguard.export.weight_dtype import restore
from crossguard.moderator import Moderator
from crossguard.preprocessing.batch import collate
from crossguard.records import Post
from crossguard.registry import MANIFEST
from crossguard.runtimes.base import Job, encoder_jobs

ENCODERS: Final = ("text", "image")
# Graphs of attention layers need SmoothQuant and unquantised attention scores, which this word asks NNCF for.
TRANSFORMERS: Final = {"compact": ("text",), "clip": ENCODERS, "siglip": ENCODERS}
# Ranges settle after a few hundred examples; NNCF's own default is 300.
EXAMPLES: Final = 300


def quantize(bundle: Bundle, posts: Sequence[Post], folder: Path) -> Bundle:
    """Writes a bundle with both encoders in 8 bits into another folder.

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
    shutil.copytree(bundle.folder, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns(MANIFEST, ".*"))
    for graph, found in feeds.items():
        quantize_graph(bundle.graphs[graph], found, folder / f"{graph}.onnx", bundle.manifest.model.backend)
    data = bundle.manifest.model_dump(mode="json", exclude={"files", "schema_version", "precisions"})
    policies = bundle.manifest.policies
    data["provenance"] = bundle.provenance() | {"precision": "int8", "calibration_posts": len(posts)}
    for name, policy in policies.items():
        data["policies"][name]["provenance"] = bundle.policy_provenance(policy)
    return write_manifest(folder, data)


def _examples(bundle: Bundle, posts: Sequence[Post]) -> list[Job]:
    """Returns the calls that scoring the posts one by one would make, so that no padding is learnt from."""
    moderator = Moderator.load(bundle.folder, pixels="exact")
    spec, size = bundle.manifest.text, bundle.manifest.image.size
    ready = [entry for entry in moderator.prepare_all(posts) if entry.error is None]
    batches = (collate([post], spec, size)[0] for post in ready)
    trim = spec.padding == "longest"
    return [job for batch in batches for job in encoder_jobs(moderator.runtime, batch, trim=trim, bundled=True).jobs]


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
