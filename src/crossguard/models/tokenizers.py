"""The fast tokenizer of a pretrained encoder, as the `tokenizer.json` that a bundle carries."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def write_pretrained(source: str, out: Path, *, lowercase: bool) -> int:
    """Writes the tokenizer of a Hub id or a folder, and returns the id of its padding.

    Args:
        source: Where transformers finds it.
        out: The file.
        lowercase: Lower the case first: SigLIP was trained so, and its tokenizer leaves that to a processor.

    Raises:
        OSError: It cannot be had.
        ValueError: It is not a fast tokenizer.
    """
    from tokenizers import normalizers
    from transformers import AutoTokenizer

    pretrained = AutoTokenizer.from_pretrained(source)
    backend: Any = getattr(pretrained, "backend_tokenizer", None)
    if backend is None:
        raise ValueError(f"'{source}' has no fast tokenizer, which a bundle needs.")
    backend.no_padding()
    backend.no_truncation()
    if lowercase:
        old = backend.normalizer
        backend.normalizer = normalizers.Sequence([normalizers.Lowercase()] + ([] if old is None else [old]))
    backend.save(str(out))
    return int(pretrained.pad_token_id)
