"""What rebuilds a model: everything that `config.json` must hold besides the weights."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class ModelConfig:
    """The shape of a model.

    Attributes:
        backend: Name of the backbone: `clip`, `siglip` or `compact`.
        head: `fusion` or `mtl`, the heads of the two model cards.
        num_outputs: Width of the logits; a multiple of the number of labels when there are several label schemes.
        fusion_dim: Width of the projected and fused features.
        head_hidden_dim: Width of each task's hidden layer in an `mtl` head; 0 for a linear one.
        learnable_task_weights: Whether an `mtl` head learns an uncertainty weight per task.
        loss_type: `bce` or `focal`: the `loss` that the model gives when it is called with labels.
        focal_gamma: How fast easy posts fade from the focal loss.
        encoder_name: Hub id or folder that the encoder's pretrained weights came from; told, not needed.
        encoder: The encoder's own configuration, as its library writes it.
    """

    backend: str
    head: str = "fusion"
    num_outputs: int = 5
    fusion_dim: int = 512
    head_hidden_dim: int = 0
    learnable_task_weights: bool = False
    loss_type: str = "bce"
    focal_gamma: float = 1.5
    encoder_name: str = ""
    encoder: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Returns the settings as JSON holds them."""
        return asdict(self)
