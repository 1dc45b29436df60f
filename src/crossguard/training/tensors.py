"""The tensors of a batch, and the processes that make batches ahead."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from crossguard.training.forks import can_fork, garbage_kept

Rows: TypeAlias = "NDArray[np.int64]"


@dataclass(frozen=True, slots=True)
class Tensors:
    """A batch of n posts; the rows of an absent modality hold padding."""

    input_ids: Tensor | None  # int64 (n, length); None when no post has text
    attention_mask: Tensor | None  # int64 (n, length); None when no post has text
    pixels: Tensor | None  # uint8 (n, size, size, 3); None when no post has an image, or its features are known
    image_features: Tensor | None  # float (n, width), of a frozen image encoder; else None
    text_present: Tensor  # float (n,)
    image_present: Tensor  # float (n,)
    targets: Tensor  # float (n, outputs), NaN where unknown
    unions: Tensor  # float (n, label_schemes), NaN where unknown
    weights: Tensor  # float (n, outputs)

    def to(self, device: torch.device) -> Tensors:
        """Returns the batch on another device."""
        return self._each(lambda tensor: tensor.to(device, non_blocking=True))

    def pin_memory(self) -> Tensors:
        """Returns the batch in memory that a GPU copies from in the background; for `DataLoader`."""
        return self._each(Tensor.pin_memory)

    def _each(self, change: Callable[[Tensor], Tensor]) -> Tensors:
        own: dict[str, Tensor | None] = {name: getattr(self, name) for name in self.__slots__}
        changed: dict[str, Any] = {name: None if value is None else change(value) for name, value in own.items()}
        return Tensors(**changed)


class _Batches(Dataset[Tensors]):
    def __init__(self, make: Callable[[Rows], Tensors]) -> None:
        self._make = make

    def __getitems__(self, rows: Rows) -> Tensors:
        """Returns a batch of posts, by their rows."""
        return self._make(rows)


def load_batches(
    make: Callable[[Rows], Tensors], plan: Sequence[Rows], workers: int, *, pin: bool = False
) -> Iterator[Tensors]:
    """Yields what is made of the planned rows in order, the same batches whatever the number of workers.

    Workers are forked; where a system cannot, this process makes the batches.
    """
    forks = workers if can_fork() else 0
    loader: DataLoader[Tensors] = DataLoader(
        _Batches(make),
        batch_sampler=plan,  # type: ignore[arg-type] # rows as an array, not as a list
        collate_fn=lambda batch: batch,
        num_workers=forks,
        multiprocessing_context="fork" if forks else None,
        pin_memory=pin,
    )
    with garbage_kept():
        return iter(loader)
