"""Chooses the arithmetic of each graph on this machine: what a short trial finds faster, of what the bundle allows.

A bundle allows only the precisions in which it passed its quality gate (`precisions` in its manifest), so a choice
never moves scores further than the gate let it. Where there is nothing to choose, nothing is tried. A choice is
remembered per bundle, processor and version, so that the same machine computes the same scores each time.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from crossguard.cache import cache_folder, keep
from crossguard.machine import multiplies_bf16
from crossguard.runtimes.blobs import cache_key
from crossguard.runtimes.library import openvino, reason
from crossguard.runtimes.rewriting import read_model
from crossguard.runtimes.settings import PRECISION, STREAMS, THREADS

logger = logging.getLogger(__name__)

EXACT: Final = "fp32"
# Graphs that are tried; the fusion takes no time, and its outputs are the scores.
ENCODERS: Final = ("text", "image")
# How much faster another precision has to be. Measured differences are smaller, or far larger.
BETTER: Final = 1.15
ROUNDS: Final = 3
ROUND_S: Final = 0.03
ROWS: Final = {"text": 16, "image": 4}
TOKENS: Final = 32
LONGEST_MEMORY: Final = 4096


@dataclass(frozen=True, slots=True)
class Trial:
    """How fast one graph is."""

    graph: str  # its name
    milliseconds: Mapping[str, float]  # of one job on one core, by precision
    failures: Mapping[str, str]  # what OpenVINO said of precisions that it cannot compute

    def best(self, allowed: Sequence[str]) -> str:
        """Returns the precision to compute in: fp32 unless an allowed one is clearly faster."""
        times = {name: taken for name, taken in self.milliseconds.items() if name in allowed}
        if EXACT not in times:
            return EXACT
        name = min(times, key=times.__getitem__)
        return name if times[name] * BETTER < times[EXACT] else EXACT


@dataclass(frozen=True, slots=True)
class Choice:
    """The precision of each graph, and why."""

    precisions: Mapping[str, str]
    reason: str


def choose(graphs: Mapping[str, Path], allowed: Sequence[str], identity: str) -> Choice:
    """Chooses the precision of each graph.

    Args:
        graphs: File of each graph by name.
        allowed: Precisions that the bundle may be computed in.
        identity: Digest of the bundle; a choice is remembered only with one.
    """
    found = settled(tuple(graphs), allowed, identity)
    if found is not None:
        return found
    trials = measure(graphs, allowed)
    found = settled(tuple(graphs), allowed, identity)
    if found is not None:  # of a program that began with this one, and chose first
        return found
    precisions = dict.fromkeys(graphs, EXACT) | {trial.graph: trial.best(allowed) for trial in trials}
    if identity:
        keep(_place(identity, allowed), json.dumps(precisions).encode())
    return Choice(precisions, "; ".join(map(describe, trials)))


def settled(graphs: Collection[str], allowed: Sequence[str], identity: str) -> Choice | None:
    """Returns the choice where nothing has to be tried for it, else None; arguments as for `choose`."""
    exact = dict.fromkeys(graphs, EXACT)
    if set(allowed) <= {EXACT}:
        return Choice(exact, "the bundle allows fp32 only")
    if not multiplies_bf16():
        return Choice(exact, "this processor has no units for bf16")
    if not identity:
        return None
    place = _place(identity, allowed)
    remembered = _recall(place, graphs, allowed)
    return None if remembered is None else Choice(remembered, f"as measured before ({place})")


def describe(trial: Trial) -> str:
    """Returns a trial in words."""
    parts = [f"{name} {taken:.1f} ms" for name, taken in trial.milliseconds.items()]
    parts += [f"{name} fails" for name in trial.failures]
    return f"{trial.graph}: {', '.join(parts)}"


def measure(graphs: Mapping[str, Path], precisions: Sequence[str]) -> list[Trial]:
    """Runs the encoders on one core in each precision, in turns; whatever fails is not chosen."""
    core = openvino().Core()
    trials = []
    for graph in ENCODERS:
        requests: dict[str, Any] = {}
        failures: dict[str, str] = {}
        model = read_model(core, graphs[graph])
        feed = example(model.inputs, ROWS[graph], TOKENS)  # of the size of an ordinary job
        for name in dict.fromkeys((EXACT, *precisions)):
            try:
                settings = {PRECISION: name if name != EXACT else "f32", THREADS: 1, STREAMS: 1}
                requests[name] = core.compile_model(model, "CPU", settings).create_infer_request()
                requests[name].infer(feed)
            except RuntimeError as error:
                requests.pop(name, None)
                failures[name] = reason(error)
        rounds = [{name: _milliseconds(request, feed) for name, request in requests.items()} for _ in range(ROUNDS)]
        taken = {name: min(times[name] for times in rounds) for name in requests}
        trials.append(Trial(graph, taken, failures))
    return trials


def example(inputs: Iterable[Any], rows: int, tokens: int) -> dict[str, Any]:
    """Returns something for the inputs of a graph: so many rows, of so many tokens each if they are texts."""
    feed = {}
    for port in inputs:
        free = iter((rows, tokens))
        shape = [entry.get_length() if entry.is_static else next(free) for entry in port.partial_shape]
        feed[port.get_any_name()] = np.ones(shape, dtype=port.element_type.to_dtype())
    return feed


def _milliseconds(request: Any, feed: Mapping[str, Any]) -> float:
    """Returns processor time: a choice is remembered, and must not depend on what else the machine does just then."""
    started = time.process_time()
    count = 0
    while not count or time.process_time() - started < ROUND_S:
        request.infer(feed)
        count += 1
    return 1000 * (time.process_time() - started) / count


def _place(identity: str, allowed: Sequence[str]) -> Path:
    # Not per number of cores, of which a trial uses one: two programs with different threads would score differently.
    key = cache_key(*allowed, identity)
    return cache_folder() / "arithmetic" / f"{key[:24]}.json"


def _recall(place: Path, graphs: Collection[str], allowed: Sequence[str]) -> dict[str, str] | None:
    """Returns a remembered choice; None where there is none that this bundle allows."""
    try:
        with place.open("rb") as file:
            found = json.loads(file.read(LONGEST_MEMORY))
    except (OSError, ValueError, RecursionError):
        return None
    known = isinstance(found, dict) and found.keys() == set(graphs)
    return found if known and all(name in (EXACT, *allowed) for name in found.values()) else None
