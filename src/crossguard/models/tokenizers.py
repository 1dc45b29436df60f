"""The fast tokenizer of a pretrained encoder, as the `tokenizer.json` that a bundle carries."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

# What transformers reads a vocabulary from; without any, it makes an empty one and says nothing.
FILES: Final = ("tokenizer.json", "vocab.json", "vocab.txt", "tokenizer.model", "spiece.model")
# Three letters and the unknown token: a vocabulary that knows words tells at least two of them apart.
DISTINCT: Final = 2


def read_pretrained(source: str, *, lowercase: bool) -> tuple[str, int]:
    """Reads the tokenizer of a Hub id or a folder: the content of `tokenizer.json`, and the id of the padding.

    With `lowercase` it lowers the case first: SigLIP was trained so, and its tokenizer leaves that to a processor.

    Raises:
        OSError: It cannot be had.
        ValueError: It is not a fast tokenizer, or has no vocabulary.
    """
    from transformers import AutoTokenizer

    if Path(source).is_dir() and not any((Path(source) / name).is_file() for name in FILES):
        raise ValueError(f"the folder '{source}' holds no tokenizer; it needs one of {', '.join(FILES)}.")
    pretrained = AutoTokenizer.from_pretrained(source)
    backend: Any = getattr(pretrained, "backend_tokenizer", None)
    if backend is None:
        raise ValueError(f"'{source}' has no fast tokenizer, which a bundle needs.")
    if len({pretrained.unk_token_id, *backend.encode("a b c", add_special_tokens=False).ids}) < DISTINCT:
        raise ValueError(f"the tokenizer of '{source}' knows no words, so every text would look the same.")
    return _text(backend, lowercase=lowercase), int(pretrained.pad_token_id)


def read_tokenizer(path: Path, *, lowercase: bool) -> str:
    """Reads a `tokenizer.json` as `read_pretrained` does.

    Raises:
        ValueError: It is not such a file.
    """
    from tokenizers import Tokenizer

    try:
        return _text(Tokenizer.from_file(str(path)), lowercase=lowercase)
    except Exception as error:  # noqa: BLE001 the library raises nothing narrower
        raise ValueError(f"{path} is not a tokenizer: {error}.") from None


def first_id(tokenizer: Any, names: Sequence[str]) -> int:
    """Returns the id of the first of these tokens that a tokenizer knows; 0 where it knows none."""
    return next((int(id_) for name in names if (id_ := tokenizer.token_to_id(name)) is not None), 0)


def _text(tokenizer: Any, *, lowercase: bool) -> str:
    from tokenizers import normalizers

    tokenizer.no_padding()
    tokenizer.no_truncation()
    old = tokenizer.normalizer
    if lowercase and "Lowercase" not in str(old):
        tokenizer.normalizer = normalizers.Sequence([normalizers.Lowercase()] + ([] if old is None else [old]))
    return str(tokenizer.to_str())
