"""What OpenVINO is told about each graph: its precision, and how jobs share the cores."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from crossguard.errors import ConfigError
from crossguard.machine import available_cores
from crossguard.runtimes.library import openvino
from crossguard.runtimes.packing import LONE, SOURCES

PRECISION: Final = "INFERENCE_PRECISION_HINT"
STREAMS: Final = "NUM_STREAMS"
THREADS: Final = "INFERENCE_NUM_THREADS"
# Up to this many cores, each works on its own job: nothing waits for another core. Beyond, cores share a job, because
# every stream keeps its own packed copy of the weights.
LONE_CORES: Final = 4


def check_threads(threads: object) -> None:
    """Refuses what is no number of cores with a `ConfigError`."""
    if threads is not None and (isinstance(threads, bool) or not isinstance(threads, int) or threads < 1):
        raise ConfigError(f"threads is {threads!r}; it is the number of cores to use, or None for all.")


def streams_of(cores: int) -> int:
    """Returns how many jobs run side by side on so many cores."""
    return cores if cores <= LONE_CORES else max(LONE_CORES, cores // 4)


def settings_of(
    precisions: Mapping[str, str], threads: int | None = None, *, one_by_one: bool = False
) -> dict[str, dict[str, Any]]:
    """Returns the settings of each graph, of the text encoder for texts in rows and the image encoder for full jobs.

    Arguments are those of `choice.create`, with a precision for each graph.
    """
    types = openvino().Type
    made = {name: precisions[source] for name, source in SOURCES.items() if source in precisions}
    cores = threads or available_cores()
    streams = streams_of(cores)
    lone, many = {THREADS: -(-cores // streams), STREAMS: 1}, {THREADS: cores, STREAMS: streams}
    return {
        # The short row is for a lone post, and each stream holds its weights once more.
        name: {
            **(lone if one_by_one or name == LONE else many),
            # Weights stored in 8 bits are still multiplied in full precision: scores stay those of the checkpoint.
            "DYNAMIC_QUANTIZATION_GROUP_SIZE": "0",
            PRECISION: types.bf16 if precision == "bf16" else types.f32,
        }
        for name, precision in {**precisions, **made}.items()
    }
