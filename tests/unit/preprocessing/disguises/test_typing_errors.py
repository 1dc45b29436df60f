from __future__ import annotations

from crossguard.preprocessing.disguises.lexicon import Lexicon
from crossguard.preprocessing.disguises.typing_errors import corrected, misspelt


def test_words_are_corrected_where_most_are_misspelt(words: Lexicon) -> None:
    assert corrected("goood mornign daer freinds", words) == "good morning dear friends"
    assert corrected("the freinds of Schwarzeneger", words) == "the freinds of Schwarzeneger"
    assert corrected("freindly peolpe", words) == "friendly people"


def test_one_error_or_a_name_is_no_pattern(words: Lexicon) -> None:
    assert not misspelt("my freind likes bread", words)
    assert not misspelt("then Xanthippe Zwingli Quetzalco met", words)
    assert misspelt("freindly peolpe", words)
