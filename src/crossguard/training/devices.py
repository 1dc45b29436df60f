"""Which devices and processes training runs on, and in which numbers they compute."""

from __future__ import annotations

import os
from functools import cache
from time import perf_counter
from typing import Final, Literal, TypeAlias

import torch
from accelerate import Accelerator, DistributedDataParallelKwargs, PartialState
from accelerate.state import AcceleratorState

from crossguard.errors import ConfigError
from crossguard.machine import available_cores
from crossguard.runtimes.tuning import BETTER
from crossguard.training.recipe import Recipe

Precision: TypeAlias = Literal["no", "bf16", "fp16"]
"""Mixed precision as accelerate calls it; `no` is float32."""
MOST_WORKERS: Final = 8
# Of a trial of bf16; the first round also makes kernels.
ROUNDS: Final = 4
MATRIX: Final = 1024


def build_accelerator(recipe: Recipe, began: Precision | None = None) -> Accelerator:
    """Returns this machine's devices and processes, with the recipe's precision, or that in which a run began.

    Raises:
        ConfigError: The run cannot go on in the numbers in which it began.
    """
    # A batch without images leaves the image encoder without gradients, which several processes must expect.
    kwargs = [DistributedDataParallelKwargs(find_unused_parameters=True)]
    # accelerate joins several processes without a GPU only when it is told that there is none.
    cpu = not torch.accelerator.is_available()
    device = PartialState(cpu=cpu).device.type
    precision = mixed_precision(recipe, device) if began is None else _again(began, device)
    AcceleratorState._reset_state()  # noqa: SLF001 an earlier run in this process may have had another precision
    return Accelerator(mixed_precision=precision, cpu=cpu, kwargs_handlers=kwargs)


def workers(accelerator: Accelerator) -> int:
    """Returns how many processes make batches ahead for a GPU; none for a processor, which computes itself."""
    if accelerator.device.type != "cuda":
        return 0
    processes: int = accelerator.num_processes
    # A launcher may bind each process to cores of its own, so that those of this one are not divided.
    return max(0, min(MOST_WORKERS, available_cores() - 1, (os.cpu_count() or 1) // processes - 1))


def _again(began: Precision, device: str) -> Precision:
    lacks_bf16 = device == "cuda" and not torch.cuda.is_bf16_supported()
    if (began == "fp16" and device != "cuda") or (began == "bf16" and lacks_bf16):
        raise ConfigError(
            f"The run began in {began}, in which this machine's {device} does not train, so it cannot go on exactly. "
            "Resume it where it was started, or begin a new run in another folder."
        )
    return began


def mixed_precision(recipe: Recipe, device: str) -> Precision:
    """Returns what accelerate shall use: the recipe's wish, or what the device does well.

    fp16 needs a GPU; elsewhere it becomes what `auto` gives, because the gradients of fp16 need a scaler that only
    GPUs have.
    """
    wish = recipe.precision
    if wish == "fp32":
        return "no"
    if wish == "bf16" or (wish == "fp16" and device == "cuda"):
        return wish
    if device == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported() else "fp16"
    return "bf16" if device == "cpu" and has_fast_bf16() else "no"


@cache
def has_fast_bf16() -> bool:
    """Whether this processor multiplies bf16 matrices faster than float32 ones; tried for some hundredths of a second.

    That there are instructions for it does not say so: with `avx512_bf16` and without AMX, an AMD EPYC multiplies bf16
    twice as fast as float32, and an Intel Xeon half as fast.
    """
    abilities = torch.cpu.get_capabilities()
    if not (abilities.get("avx512_bf16") or abilities.get("amx_bf16")):
        return False
    tried = [(_seconds(torch.float32), _seconds(torch.bfloat16)) for _ in range(ROUNDS)]
    exact, half = map(min, zip(*tried, strict=True))
    return bool(half * BETTER < exact)


def _seconds(dtype: torch.dtype) -> float:
    matrix = torch.ones(MATRIX, MATRIX, dtype=dtype)
    start = perf_counter()
    torch.mm(matrix, matrix)
    return perf_counter() - start


def precision_note(recipe: Recipe, chosen: str, device: str) -> str | None:
    """Returns what to tell a person when the run computes in other numbers than the recipe says."""
    name = "fp32" if chosen == "no" else chosen
    if recipe.precision in {"auto", name}:
        return None
    why = "the run began without one" if device == "cuda" else "there is none"
    return f"precision: {recipe.precision} needs a CUDA GPU, and {why}; this run computes in {name} on {device}."
