"""OpenVINO, imported without what reads no bundle: its conversion tools, and operators until a graph is rewritten.

Each of the two would be a third of the time that its `import` takes.
"""

from __future__ import annotations

import re
import sys
from functools import cache
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, Final

import numpy as np

TOOLS: Final = "openvino.tools.ovc"
OPERATORS: Final = re.compile(r"openvino\.opset\d+")


@cache
def openvino() -> Any:
    """Returns the package, imported on the first call."""
    if "openvino" not in sys.modules and TOOLS not in sys.modules:
        sys.modules[TOOLS] = None  # type: ignore[assignment]  # None: not to be imported, which OpenVINO expects
        sys.meta_path.insert(0, _Placeholders)
        try:
            import openvino
        finally:
            sys.meta_path.remove(_Placeholders)
            for name in [TOOLS, *filter(OPERATORS.fullmatch, sys.modules)]:
                del sys.modules[name]
        for name in filter(OPERATORS.fullmatch, [f"openvino.{name}" for name in vars(openvino)]):
            delattr(openvino, name.removeprefix("openvino."))
        openvino.__getattr__ = _imported  # for us, and for others in this process
    import openvino

    _build_type_tables(openvino)
    return openvino


def reason(error: RuntimeError) -> str:
    """Returns what OpenVINO says is wrong, without where in its code that was found."""
    return str(error).strip().splitlines()[-1]


class _Placeholders:
    """Finds empty modules in place of operators, and imports them."""

    @classmethod
    def find_spec(cls, name: str, _path: object, _target: object = None) -> ModuleSpec | None:
        """Returns how to import a module; None leaves it to the other finders."""
        return ModuleSpec(name, cls) if OPERATORS.fullmatch(name) else None  # type: ignore[arg-type]  # what it calls

    @staticmethod
    def create_module(_spec: ModuleSpec) -> None:
        """Leaves it to Python to make a module."""

    @staticmethod
    def exec_module(_module: ModuleType) -> None:
        """Leaves the module empty."""


def _imported(name: str) -> Any:
    """Returns what `openvino` has once it is asked for."""
    if name == "convert_model":
        return import_module(TOOLS).convert_model
    if OPERATORS.fullmatch(f"openvino.{name}"):
        return import_module(f"openvino.{name}")
    raise AttributeError(f"module 'openvino' has no attribute '{name}'")


def _build_type_tables(ov: Any) -> None:
    """Uses OpenVINO's table of types once, before there are threads.

    It is a static of C++ whose construction takes the interpreter lock: two threads that come first at the same time
    can wait for each other for ever.
    """
    tensor = ov.Tensor(np.zeros(1, dtype=np.float32))
    tensor.element_type.to_dtype()
    np.array(tensor.data)
