"""OpenVINO, without its conversion tools: they are half of the time that its `import` takes, and read no bundle."""

from __future__ import annotations

import sys
from typing import Any, Final

TOOLS: Final = "openvino.tools.ovc"


def openvino() -> Any:
    """Returns the package, imported on the first call."""
    if "openvino" not in sys.modules and TOOLS not in sys.modules:
        sys.modules[TOOLS] = None  # type: ignore[assignment]  # None: not to be imported, which OpenVINO expects
        try:
            import openvino
        finally:
            del sys.modules[TOOLS]
        openvino.__getattr__ = _converted  # for others in this process who convert models with it
    import openvino

    return openvino


def _converted(name: str) -> Any:
    if name != "convert_model":
        raise AttributeError(f"module 'openvino' has no attribute '{name}'")
    from openvino.tools.ovc import convert_model

    return convert_model
