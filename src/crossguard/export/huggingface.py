"""A trained model as a folder for `AutoModel.from_pretrained(folder, trust_remote_code=True)`.

The folder carries copies of the files of `crossguard.models`, which import each other relatively and need nothing but
torch and transformers, the wrapper that transformers looks for, and the processor files by which
`AutoProcessor.from_pretrained(folder)` prepares texts and images as the bundle does, all but normalising raw text.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any, Final

from crossguard.bundle import CARD, TOKENIZER
from crossguard.export.bundle import REPORTS, copy_reports
from crossguard.export.source import ExportSource, open_checkpoint, warn_of_thresholds
from crossguard.models.loading import CONFIG, INFERENCE_CONFIG, save_model
from crossguard.registry import refuse_bundle
from crossguard.saving import save_json, whole_folder

WRAPPER: Final = "modeling_crossguard.py"
CARD_TEMPLATE: Final = "README.md.txt"
CODE: Final = (
    "backbone.py", "building.py", "compact.py", "config.py", "efficientnet_lite.py", "fusion.py", "gated.py",
    "losses.py", "multitask.py", "two_towers.py",
)  # fmt: skip
# The filters of a resize, as Pillow and transformers number them.
RESAMPLE: Final = {"bilinear": 2, "bicubic": 3}


def export_huggingface(run: Path, out: Path, average: tuple[Path, ...] = ()) -> None:
    """Writes the folder of a run, or of a checkpoint in the published layout; see `open_checkpoint` for `average`.

    `out` is changed only when everything could be written; a README.md in it is kept.

    Raises:
        OutputError: `out` holds a bundle.
    """
    refuse_bundle(out)
    source = open_checkpoint(run, average)
    warn_of_thresholds(source)
    template = resources.files("crossguard") / "resources" / "huggingface"
    code = resources.files("crossguard.models")
    with whole_folder(out, last=CONFIG, replaced=REPORTS) as folder:
        save_model(source.model, folder)
        save_json(folder / CONFIG, config(source))
        save_json(folder / INFERENCE_CONFIG, source.inference)
        save_json(folder / "label_map.json", dict(enumerate(source.labels)))
        copy_reports(source, folder)
        (folder / TOKENIZER).write_text(source.tokenizer, encoding="utf-8")
        for name, content in processor_files(source).items():
            save_json(folder / name, content)
        for name in CODE:
            (folder / name).write_text((code / name).read_text(encoding="utf-8"), encoding="utf-8")
        (folder / WRAPPER).write_text((template / f"{WRAPPER}.txt").read_text(encoding="utf-8"), encoding="utf-8")
        (folder / CARD).write_text(_card(source, out, template / CARD_TEMPLATE), encoding="utf-8")


def config(source: ExportSource) -> dict[str, Any]:
    """Returns `config.json` as transformers reads it, with all that this package reads too."""
    module = WRAPPER.removesuffix(".py")
    shape = source.model.config.to_dict()
    return {
        **shape,
        "encoder": _without_paths(shape["encoder"]),
        "encoder_name": source.inference["encoder_name"],
        "model_type": "crossguard",
        "architectures": ["CrossguardModel"],
        "auto_map": {"AutoConfig": f"{module}.CrossguardConfig", "AutoModel": f"{module}.CrossguardModel"},
        "class_names": list(source.labels),
        "thresholds": source.inference["thresholds"],
        "id2label": {str(place): name for place, name in enumerate(source.labels)},
        "label2id": {name: place for place, name in enumerate(source.labels)},
        # An encoder that was trained on texts of one length is given that length, whatever the caller padded to.
        "padded_text_length": source.text.max_length if source.text.padding == "max_length" else None,
        "text_pad_id": source.text.pad_id,
        "torch_dtype": "float32",
    }


def processor_files(source: ExportSource) -> dict[str, dict[str, Any]]:
    """Returns the files that make `AutoProcessor` and `AutoTokenizer` do what the bundle does."""
    image, siglip = source.image, source.model.config.backend == "siglip"
    square = {"height": image.size, "width": image.size}
    crop = image.resize == "crop"
    preprocessor = {
        "processor_class": "SiglipProcessor" if siglip else "CLIPProcessor",
        # SigLIP's own image processor cannot crop.
        "image_processor_type": "SiglipImageProcessor" if siglip and not crop else "CLIPImageProcessor",
        "do_convert_rgb": True,
        "do_resize": True,
        "size": {"shortest_edge": image.size} if crop else square,
        "resample": RESAMPLE[image.interpolation],
        "do_center_crop": crop,
        "crop_size": square,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": list(image.mean),
        "image_std": list(image.std),
    }
    tokenizer = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": source.text.max_length,
        "model_input_names": ["input_ids", "attention_mask"],
        "pad_token": source.pad_token,
        "padding_side": "right",
        "clean_up_tokenization_spaces": False,
    }
    return {"preprocessor_config.json": preprocessor, "tokenizer_config.json": tokenizer}


def _without_paths(encoder: dict[str, Any]) -> dict[str, Any]:
    """Drops where this machine read the encoder from."""
    return {
        key: _without_paths(value) if isinstance(value, dict) else value
        for key, value in encoder.items()
        if key not in {"_name_or_path", "name_or_path"}
    }


def _card(source: ExportSource, out: Path, template: Any) -> str:
    """Returns the model card: the one that is there, the run's own, or a first one to be completed by a person.

    A mean of several runs is none of them, and begins with a card of its own.
    """
    for place in (out,) if source.averaged else (out, source.folder):
        if (place / CARD).is_file():
            return (place / CARD).read_text(encoding="utf-8")
    rows = zip(source.labels, source.inference["thresholds"], strict=True)
    encoder = source.inference["encoder_name"]
    values = {
        "NAME": out.resolve().name,
        "BASE_MODEL": f"base_model: {encoder}\n" if "/" in encoder else "",
        "BACKEND": source.model.config.backend,
        "ENCODER": encoder,
        "HEAD": source.model.config.head,
        "LABELS": "\n".join(f"| {name} | {threshold:g} |" for name, threshold in rows),
        "NORMALIZATION": source.text.normalization,
        "IMAGE_TEXT": source.text.image_text,
    }
    text = template.read_text(encoding="utf-8")
    for key, value in values.items():
        text = text.replace(f"@{key}@", str(value))
    return str(text)
