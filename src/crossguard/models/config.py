"""What rebuilds a model: everything that `config.json` must hold besides the weights."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class ModelConfig:
    """The shape of a model."""

    backend: str  # name of the backbone: `clip`, `siglip` or `compact`
    head: str = "fusion"  # `fusion` or `mtl`, the heads of the two model cards
    num_outputs: int = 5  # width of the logits; a multiple of the number of labels when there are several label schemes
    fusion_dim: int = 512  # width of the projected and fused features
    head_hidden_dim: int = 0  # width of each task's hidden layer in an `mtl` head; 0 for a linear one
    learnable_task_weights: bool = False  # whether an `mtl` head learns an uncertainty weight per task
    loss_type: str = "bce"  # `bce` or `focal`: the `loss` that the model gives when it is called with labels
    focal_gamma: float = 1.5  # how fast easy posts fade from the focal loss
    encoder_name: str = ""  # Hub id or folder that the encoder's pretrained weights came from; told, not needed
    encoder: dict[str, Any] = field(default_factory=dict)  # the encoder's own configuration, as its library writes it

    def to_dict(self) -> dict[str, Any]:
        """Returns the settings as JSON holds them."""
        return asdict(self)
