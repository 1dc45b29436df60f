"""The bundled model gives the same scores whatever the processor multiplies 8 bits with."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import crossguard
from crossguard.machine import X86

POSTS = """
import json, sys
import numpy as np
from PIL import Image
import crossguard
texts = (
    "Women are too stupid to vote", "Good morning", "I hate you all",
    "Telling people to go back where they came from is racist, please stop",
)
posts = [crossguard.Post(str(i), text) for i, text in enumerate(texts)]
posts.append(crossguard.Post("words", "", image_text="DISABLED PEOPLE ARE A WASTE OF OUR MONEY"))
posts.append(crossguard.Post("both", "look at them", image=sys.argv[1]))
posts.append(crossguard.Post("image", "", image=sys.argv[1]))
for seed in (0, 3):  # squares of all colours: the largest numbers that there are in an image
    squares = np.random.default_rng(seed).integers(0, 256, (24, 24, 3), dtype=np.uint8)
    posts.append(crossguard.Post(f"squares-{seed}", "", image=Image.fromarray(squares).resize((192, 192), 0)))
moderator = crossguard.load("compact", runtime=sys.argv[2])
print(json.dumps([list(decision.scores.values()) for decision in moderator.score(posts)]))
"""


@pytest.mark.skipif(platform.machine() not in X86, reason="about processors of x86")
def test_scores_are_those_of_exact_sums_with_every_instruction_set(tmp_path: Path) -> None:
    """With AVX2 alone the steps are computed in full precision; VNNI and AMX multiply 8 bits.

    ONNX Runtime multiplies in 8 bits without overflow on each of them.
    """
    pytest.importorskip("onnxruntime", reason="it says what the scores are")
    image = Path(crossguard.__file__).parent / "resources" / "demo" / "crowd.jpg"

    def scores(instructions: str, runtime: str = "openvino") -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        limit = {"ONEDNN_MAX_CPU_ISA": instructions} if instructions else {}
        own = os.environ | limit | {"CROSSGUARD_CACHE": str(tmp_path / f"cache-{instructions}")}
        command = [sys.executable, "-c", POSTS, str(image), runtime]
        printed = subprocess.run(command, env=own, check=True, capture_output=True, text=True).stdout
        return np.array(json.loads(printed))

    exact = scores("", "onnx")
    assert exact[0].max() > 0.9
    assert exact[4].max() > 0.85
    assert exact[3].max() < 0.1
    for instructions in ("SSE41", "AVX2", "AVX512_CORE", "AVX512_CORE_VNNI", ""):
        found = scores(instructions)
        np.testing.assert_allclose(found[:-2], exact[:-2], atol=0.02, err_msg=instructions)
        # By .01 without overflow, by .08 with it.
        np.testing.assert_allclose(found[-2:], exact[-2:], atol=0.03, err_msg=instructions)
