"""A trained model as a folder for `AutoModel.from_pretrained(folder, trust_remote_code=True)`.

The folder carries copies of the files of `crossguard.models`, which import each other relatively and need nothing but
torch and transformers. `modeling_crossguard.py` wraps them in the classes that transformers looks for.
"""

from __future__ import annotations

import json
import shutil
from importlib import resources
from pathlib import Path
from typing import Any, Final

from crossguard.bundle import CARD, TOKENIZER
from crossguard.export.bundle import COPIED, open_run
from crossguard.models.loading import CONFIG, INFERENCE_CONFIG, Checkpoint, save_model

WRAPPER: Final = "modeling_crossguard.py"
CODE: Final = (
    "backbone.py",
    "building.py",
    "clip.py",
    "compact.py",
    "config.py",
    "efficientnet_lite.py",
    "fusion.py",
    "gated.py",
    "losses.py",
    "multitask.py",
    "registry.py",
    "siglip.py",
)


def export_huggingface(run: Path, out: Path) -> None:
    """Writes the folder of a run.

    Args:
        run: What `crossguard train` wrote, or a checkpoint in the published layout.
        out: Made when it is not there.

    Raises:
        BundleError: The run is incomplete or inconsistent.
    """
    checkpoint = open_run(run)
    save_model(checkpoint.model, out)
    _write_json(out / CONFIG, config(checkpoint))
    _write_json(out / INFERENCE_CONFIG, checkpoint.inference)
    _write_json(out / "label_map.json", dict(enumerate(checkpoint.inference["class_names"])))
    for name in (*COPIED, TOKENIZER, CARD):
        if (checkpoint.folder / name).is_file():
            shutil.copyfile(checkpoint.folder / name, out / name)
    code = resources.files("crossguard.models")
    for name in CODE:
        (out / name).write_text((code / name).read_text(encoding="utf-8"), encoding="utf-8")
    wrapper = resources.files("crossguard") / "resources" / "huggingface" / f"{WRAPPER}.txt"
    (out / WRAPPER).write_text(wrapper.read_text(encoding="utf-8"), encoding="utf-8")


def config(checkpoint: Checkpoint) -> dict[str, Any]:
    """Returns `config.json` as transformers reads it, with all that this package reads too."""
    module = WRAPPER.removesuffix(".py")
    names = checkpoint.inference["class_names"]
    return {
        **checkpoint.model.config.to_dict(),
        "model_type": "crossguard",
        "architectures": ["CrossguardModel"],
        "auto_map": {"AutoConfig": f"{module}.CrossguardConfig", "AutoModel": f"{module}.CrossguardModel"},
        "class_names": names,
        "thresholds": checkpoint.inference["thresholds"],
        "id2label": {str(place): name for place, name in enumerate(names)},
        "label2id": {name: place for place, name in enumerate(names)},
        "torch_dtype": "float32",
    }


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
