from __future__ import annotations

import pytest
from tokenizers import Tokenizer

from crossguard.preprocessing.disguises.lexicon import Lexicon
from crossguard.registry import find


@pytest.fixture(scope="session")
def words() -> Lexicon:
    """Returns the words that the tokenizer of the bundled model knows."""
    return Lexicon(Tokenizer.from_file(str(find("compact") / "tokenizer.json")).get_vocab())
