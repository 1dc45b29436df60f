"""OpenVINO is imported without its conversion tools, and others in the process still get them."""

from __future__ import annotations

import subprocess
import sys


def said(code: str) -> str:
    """Returns what a new process prints."""
    command = [sys.executable, "-c", f"from crossguard.runtimes.library import openvino; {code}"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_conversion_tools_are_not_imported() -> None:
    assert said("openvino().Core; import sys; print('openvino.tools.ovc' in sys.modules)") == "False"


def test_others_can_still_convert_models() -> None:
    assert said("openvino(); import openvino as theirs; print(theirs.convert_model.__name__)") == "convert_model"


def test_operators_are_imported_when_they_are_asked_for() -> None:
    loaded = "any(name.startswith('openvino.opset') for name in sys.modules)"
    asked = "from openvino import opset1; import openvino.opset13; assert theirs.opset13.gather and opset1.add"
    assert said(f"import sys; theirs = openvino(); print({loaded}); {asked}; print({loaded})") == "False\nTrue"


def test_what_openvino_does_not_have_it_still_does_not_have() -> None:
    assert said("print(hasattr(openvino(), 'nothing'))") == "False"


def test_an_openvino_that_others_imported_is_left() -> None:
    assert (
        said("import openvino as theirs; print(openvino() is theirs, hasattr(theirs, '__getattr__'))") == "True False"
    )
